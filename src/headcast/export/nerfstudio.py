"""A data set for nerfstudio: `transforms.json` with OpenGL cameras (camera to world), pictures, masks and a cloud of points to start from.

The head stands still and the camera moves around it, so that methods for scenes at rest can use it; what does not move with the head, which is the
room and the shoulders, is masked out.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import ClassVar

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from headcast.capture import Capture
from headcast.export.pictures import Lens, check_share, write_picture
from headcast.export.ply import write_points
from headcast.export.posed_pictures import PosedPicture, camera_to_world, intrinsics, read_posed_pictures
from headcast.export.shoot import Shoot, Shot, shoot_all
from headcast.export.still_head import StillConfig, StillHead, still_name
from headcast.geometry.conventions import OPENGL_FROM_OPENCV
from headcast.heads import HeadModel
from headcast.solve.step import Step
from headcast.store import write_json
from headcast.track import Track

OWN_FILES = ("images", "masks", "points.ply", "transforms.json")


@dataclass(frozen=True)
class NerfstudioConfig(StillConfig):
    """What a data set for nerfstudio holds."""

    option: ClassVar[str] = "nerfstudio"

    test_share: float = 0.1
    """Share of the frames, spread evenly over the clip, that is for testing and validating."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_share("test_share", self.test_share)


def export_nerfstudio(
    track: Track,
    model: HeadModel,
    captures: Sequence[Capture],
    folder: Path,
    config: NerfstudioConfig,
    albedo: UInt8[ndarray, "height width 3"] | None = None,
) -> Generator[Step, None, None]:
    """Writes the data set; `albedo` (sRGB, the model's atlas) colours the points.

    `captures` are one per camera. Several cameras have their lenses beside each picture, one has it beside all of them.
    """
    shoots = Shoot.of_all(track, model, config, partial(Lens.scaled, scale=config.scale), captures)
    frames, several = shoots[0].timesteps, len(shoots) > 1
    still = StillHead.of(shoots[0], config.fixed_to, albedo)

    def write(shot: Shot) -> None:
        name = still_name(shot.index, shot.camera_idx, several)
        write_picture(folder / "images" / name, shot.composed(config.background))
        write_picture(folder / "masks" / name, np.where(shot.alpha > 0.5, np.uint8(255), np.uint8(0)))

    yield from shoot_all(shoots, write)
    write_points(folder / "points.ply", still.points, still.colors)
    times = (track.time_s[frames] - track.time_s[frames[0]]).double().numpy()
    posed = {(index, shoot.camera_idx): camera for shoot in shoots for index, camera in still.cameras(shoot).items()}
    described = [
        {
            "file_path": f"images/{still_name(index, camera_idx, several)}",
            "mask_path": f"masks/{still_name(index, camera_idx, several)}",
            **(intrinsics(camera) if several else {}),
            "transform_matrix": camera_to_world(camera, OPENGL_FROM_OPENCV),
            "time": float(times[index] / max(times[-1], 1e-9)),
            "timestep_index": index,
            "timestep_index_original": frames[index],
        }
        for (index, camera_idx), camera in sorted(posed.items(), key=itemgetter(0))
    ]
    test = _spread(len(frames), config.test_share)
    held = [entry["file_path"] for entry in described if entry["timestep_index"] in test]
    table = {
        "camera_model": "OPENCV",
        **({} if several else intrinsics(shoots[0].lens.camera)),
        **dict.fromkeys(("k1", "k2", "p1", "p2"), 0.0),
        "ply_file_path": "points.ply",
        "train_filenames": [entry["file_path"] for entry in described if entry["timestep_index"] not in test],
        "val_filenames": held,
        "test_filenames": held,
        "frames": described,
    }
    write_json(folder / "transforms.json", table)


def _spread(count: int, share: float) -> set[int]:
    """Indices of this share of `count` things, evenly spread, away from the ends."""
    held = int(share * count)
    return {int((place + 0.5) * count / held) for place in range(held)}


def read_nerfstudio(folder: Path) -> list[PosedPicture]:
    """The pictures of a data set in this layout, whoever wrote it, where every frame is a pinhole.

    Raises `FormatError` with the file and the entry where something is missing or is no camera, `InputError` where a picture is gone.
    """
    return read_posed_pictures(folder / "transforms.json", OPENGL_FROM_OPENCV, "mask_path")
