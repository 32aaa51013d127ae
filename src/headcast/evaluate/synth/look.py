"""Who a synthetic person is, as far as eyes can see: colours and features drawn from a seed."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from headcast.render import linear_from_srgb

_TONES_SRGB = np.array(
    [[240, 208, 190], [228, 188, 162], [212, 168, 134], [190, 142, 106], [160, 112, 80], [124, 82, 58], [92, 60, 44], [66, 44, 36]]
)
"""Skin from very light to very dark."""
_HAIRS_SRGB = np.array([[28, 22, 20], [52, 36, 26], [88, 58, 36], [140, 100, 60], [186, 150, 100], [120, 50, 26], [150, 148, 146]])
_IRISES_SRGB = np.array([[70, 42, 24], [104, 70, 38], [96, 92, 54], [74, 104, 88], [84, 116, 150], [110, 124, 136]])


@dataclass(frozen=True)
class Look:
    """What a synthetic person looks like, drawn from a seed; strengths are 0–1."""

    skin: Float[np.ndarray, "3"]
    hair: Float[np.ndarray, "3"]
    iris: Float[np.ndarray, "3"]
    lip_redness: float
    mottling: float
    pores: float
    freckles: float
    moles: int
    stubble: float
    hairline_m: float
    """Height above the eyes where the hair begins; a large number means bald."""
    brow_density: float
    make_up: float


def random_look(rng: np.random.Generator) -> Look:
    """A person: tones between the measured ones, rarer features in some only."""

    def blend(table: np.ndarray) -> np.ndarray:
        first = rng.integers(len(table) - 1)
        share = rng.uniform()
        return linear_color((table[first] * (1 - share) + table[first + 1] * share) / 255.0) * rng.uniform(0.92, 1.08, 3)

    skin = blend(_TONES_SRGB)
    # Fair hair goes with light skin; grey hair with any.
    hairs = _HAIRS_SRGB if skin[1] > 0.25 else _HAIRS_SRGB[[0, 1, -1]]
    return Look(
        skin=skin,
        hair=linear_color(hairs[rng.integers(len(hairs))] / 255.0),
        iris=blend(_IRISES_SRGB),
        lip_redness=rng.uniform(0.3, 1.0),
        mottling=rng.uniform(0.3, 1.0),
        pores=rng.uniform(0.3, 1.0),
        freckles=rng.uniform(0.3, 1.0) * (rng.uniform() < 0.35),
        moles=int(rng.integers(0, 9)),
        stubble=rng.uniform(0.3, 1.0) * (rng.uniform() < 0.4),
        hairline_m=rng.uniform(0.055, 0.085) if rng.uniform() < 0.85 else 1.0,
        brow_density=rng.uniform(0.5, 1.0),
        make_up=rng.uniform(0.4, 1.0) * (rng.uniform() < 0.25),
    )


def linear_color(srgb: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
    """Linear light of sRGB values 0–1."""
    return linear_from_srgb(torch.from_numpy(np.asarray(srgb, np.float64))).numpy()
