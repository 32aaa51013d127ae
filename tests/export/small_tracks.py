"""Small tracks with a head that turns and talks, for tests of everything that reads a track."""

import torch

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
