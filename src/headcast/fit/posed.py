"""Pictures of a static head with known cameras: landmarks triangulated from all of them, and colours taken from all of them."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray

from headcast.capture.camera_source import CameraSource, camera_path
from headcast.capture.rigs.transforms import NAME as TRANSFORMS
from headcast.capture.rigs.transforms import read_posed_pictures
from headcast.errors import FormatError, InputError
from headcast.fit.looks import Look
from headcast.fit.read_mesh import read_picture
from headcast.fit.scan import texture_at
from headcast.fit.sides import FoundFace, face_follower, robust_similarity
from headcast.geometry import Camera, Transform
from headcast.perceive import FaceFinder
from headcast.render import image_positions, rasterize_arrays
from headcast.solve import Step
from headcast.store import read_json

_FEWEST_VIEWS = 2
_TRUST = 0.1
_WORST_SHAPE = 0.2
_STEEP = 0.3


@dataclass(frozen=True)
class PosedView:
    """One picture."""

    picture: UInt8[ndarray, "height width 3"]
    camera: Camera


@dataclass(frozen=True)
class PosedPictures:
    """Pictures of one head in one space, whose unit need not be known."""

    name: str
    views: Sequence[PosedView]


def read_posed(path: Path) -> PosedPictures:
    """The pictures that `camera_info.json` (flame_fitting) or `transforms.json` (NeRF data sets) names, in a folder, without their lens's distortion.

    Raises:
        InputError: there is neither, or a picture is missing.
        FormatError: a camera is none.
    """
    folder = path if path.is_dir() else path.parent
    table = folder / "camera_info.json"
    if table.is_file() and path.name != TRANSFORMS:
        views = _camera_info(table)
    elif (folder / TRANSFORMS).is_file():
        views = _transforms(folder / TRANSFORMS)
    else:
        raise InputError(f"expected camera_info.json or transforms.json with the cameras of the pictures, found neither in {folder}")
    if len(views) < _FEWEST_VIEWS:
        raise InputError(f"expected at least {_FEWEST_VIEWS} pictures, found {len(views)}, in {folder}")
    for number, view in enumerate(views):
        if view.picture.shape[:2] != view.camera.size:
            found = f"{view.picture.shape[1]}×{view.picture.shape[0]}"
            raise InputError(f"expected picture {number} with {view.camera.size[1]}×{view.camera.size[0]} pixels, found {found}, in {folder}")
    return PosedPictures(folder.name, views)


def _transforms(table: Path) -> list[PosedView]:
    files = read_posed_pictures(table)
    views = []
    for camera in files.cameras:
        source = CameraSource(camera_path(table, camera.name), files)
        (frame,) = source.frames()
        known = camera.calibration(source.size)
        assert known.focal_px is not None and known.center_px is not None and known.camera_from_world is not None
        focal, center = (torch.from_numpy(value).float() for value in (known.focal_px, known.center_px))
        pose = Transform(known.camera_from_world.rotation[0].float(), known.camera_from_world.translation[0].float())
        views.append(PosedView(frame.image, Camera(focal, center, source.size, pose)))
    return views


def _camera_info(table: Path) -> list[PosedView]:
    """Cameras from the camera's axes (OpenCV) to the world, 16 numbers row by row; the picture's middle is the principal point."""
    entries: Any = read_json(table)
    if not isinstance(entries, dict):
        raise FormatError(f"expected an object with a camera for each picture, found {type(entries).__name__}, in {table}")
    views = []
    for name, entry in sorted(entries.items()):
        try:
            matrix = np.array(entry["camera_params"], np.float64).reshape(4, 4)
            focal = float(entry["focal_length"]) if "focal_length" in entry else 0.0
            fov = float(entry["fov"]) if "fov" in entry else 0.0
        except (KeyError, TypeError, ValueError) as error:
            raise FormatError(
                f"expected camera_params (16 numbers) and fov (degrees) for {name!r} in {table}; {error} is missing or wrong"
            ) from error
        if not np.isfinite(matrix).all() or not np.allclose(matrix[:3, :3] @ matrix[:3, :3].T, np.eye(3), atol=1e-3):
            raise FormatError(f"expected a rigid motion as camera_params of {name!r}, found {matrix.tolist()}, in {table}")
        picture = read_picture(table.parent / "images" / name)
        height, width = picture.shape[:2]
        # The field of view holds whatever unit the focal length is in.
        focal_px = width / 2 / np.tan(np.radians(fov) / 2) if 0 < fov < 180 else focal
        if not (np.isfinite(focal_px) and focal_px > 0):
            raise FormatError(f"expected a field of view between 0 and 180 degrees for {name!r}, found {fov}, in {table}")
        world_from_camera = Transform.from_matrix(torch.from_numpy(matrix).float())
        center = torch.tensor([width / 2, height / 2])
        views.append(PosedView(picture, Camera(torch.full((2,), float(focal_px)), center, (height, width), world_from_camera.inverse())))
    return views


def triangulated(pictures: PosedPictures, template: Float[ndarray, "478 3"]) -> Generator[Step, None, FoundFace]:
    """Landmarks where the rays from all pictures that show them meet.

    Raises:
        InputError: fewer than two pictures show a face, or the rays do not meet in the shape of one.
    """
    follower, origins, rays, trusts = face_follower(FaceFinder()), [], [], []
    for number, view in enumerate(pictures.views):
        follower.state = type(follower.state)()
        sighting = follower.step(view.picture, 0.0)
        if sighting.landmarks is not None:
            world_from_camera = view.camera.camera_from_world.inverse()
            flat = (sighting.landmarks.points_px - view.camera.center_px.numpy()) / view.camera.focal_px.numpy()
            ray = np.concatenate([flat, np.ones((len(flat), 1))], 1) @ world_from_camera.rotation.numpy().T.astype(np.float64)
            origins.append(np.broadcast_to(world_from_camera.translation.numpy().astype(np.float64), ray.shape))
            rays.append(ray / np.linalg.norm(ray, axis=1, keepdims=True))
            trusts.append(sighting.landmarks.confidence.astype(np.float64))
        yield Step("find face", number + 1, len(pictures.views))
    if len(origins) < _FEWEST_VIEWS:
        raise InputError(f"expected a face in at least {_FEWEST_VIEWS} of {len(pictures.views)} pictures, found one in {len(origins)}")
    points, spread = _meeting(np.stack(origins), np.stack(rays), np.stack(trusts))
    similarity = robust_similarity(points, template, np.isfinite(spread))
    if similarity is None or similarity[0] > _WORST_SHAPE:
        raise InputError(
            f"the landmarks of {len(origins)} pictures do not meet in the shape of a face. "
            "Are the cameras those of these pictures, and in OpenCV's axes (camera_info.json) or OpenGL's (transforms.json)?"
        )
    return FoundFace(points, spread, similarity[1], similarity[0], len(origins))


def _meeting(origins: ndarray, rays: ndarray, trusts: ndarray) -> tuple[Float[ndarray, "n 3"], Float[ndarray, "n"]]:
    """Points nearest to their rays, robustly, and the median distance of the rays from them; infinite where fewer than two see one."""
    across = np.eye(3) - rays[..., :, None] * rays[..., None, :]
    weight = np.where(trusts > _TRUST, trusts, 0.0)
    for _ in range(10):
        matrix = (weight[..., None, None] * across).sum(0) + 1e-9 * np.eye(3)
        right = (weight[..., None, None] * across @ origins[..., None]).sum(0)
        points = np.linalg.solve(matrix, right)[..., 0]
        miss = np.linalg.norm((across @ (points - origins)[..., None])[..., 0], axis=-1)
        size = np.maximum(np.median(miss[trusts > _TRUST]) if (trusts > _TRUST).any() else 1.0, 1e-12)
        weight = np.where(trusts > _TRUST, trusts, 0.0) / (1 + (miss / (2 * size)) ** 2)
    spread = np.array([np.median(miss[trusts[:, k] > _TRUST, k]) if (trusts[:, k] > _TRUST).any() else np.inf for k in range(points.shape[0])])
    return points, np.where((trusts > _TRUST).sum(0) >= _FEWEST_VIEWS, spread, np.inf)


def colors_from_views(
    pictures: PosedPictures,
    vertices: Float[ndarray, "vertices 3"],
    faces: ndarray,
    points: Float[ndarray, "n 3"],
    normals: Float[ndarray, "n 3"],
) -> tuple[Float[ndarray, "n 3"], Float[ndarray, "n"]]:
    """sRGB 0–1 at places on a head (in the pictures' space), a mean over the views that see them frontally, and the sum of the weights."""
    total, weights = np.zeros((len(points), 3)), np.zeros(len(points))
    slack = 0.01 * float(np.ptp(vertices, axis=0).max())
    for view in pictures.views:
        positions = image_positions(torch.from_numpy(vertices.astype(np.float32)), view.camera).numpy()
        _, _, depth = rasterize_arrays(positions, faces.astype(np.int32), *view.camera.size)
        look = Look(view.camera, view.picture, depth)
        eye = view.camera.camera_from_world.inverse().translation.numpy().astype(np.float64)
        towards = eye - points
        cosine = (normals * towards).sum(1) / np.maximum(np.linalg.norm(towards, axis=1), 1e-12)
        seen = look.sees(points, slack) & (cosine > _STEEP)
        x, y, _ = image_positions(torch.from_numpy(points[seen].astype(np.float32)), view.camera).numpy().T
        height, width = view.camera.size
        weight = (cosine[seen] - _STEEP) ** 2
        total[seen] += weight[:, None] * texture_at(view.picture, np.stack([x / width, 1 - y / height], 1).astype(np.float64))
        weights[seen] += weight
    return total / np.maximum(weights, 1e-12)[:, None], weights
