"""Formats for avatars of splats, as one table: what `headcast export AVATAR --to` offers."""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from headcast.avatars import AtRest, Avatar
from headcast.avatars.gaussian.avatar import GaussianAvatar
from headcast.errors import ConfigError
from headcast.export.room import make_room
from headcast.export.splats import write_plain_splats, write_splat_glb, write_splat_ply, write_spz
from headcast.render import Splats
from headcast.solve.step import Step
from headcast.track import Track

AvatarFormatName = Literal["splat", "splat-glb", "splat-ply", "spz"]


@dataclass(frozen=True)
class AvatarFormat:
    help: str
    suffix: str
    write: Callable[[Splats, Path], None]


AVATAR_FORMATS: dict[AvatarFormatName, AvatarFormat] = {
    "splat": AvatarFormat("an avatar's splats in 32 bytes each, without colours that change with the view", ".splat", write_plain_splats),
    "splat-glb": AvatarFormat("an avatar's splats as glTF with KHR_gaussian_splatting", ".glb", write_splat_glb),
    "splat-ply": AvatarFormat("an avatar's splats as PLY, which nearly every program for 3D Gaussians reads", ".ply", write_splat_ply),
    "spz": AvatarFormat("an avatar's splats compressed to a tenth", ".spz", write_spz),
}


def export_avatar(
    avatar: Avatar, rest: AtRest, name: AvatarFormatName, out: Path, overwrite: bool = False, poses: Track | None = None
) -> Generator[Step, None, None]:
    """Writes an avatar at rest to a file, or in every frame of a track into a folder (`frame_000000` and so on).

    Metres, in the world of the recording that the avatar was built from.

    Raises:
        ConfigError: the avatar is not made of splats.
        InputError: there is something at `out` already.
    """
    entry = AVATAR_FORMATS[name]
    if not isinstance(avatar, GaussianAvatar):
        raise ConfigError(f"--to {name} is for avatars of splats, found one of kind {avatar.kind!r}; build it with --kind gaussian")
    if poses is None:
        make_room(out, name, (), overwrite)
        out.parent.mkdir(parents=True, exist_ok=True)
        entry.write(avatar.gaussians(rest.pose), out)
        yield Step("export", 1, 1)
        return
    make_room(out, name, (f"frame_*{entry.suffix}",), overwrite)
    out.mkdir(parents=True, exist_ok=True)
    for frame_idx in range(poses.frame_count):
        entry.write(avatar.gaussians(poses.pose(frame_idx)), out / f"frame_{frame_idx:06d}{entry.suffix}")
        yield Step("export", frame_idx + 1, poses.frame_count, frame_idx=frame_idx)
