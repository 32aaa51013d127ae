"""What is to be exported and where: a track with everything that a format may ask for, which complains itself where there is none."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image

from headcast.capture import Capture
from headcast.errors import InputError
from headcast.export.vht import require_flame
from headcast.heads import HeadModel
from headcast.heads.flame import FlameRoot, load_flame_root
from headcast.heads.library import find_head
from headcast.track import Track
from headcast.track.run import Run

_NEEDS_PICTURES = "a data set needs the recording's pictures; expected the folder of a run, found a file of parameters"


@dataclass(frozen=True)
class Order:
    """What is to be written, and where."""

    track: Track
    model: HeadModel
    out: Path
    albedo_picture: Path | None
    """sRGB picture in the model's atlas, where there is one."""
    recordings: tuple[Capture, ...]
    """One per camera; none where the track came without."""
    config: Any
    """The format's settings; None for formats without."""
    whole_run: Run | None = None
    """What the track is of, with everything else that was made of it."""

    @property
    def captures(self) -> tuple[Capture, ...]:
        """The recordings of all cameras; raises `InputError` where the track came without."""
        if not self.recordings:
            raise InputError(_NEEDS_PICTURES)
        return self.recordings

    @property
    def capture(self) -> Capture:
        """The first camera's; raises `InputError` where the track came without."""
        return self.captures[0]

    @property
    def run(self) -> Run:
        """Raises `InputError` where the track came without one."""
        if self.whole_run is None:
            raise InputError(_NEEDS_PICTURES)
        return self.whole_run

    @cached_property
    def albedo(self) -> UInt8[ndarray, "height width 3"] | None:
        return None if self.albedo_picture is None else np.asarray(Image.open(self.albedo_picture).convert("RGB"))

    @property
    def flame_file(self) -> Path:
        """Raises `InputError` for other models."""
        return flame_file(self.model)

    @property
    def flame_file_if_any(self) -> Path | None:
        return self.flame_file if self.model.about.get("family") == "FLAME" else None

    @property
    def flame_root(self) -> FlameRoot:
        """Raises `InputError` for other models."""
        return load_flame_root(self.flame_file)

    @property
    def flame_root_if_any(self) -> FlameRoot | None:
        return None if self.flame_file_if_any is None else self.flame_root


def flame_file(model: HeadModel) -> Path:
    """The file of a FLAME model; raises `InputError` for other models."""
    require_flame(model)
    file = find_head(model.name)
    if file is None:
        raise InputError(f"expected the FLAME file that the track was made with, found nothing for {model.name!r}")
    return file
