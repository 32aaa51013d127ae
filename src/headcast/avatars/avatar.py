"""What every kind of avatar has in common: it is shown from a pose and a camera, and lies in a folder of its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from headcast.geometry import Camera
from headcast.heads import HeadModel, HeadPose
from headcast.store import About, AvatarPaths, InputFile, write_arrays

KIND = "avatar"
SCHEMA = 1


@dataclass(frozen=True)
class Portrait:
    """What one camera sees of an avatar."""

    color: Float[Tensor, "height width 3"]
    """sRGB 0–1 times alpha."""
    alpha: Float[Tensor, "height width"]
    """Opacity, 0–1."""
    depth: Float[Tensor, "height width"]
    """Distance along the camera's axis (m) of what is seen; 0 where there is nothing."""

    def over(self, background: Float[Tensor, "*background 3"]) -> Float[Tensor, "height width 3"]:
        """sRGB 0–1 before a colour or a picture; sRGB values are mixed as they are, as video editors do."""
        return self.color + (1 - self.alpha[..., None]) * background


@runtime_checkable
class Avatar(Protocol):
    """A person who can be shown in any pose from any camera.

    A new kind is a class with these members and a row in `headcast.avatars.kinds.KINDS`.
    """

    kind: ClassVar[str]
    """How its folder and the command line name it."""

    @property
    def model(self) -> HeadModel:
        """The head model whose poses it understands."""
        ...

    def render(self, pose: HeadPose, camera: Camera) -> Portrait:
        """A picture of the camera's size. Pose and camera have no batch axes; the pose is one of the avatar's own head model."""
        ...

    def arrays(self) -> dict[str, ndarray]:
        """All that the file holds; `of_arrays` makes the same avatar of it."""
        ...

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, ndarray], model: HeadModel, path: Path) -> "Avatar":
        """The avatar in a file; raises `FormatError` that ends in `path` where arrays are missing or misshapen."""
        ...


def save_avatar(avatar: Avatar, paths: AvatarPaths, facts: Mapping[str, Any], inputs: Mapping[str, InputFile]) -> None:
    """Writes the arrays, then `about.json`, which makes the folder an avatar.

    Args:
        facts: how it was made, as JSON values.
        inputs: what it was made from.
    """
    write_arrays(paths.arrays, avatar.arrays())
    details = {**facts, "avatar": avatar.kind, "model": avatar.model.name, "vertices": len(avatar.model.template), "finished": True}
    About(KIND, SCHEMA, inputs, details).save(paths.about)
