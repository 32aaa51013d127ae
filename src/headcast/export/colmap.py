"""A data set for 3D Gaussians in COLMAP's layout: its model of the head at rest and the cameras around it, pictures and masks."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from headcast.capture import Capture
from headcast.export.colmap_model import ColmapModel, read_colmap, write_colmap_binary, write_colmap_text
from headcast.export.pictures import Lens, write_picture
from headcast.export.posed_pictures import PosedPicture
from headcast.export.shoot import Shoot, Shot, shoot_all
from headcast.export.still_head import StillConfig, StillHead, still_name
from headcast.heads import HeadModel
from headcast.solve.step import Step
from headcast.track import Track

OWN_FILES = ("images", "masks", "sparse")


@dataclass(frozen=True)
class ColmapConfig(StillConfig):
    """What a model of COLMAP holds."""

    option: ClassVar[str] = "colmap"


def export_colmap(
    track: Track,
    model: HeadModel,
    captures: Sequence[Capture],
    folder: Path,
    config: ColmapConfig,
    albedo: UInt8[ndarray, "height width 3"] | None = None,
) -> Generator[Step, None, None]:
    """Writes `images/`, `masks/` (named as COLMAP wants them: the picture's name and .png) and `sparse/0/`; `albedo` colours the points.

    `captures` are one per camera. Points have no observations: nothing was matched, they are the tracked head.
    """
    shoots = Shoot.of_all(track, model, config, partial(Lens.scaled, scale=config.scale), captures)
    still = StillHead.of(shoots[0], config.fixed_to, albedo)

    def write(shot: Shot) -> None:
        name = still_name(shot.index, shot.camera_idx, len(shoots) > 1)
        write_picture(folder / "images" / name, shot.composed(config.background))
        write_picture(folder / "masks" / f"{name}.png", np.where(shot.alpha > 0.5, np.uint8(255), np.uint8(0)))

    yield from shoot_all(shoots, write)
    cameras = {still_name(index, shoot.camera_idx, len(shoots) > 1): camera for shoot in shoots for index, camera in still.cameras(shoot).items()}
    found = ColmapModel(dict(sorted(cameras.items())), still.points, still.colors)
    write_colmap_text(folder / "sparse" / "0", found)
    write_colmap_binary(folder / "sparse" / "0", found)


def read_colmap_pictures(folder: Path) -> list[PosedPicture]:
    """The pictures of what `export_colmap` wrote, in the order of the model."""
    model = read_colmap(folder / "sparse" / "0")
    pictures = []
    for index, (name, camera) in enumerate(model.cameras.items()):
        mask = folder / "masks" / f"{name}.png"
        pictures.append(PosedPicture(folder / "images" / name, mask if mask.is_file() else None, camera, index, None))
    return pictures
