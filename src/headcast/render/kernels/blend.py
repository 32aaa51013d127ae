"""Bodies that mix the colours of neighbouring pixels by the shares that `edges` finds.

`blends[row, column, axis]` belongs to a pixel and its right (axis 0) or lower (axis 1) neighbour: negative is what the pixel takes of
its neighbour's colour, positive what the neighbour takes of the pixel's.
"""

import numpy as np

ZERO = np.float32(0)


def share_of(blends, row, column, side):
    """What a pixel takes (positive) of its neighbour's colour, or gives (negative); side 0 is right, 1 below, 2 left, 3 above."""
    if side < 2:
        return -blends[row, column, side]
    if side == 2:
        return blends[row, column - 1, 0] if column > 0 else ZERO
    return blends[row - 1, column, 1] if row > 0 else ZERO


def other_pixel(row, column, side):
    """The neighbour on a side."""
    step = 1 if side < 2 else -1
    return (row, column + step) if side % 2 == 0 else (row + step, column)


def untouched(blends, row, column):
    """Whether no outline passes between a pixel and its neighbours, as at almost all pixels."""
    left = blends[row, column - 1, 0] if column > 0 else ZERO
    above = blends[row - 1, column, 1] if row > 0 else ZERO
    return blends[row, column, 0] == ZERO and blends[row, column, 1] == ZERO and left == ZERO and above == ZERO


def blend_pixel(color, blends, row, column, out):
    """Sets a pixel to its colour mixed with those of its four neighbours."""
    for k in range(out.shape[2]):
        out[row, column, k] = color[row, column, k]
    if untouched(blends, row, column):
        return
    for side in range(4):
        share = share_of(blends, row, column, side)
        if share > ZERO:
            other_row, other_column = other_pixel(row, column, side)
            for k in range(out.shape[2]):
                out[row, column, k] += share * (color[other_row, other_column, k] - color[row, column, k])


def blend_gradient(color, blends, row, column, grad_out, grad_color, grad_blends):
    """Sets the gradients of a pixel's own colour and of its pairs to the right and below."""
    for k in range(color.shape[2]):
        grad_color[row, column, k] = grad_out[row, column, k]
    grad_blends[row, column, 0] = ZERO
    grad_blends[row, column, 1] = ZERO
    if untouched(blends, row, column):
        return
    for side in range(4):
        share = share_of(blends, row, column, side)
        total = ZERO
        if share != ZERO:
            other_row, other_column = other_pixel(row, column, side)
            for k in range(color.shape[2]):
                taker = grad_out[row, column, k] if share > ZERO else grad_out[other_row, other_column, k]
                grad_color[row, column, k] -= share * taker
                total += taker * (color[row, column, k] - color[other_row, other_column, k])
        if side < 2:
            grad_blends[row, column, side] = total
