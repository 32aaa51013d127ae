"""Small tracks with a head that turns and talks, for tests of everything that reads a track."""

from dataclasses import replace

import cv2
import numpy as np
import torch

from headcast.capture import Capture
from headcast.geometry import Camera, Transform
from headcast.heads import HeadModel
from headcast.track import Track


def small_track(model: HeadModel, frame_count: int = 5, size: tuple[int, int] = (120, 160), invalid: tuple[int, ...] = (3,), seed: int = 0) -> Track:
    """A track of a head about 0.7 m in front of the camera, with every kind of number away from zero."""
    rng = torch.Generator().manual_seed(seed)

    def random(*shape: int) -> torch.Tensor:
        return torch.rand(*shape, generator=rng)

    valid = torch.ones(frame_count, dtype=torch.bool)
    valid[list(invalid)] = False
    turn = torch.linspace(-0.6, 0.6, frame_count)[:, None] * torch.tensor([0.2, 1.0, 0.1])
    place = torch.tensor([0.01, -0.02, -0.7]) + 0.02 * (random(frame_count, 3) - 0.5)
    names = tuple(model.expression_names)
    camera = Camera.looking_along_minus_z(1.4 * size[1], size)
    camera = Camera(camera.focal_px, torch.tensor([0.48 * size[1], 0.55 * size[0]]), size, camera.camera_from_world)
    shown = valid.float()
    return Track(
        model_name=model.name,
        identity=0.5 * (random(model.identity_count) - 0.5),
        expression=0.6 * random(frame_count, model.expression_count),
        expression_names=names,
        joint_rotations=0.1 * (random(frame_count, model.joint_count, 3) - 0.5),
        joint_names=tuple(model.joint_names),
        world_from_head=Transform.from_axis_angle(turn, place),
        cameras=(camera,),
        focal_sigma_px=7.5,
        time_s=torch.arange(frame_count) / 25.0,
        valid=valid,
        light=torch.cat([torch.ones(1, 3), 0.2 * (random(8, 3) - 0.5)]),
        landmark_offsets=0.002 * (random(478, 3) - 0.5),
        landmark_error_px=shown * (0.3 + random(frame_count)),
        interocular_px=shown * 40.0,
        psnr_db=shown * (30 + 4 * random(frame_count)),
        silhouette_iou=shown * (0.9 + 0.08 * random(frame_count)),
    )


def with_moving_camera(track: Track) -> Track:
    """The same heads, and a camera that moves and turns past them."""
    count, camera = track.frame_count, track.camera
    turns = torch.linspace(-0.2, 0.2, count)[:, None] * torch.tensor([0.1, 1.0, 0.3])
    motion = Transform.from_axis_angle(turns, torch.linspace(0, 0.05, count)[:, None] * torch.tensor([1.0, 0.4, -0.6]))
    poses = motion @ Transform(camera.camera_from_world.rotation.expand(count, 3, 3), camera.camera_from_world.translation.expand(count, 3))
    return replace(track, cameras=(Camera(camera.focal_px.expand(count, 2), camera.center_px.expand(count, 2), camera.size, poses),))


def with_rig(track: Track, count: int = 3) -> Track:
    """The same heads, seen by `count` cameras about them that have different lenses; the last one moves."""
    middle = track.world_from_head.translation.mean(0)
    cameras = []
    for idx in range(count):
        first = with_moving_camera(track).cameras[0] if idx == count - 1 else track.camera
        turn = Transform.from_axis_angle(torch.tensor([0.0, 0.25 * idx, 0.0]), torch.zeros(3))
        about = Transform(turn.rotation, middle - turn.rotation @ middle)
        size = (first.size[0] + 12 * idx, first.size[1] + 10 * idx)
        cameras.append(Camera(first.focal_px * (1 + 0.07 * idx), first.center_px + 6.0 * idx, size, first.camera_from_world @ about))
    return replace(track, cameras=tuple(cameras), camera_names=tuple(f"view {idx}" for idx in range(count)))


class Recording(Capture):
    """A capture whose pictures and mattes are known; by default it finds the face wherever the track has one."""

    def __init__(self, track, camera_idx=0, found=None):
        height, width = track.cameras[camera_idx].size
        rng = np.random.default_rng(0)
        pictures = [cv2.GaussianBlur(rng.integers(0, 255, (height, width, 3), np.uint8), (0, 0), 5) for _ in range(track.frame_count)]
        matte = np.zeros((height, width), np.uint8)
        matte[10:-5, 20:-20] = 255
        vars(self).update(pictures=pictures, matte=matte, found=track.valid.numpy() if found is None else found)

    def frames(self, indices=None):
        for frame in indices:
            yield int(frame), self.pictures[frame], self.matte


class Chart(Recording):
    """A capture whose colours say which pixel is seen: red grows to the right, green downwards."""

    def __init__(self, track, camera_idx=0, found=None):
        super().__init__(track, camera_idx, found)
        height, width = track.cameras[camera_idx].size
        across, down = np.meshgrid((np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height)
        picture = np.stack([255 * across, 255 * down, np.full_like(across, 90)], -1).round().astype(np.uint8)
        vars(self).update(pictures=[picture] * track.frame_count)


def assert_seen_as_recorded(camera: Camera, picture: np.ndarray, pixels: np.ndarray, vertices: torch.Tensor) -> None:
    """The written `picture` (RGB) of a `Chart` shows at `pixels` what the recording shows where its `camera` sees `vertices`."""
    height, width = camera.size
    own = camera.project(vertices).numpy()
    inside = (own > 3).all(1) & (own < np.array([width, height]) - 3).all(1)
    inside &= (pixels > 2).all(1) & (pixels < np.array(picture.shape[1::-1]) - 2).all(1)
    assert inside.sum() > 100
    at = (pixels[inside] - 0.5).astype(np.float32)
    found = cv2.remap(picture[..., :2].astype(np.float32), at[:, 0], at[:, 1], cv2.INTER_LINEAR)[:, 0] / 255
    # Eight bits: half a step of colour is a third of a pixel here.
    np.testing.assert_allclose(found * [width, height], own[inside], atol=0.012 * width)
    assert np.abs(found * [width, height] - own[inside]).mean() < 0.5
