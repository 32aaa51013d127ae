"""What stands where in the row of numbers that a bound splat is."""

HARMONICS = 4
"""Of a splat's colour, by the direction in which the head is seen."""
POSITION, ROTATION, SCALE, OPACITY, COLOR = slice(0, 3), slice(3, 7), slice(7, 10), slice(10, 11), slice(11, 11 + 3 * HARMONICS)
"""In the frame of the triangle and in its size; as quaternion w, x, y, z; as logarithms; as logit; harmonic by harmonic."""
SHIFT_FROM = COLOR.stop
"""From here on the shift of the position by each motion, then the tint by each motion."""


def column_count(motions: int) -> int:
    """Numbers of a splat."""
    return SHIFT_FROM + 6 * motions


def motion_count(columns: int) -> int:
    """Motions of splats with so many numbers."""
    return (columns - SHIFT_FROM) // 6
