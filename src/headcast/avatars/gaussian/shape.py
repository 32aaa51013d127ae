"""What keeps splats where pictures say nothing: near to where they began, small, round, and calm."""

import math

from jaxtyping import Bool, Float32
from numpy import ndarray

from headcast.avatars.gaussian.columns import COLOR, POSITION, SCALE, SHIFT_FROM
from headcast.avatars.gaussian.config import GaussianConfig
from headcast.compiled import compiled

_LONGEST = math.log(8)
"""Logarithm of how much longer than thick a splat may be."""
_P, _S, _C = POSITION.start, SCALE.start, COLOR.start


def add_shape_gradient(
    values: Float32[ndarray, "splats columns"],
    anchor: Float32[ndarray, "splats 6"],
    largest: Float32[ndarray, "splats"],
    rows: Bool[ndarray, "splats"],
    config: GaussianConfig,
    gradient: Float32[ndarray, "splats columns"],
) -> float:
    """Adds the gradient of the mean over the chosen rows, and gives that mean.

    A row costs, by the weights in `config`: the squared distance beyond one from its anchor, the squared scales beyond `largest`, the squared
    logarithm of longest over shortest scale beyond ln 8, the squared distance of the colour's first harmonic from its anchor, the squared shifts and
    tints. An anchor is a position and a first harmonic.
    """
    count = max(int(rows.sum()), 1)
    return float(
        _add(
            values,
            anchor,
            largest,
            rows,
            *(weight / count for weight in (config.stay, config.small, config.round, config.tone, config.calm)),
            gradient,
        )
    )


@compiled()
def _add(values, anchor, largest, rows, stay, small, slender, tone, calm, gradient):
    loss = 0.0
    for s in range(values.shape[0]):
        if rows[s]:
            x, y, z = values[s, _P] - anchor[s, 0], values[s, _P + 1] - anchor[s, 1], values[s, _P + 2] - anchor[s, 2]
            length = math.sqrt(x * x + y * y + z * z)
            if length > 1.0:
                loss += stay * (length - 1.0) ** 2
                pull = 2.0 * stay * (length - 1.0) / length
                gradient[s, _P] += pull * x
                gradient[s, _P + 1] += pull * y
                gradient[s, _P + 2] += pull * z
            shortest, longest = 0, 0
            for k in range(3):
                scale = math.exp(values[s, _S + k])
                beyond = scale - largest[s]
                if beyond > 0.0:
                    loss += small * beyond**2
                    gradient[s, _S + k] += 2.0 * small * beyond * scale
                if values[s, _S + k] < values[s, _S + shortest]:
                    shortest = k
                if values[s, _S + k] > values[s, _S + longest]:
                    longest = k
            beyond = values[s, _S + longest] - values[s, _S + shortest] - _LONGEST
            if beyond > 0.0:
                loss += slender * beyond**2
                gradient[s, _S + longest] += 2.0 * slender * beyond
                gradient[s, _S + shortest] -= 2.0 * slender * beyond
            for k in range(3):
                away = values[s, _C + k] - anchor[s, 3 + k]
                loss += tone * away**2
                gradient[s, _C + k] += 2.0 * tone * away
            for column in range(SHIFT_FROM, values.shape[1]):
                loss += calm * values[s, column] ** 2
                gradient[s, column] += 2.0 * calm * values[s, column]
    return loss
