"""What a person already knows about a clip: values from a file that the tracker takes and leaves as they are."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from headcast.errors import ConfigError, FormatError
from headcast.heads import HeadModel
from headcast.store import check_arrays, read_arrays
from headcast.track.config import TrackConfig
from headcast.track.photometric import GAMMA

LANDMARKS = 478


@dataclass(frozen=True)
class Given:
    """Known values of a clip; None where a value is to be solved."""

    identity: Float[ndarray, "identity"] | None = None
    focal_px: Float[ndarray, "2"] | None = None
    """Of the upright source frames, (x, y)."""
    center_px: Float[ndarray, "2"] | None = None
    light: Float[ndarray, "9 3"] | None = None
    landmark_offsets: Float[ndarray, "478 3"] | None = None
    texture: Float[ndarray, "side side 4"] | None = None
    """Albedo in gamma space and how sure it is."""

    @classmethod
    def of(cls, config: TrackConfig, model: HeadModel) -> "Given":
        """What the settings give, checked against the model.

        Raises:
            FormatError: the file holds other arrays, or arrays of other shapes, than a track of this model and these settings has.
            ConfigError: the focal length is given twice; or a texture is to be held that nobody gives.
        """
        arrays = {} if config.given is None else _read(config.given, model, config.texture_px)
        if config.focal_px is not None:
            if "focal_px" in arrays:
                raise ConfigError(f"expected one focal length, found --focal-px {config.focal_px} and focal_px in {config.given}")
            arrays["focal_px"] = np.asarray(config.focal_px)
        if "texture" in config.hold and "albedo" not in arrays:
            raise ConfigError("a texture can only be held where it is known: give its albedo with --given, or leave 'texture' out of --hold")
        texture = None
        if "albedo" in arrays:
            certainty = arrays.get("certainty", np.ones(arrays["albedo"].shape[:2]))
            texture = np.concatenate([np.clip(arrays["albedo"], 0, None) ** (1 / GAMMA), certainty[..., None]], -1).astype(np.float32)
        return cls(
            identity=_numbers(arrays, "identity"),
            focal_px=np.broadcast_to(_numbers(arrays, "focal_px"), 2).copy() if "focal_px" in arrays else None,
            center_px=_numbers(arrays, "center_px"),
            light=_numbers(arrays, "light", np.float32),
            landmark_offsets=_numbers(arrays, "landmark_offsets", np.float32),
            texture=texture,
        )

    @property
    def fixed(self) -> frozenset[str]:
        """Names of the values that are known."""
        return frozenset(name for name in self.__dataclass_fields__ if getattr(self, name) is not None)


def _read(path: Path, model: HeadModel, texture_px: int) -> dict[str, ndarray]:
    arrays = read_arrays(path)
    schema: dict[str, tuple[int, ...]] = {
        "identity": (model.identity_count,),
        "focal_px": () if arrays.get("focal_px", np.zeros(2)).ndim == 0 else (2,),
        "center_px": (2,),
        "light": (9, 3),
        "landmark_offsets": (LANDMARKS, 3),
        "albedo": (texture_px, texture_px, 3),
        "certainty": (texture_px, texture_px),
    }
    unknown = sorted(set(arrays) - set(schema))
    if unknown or not arrays or set(arrays) == {"certainty"}:
        raise FormatError(f"expected any of the arrays {', '.join(schema)} to keep as they are, found {unknown or sorted(arrays)}, in {path}")
    check_arrays(arrays, schema, tuple(schema), path)
    wordy = [name for name, value in arrays.items() if value.dtype.kind not in "fiu"]
    if wordy:
        raise FormatError(f"expected numbers, found {wordy} of type {arrays[wordy[0]].dtype}, in {path}")
    if "focal_px" in arrays and not (arrays["focal_px"] > 0).all():
        raise FormatError(f"expected a positive focal_px, found {arrays['focal_px'].tolist()}, in {path}")
    return arrays


def _numbers(arrays: dict[str, ndarray], name: str, kind: type = np.float64) -> ndarray | None:
    return np.asarray(arrays[name], kind) if name in arrays else None
