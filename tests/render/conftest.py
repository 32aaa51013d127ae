"""A small bumpy ball with a texture atlas, seen by a camera: enough for every branch of the renderer."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
import trimesh
from torch import Tensor

from headcast.geometry import Camera, Mesh
from headcast.render import face_neighbours, image_positions


@dataclass(frozen=True)
class Scene:
    mesh: Mesh
    camera: Camera
    neighbours: Tensor
    uv: Tensor
    uv_faces: Tensor
    texture: Tensor
    light: Tensor
    background: Tensor

    @property
    def positions(self) -> Tensor:
        return image_positions(self.mesh.vertices, self.camera)


def bumpy_ball(subdivisions: int, seed: int, size: tuple[int, int]) -> Scene:
    generator = np.random.default_rng(seed)
    ball = trimesh.creation.icosphere(subdivisions=subdivisions)
    directions = np.asarray(ball.vertices)
    bumps = 1 + 0.25 * np.sin(directions @ generator.normal(0, 3, (3, 3))).prod(-1, keepdims=True)
    vertices = directions * bumps * [0.10, 0.13, 0.10] + generator.normal(0, 0.003, directions.shape) + [0.01, -0.02, -0.6]
    faces = torch.from_numpy(np.asarray(ball.faces).astype(np.int64))
    corners = directions[ball.faces].reshape(-1, 3)
    uv = np.stack([0.5 + 0.45 * corners[:, 0], 0.5 + 0.45 * corners[:, 1]], -1)

    def tensor(values) -> Tensor:
        return torch.tensor(values, dtype=torch.float32)

    light = np.concatenate([np.full((1, 3), 0.9), generator.normal(0, 0.1, (8, 3))])
    return Scene(
        mesh=Mesh(tensor(vertices), faces),
        camera=Camera.looking_along_minus_z(1.6 * size[0], size),
        neighbours=face_neighbours(faces),
        uv=tensor(uv),
        uv_faces=torch.arange(len(corners)).reshape(-1, 3),
        texture=tensor(generator.uniform(0.1, 0.9, (37, 46, 3))),
        light=tensor(light),
        background=tensor(generator.uniform(0, 1, (*size, 3))),
    )


@pytest.fixture(scope="session")
def scene() -> Scene:
    """42 vertices, 80 faces, 20 × 23 pixels."""
    return bumpy_ball(1, 0, (20, 23))


@pytest.fixture(scope="session")
def larger_scene() -> Scene:
    """642 vertices, 1280 faces, 60 × 52 pixels; many faces hold no pixel centre."""
    return bumpy_ball(3, 1, (60, 52))
