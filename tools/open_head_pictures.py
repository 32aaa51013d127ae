"""Makes docs/images/open-head.jpg: the shipped head from three sides, with its landmarks and regions, in some expressions, and some of its people.

python tools/open_head_pictures.py
"""

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from PIL import Image
from torch import Tensor

from headcast.geometry import Camera, Mesh, Transform, vertex_normals
from headcast.heads import default_albedo, open_head
from headcast.render import render_head
from headcast.track.drawing import region_colors

IMAGES = Path(__file__).parents[1] / "docs" / "images"
PANEL_PX = 240
LIGHT = torch.zeros(9, 3)
LIGHT[:4] = torch.tensor([0.52, 0.26, 0.36, 0.34])[:, None]
BACKGROUND = torch.tensor([0.86, 0.87, 0.89])
EXPRESSIONS: tuple[Mapping[str, float], ...] = (
    {
        "mouthSmileLeft": 1.0,
        "mouthSmileRight": 1.0,
        "cheekSquintLeft": 0.6,
        "cheekSquintRight": 0.6,
        "jawOpen": 0.14,
        "mouthUpperUpLeft": 0.5,
        "mouthUpperUpRight": 0.5,
    },
    {"jawOpen": 0.9, "browInnerUp": 0.6, "eyeWideLeft": 0.7, "eyeWideRight": 0.7},
    {"mouthPucker": 0.9, "eyeLookOutLeft": 0.8, "eyeLookInRight": 0.8},
    {"eyeBlinkLeft": 1.0, "mouthLeft": 0.6, "browDownLeft": 0.8, "mouthSmileLeft": 0.7},
    {"tongueOut": 1.0, "jawOpen": 0.6},
)


def main() -> None:
    neutral = _vertices()
    sides = [_seen(neutral, yaw) for yaw in (0, 45, 90)]
    marked = _with_landmarks(_seen(neutral, 0, plain=True), neutral)
    rows = [
        [*sides, marked, _seen(neutral, 45, plain=True)],
        [_seen(_vertices(expression), 15) for expression in EXPRESSIONS],
        [_seen(_vertices(identity=person), 25, plain=True) for person in _people(5)],
    ]
    picture = np.concatenate([np.concatenate(row, axis=1) for row in rows])
    Image.fromarray(picture).save(IMAGES / "open-head.jpg", quality=88)


def _people(count: int) -> Float[Tensor, "people identity"]:
    return torch.randn(count, open_head().identity_count, generator=torch.Generator().manual_seed(11))


def _vertices(expression: Mapping[str, float] | None = None, identity: Float[Tensor, "identity"] | None = None) -> Float[Tensor, "vertices 3"]:
    head = open_head()
    pose = head.neutral_pose()
    for name, value in (expression or {}).items():
        pose.expression[head.expression_names.index(name)] = value
    return head.shaped(torch.zeros(0) if identity is None else identity).posed(pose).vertices.float()


def _camera(yaw_deg: float) -> Camera:
    turn = Transform.from_axis_angle(torch.tensor([0.0, float(np.radians(yaw_deg)), 0.0]), torch.tensor([0.0, 0.008, -0.9]))
    camera = Camera.looking_along_minus_z(3.1 * PANEL_PX, (PANEL_PX, PANEL_PX))
    to_middle = Transform(torch.eye(3), torch.tensor([0.0, 0.0, 0.065]))
    return Camera(camera.focal_px, camera.center_px, camera.size, camera.camera_from_world @ turn @ to_middle)


def _seen(vertices: Float[Tensor, "vertices 3"], yaw_deg: float, plain: bool = False) -> UInt8[ndarray, "height width 3"]:
    head = open_head()
    mesh = Mesh(vertices, head.faces)
    looks = (_plain_colors(),) if plain else (default_albedo().float(),)
    texture = (None, None) if plain else (head.uv, head.uv_faces)
    color = render_head(mesh, _camera(yaw_deg), *looks, LIGHT, *texture, background=BACKGROUND, samples=3).color
    return (color.clamp(0, 1) * 255).round().byte().numpy()


def _plain_colors() -> Float[Tensor, "vertices 3"]:
    return torch.from_numpy(region_colors(open_head())).float() ** 2.2


def _with_landmarks(picture: UInt8[ndarray, "height width 3"], vertices: Float[Tensor, "vertices 3"]) -> UInt8[ndarray, "height width 3"]:
    head = open_head()
    landmarks, normals = head.landmarks["mediapipe_478"], vertex_normals(vertices, head.faces)
    facing = landmarks.points(normals, head.faces)[:, 2] > 0.1
    pixels = _camera(0).project(landmarks.points(vertices, head.faces)).numpy()
    for x, y in pixels[facing.numpy()]:
        cv2.circle(picture, (round(x * 16), round(y * 16)), 16, (20, 140, 70), -1, cv2.LINE_AA, 4)
    return picture


if __name__ == "__main__":
    main()
