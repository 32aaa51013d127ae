"""How much each part of a head counts where colours are compared, as settings and as weights of vertices."""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int
from scipy.sparse.csgraph import dijkstra

from headcast.errors import ConfigError
from headcast.geometry import edges_of
from headcast.heads import HeadModel

Use = Literal["full", "weak", "painted", "filled"]


@dataclass(frozen=True)
class Regions:
    """How much parts count where colours are compared.

    full: as the face does. weak: a quarter of that. painted: colours are painted, but pull nothing. filled: one colour, the middle of what is seen.
    """

    forehead: Use = "full"
    ears: Use = "weak"
    hair: Use = "painted"
    """The scalp: hair lies over it and moves by itself."""
    neck: Use = "painted"
    mouth: Use = "painted"
    """Its inside, teeth and tongue: they change their looks with every word."""
    rim: Use = "painted"
    """Where the model ends."""
    border_m: float = 0.0
    """Within this distance of where parts of different use meet, colours count less and less, along the skin: looks must not pull across."""

    def __post_init__(self) -> None:
        if not 0 <= self.border_m <= 0.05:
            raise ConfigError(f"regions.border_m must be between 0 and 0.05 m, found {self.border_m}")


_WORTH = MappingProxyType({"full": 1.0, "weak": 0.25, "painted": 0.0, "filled": 0.0})
_PARTS = (
    ("face", None, 1.0),
    ("forehead", "forehead", 0.8),
    ("ears", "ears", 1.0),
    ("neck", "neck", 1.0),
    ("scalp", "hair", 1.0),
    ("eyelids", None, 1.0),
    ("lips", None, 1.0),
    ("nose", None, 1.0),
    ("eyeballs", None, 1.0),
    ("mouth_interior", "mouth", 1.0),
    ("teeth", "mouth", 1.0),
    ("tongue", "mouth", 1.0),
    ("boundary", "rim", 1.0),
)
"""The model's regions, the setting that each follows (None: always full), and the weight of "full"; later entries win where regions overlap.
Hair hangs into foreheads now and then."""


def pixel_weights(model: HeadModel, regions: Regions) -> Float[np.ndarray, "vertices"]:
    """How much a pixel of each vertex's skin counts, 0–1."""
    weight = np.zeros(len(model.template))
    for name, setting, full in _PARTS:
        if name in model.regions:
            weight[model.regions[name].numpy()] = full * (1.0 if setting is None else _WORTH[getattr(regions, setting)])
    return weight * _away_from_borders(model, weight, regions.border_m) if regions.border_m > 0 else weight


def filled_parts(model: HeadModel, regions: Regions) -> Int[np.ndarray, "vertices"]:
    """Which of the settings fills a vertex's colour, by number; −1 where it is painted."""
    part = np.full(len(model.template), -1)
    settings = list(Regions.__dataclass_fields__)
    for name, setting, _ in _PARTS:
        if name in model.regions:
            filled = setting is not None and getattr(regions, setting) == "filled"
            part[model.regions[name].numpy()] = settings.index(setting) if setting is not None and filled else -1
    return part


def _away_from_borders(model: HeadModel, weight: Float[np.ndarray, "vertices"], width: float) -> Float[np.ndarray, "vertices"]:
    """0 where vertices of different weight meet, 1 farther than `width` from there, along the mesh of the mean head."""
    a, b = edges_of(model.faces).numpy().T
    template = model.template.double().numpy()
    length = np.linalg.norm(template[a] - template[b], axis=1)
    mesh = sp.csr_matrix((np.maximum(length, 1e-9), (a, b)), shape=(len(weight), len(weight)))
    differs = weight[a] != weight[b]
    border = np.unique(np.concatenate([a[differs], b[differs]]))
    if not len(border):
        return np.ones(len(weight))
    distance = dijkstra(mesh, directed=False, indices=border, min_only=True, limit=width)
    return np.clip(distance / width, 0, 1)
