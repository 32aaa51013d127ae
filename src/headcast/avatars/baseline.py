"""The tracker's own textured head as an avatar: what a track shows before anything is learned."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from headcast.avatars.avatar import Portrait
from headcast.errors import InputError
from headcast.geometry import Camera
from headcast.heads import HeadModel, HeadPose
from headcast.render import render_head
from headcast.store import check_arrays
from headcast.track.run import Run

_SCHEMA = {"identity": ("identity",), "offsets": ("vertices", 3), "albedo": ("height", "width", 3), "light": (9, 3)}


@dataclass(frozen=True)
class BaselineAvatar:
    """Albedo times light on the tracked head: bald, and cut at the model's neck."""

    kind: ClassVar[str] = "baseline"
    model: HeadModel
    identity: Float[Tensor, "identity"]
    offsets: Float[Tensor, "vertices 3"]
    albedo: Float[Tensor, "height width 3"]
    """Linear."""
    light: Float[Tensor, "9 3"]
    """In the run's world."""

    @classmethod
    def of(cls, run: Run) -> "BaselineAvatar":
        """Raises `InputError` where the run was tracked without colours."""
        if run.albedo is None:
            raise InputError(f"expected a run with an albedo, found one tracked without colours; track it without --no-photometric: {run.paths.root}")
        offsets = torch.zeros_like(run.model.template) if run.track.offsets is None else run.track.offsets
        return cls(run.model, run.track.identity, offsets, torch.from_numpy(run.albedo), run.track.light)

    def render(self, pose: HeadPose, camera: Camera) -> Portrait:
        mesh = self.model.shaped(self.identity, self.offsets).posed(pose)
        shown = render_head(mesh, camera, self.albedo, self.light, self.model.uv, self.model.uv_faces)
        assert shown.color is not None and shown.alpha is not None
        return Portrait(shown.color.clamp(0, 1), shown.alpha, shown.depth)

    def arrays(self) -> dict[str, ndarray]:
        names = ("identity", "offsets", "albedo", "light")
        return {name: getattr(self, name).numpy().astype(np.float32) for name in names}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, ndarray], model: HeadModel, path: Path) -> "BaselineAvatar":
        check_arrays(arrays, {**_SCHEMA, "offsets": (len(model.template), 3)}, (), path)
        return cls(model, **{name: torch.from_numpy(arrays[name].astype(np.float32)) for name in _SCHEMA})
