"""Run as a program with NUMBA_ENABLE_CUDASIM=1: every operation on the GPU's kernels, in Numba's simulator, against the CPU's.

Renders two tiny views with gradients on the CPU, keeps what each operation was given and what it gave back, and hands the same to
the GPU's operation. Prints the name of each operation that agreed.
"""

import warnings

import numpy as np
import torch
from conftest import bumpy_ball

from headcast.geometry import Camera, Mesh, matrix_from_quaternion
from headcast.render import Splats, render_head, splat
from headcast.render.kernels import cpu, cuda


def record_calls(work):
    calls = []

    def recorded(name, operation):
        def call(*arguments):
            before = [a.copy() if isinstance(a, np.ndarray) else a for a in arguments]
            operation(*arguments)
            calls.append((name, before, [a.copy() if isinstance(a, np.ndarray) else a for a in arguments]))

        return call

    operations = {name: getattr(cpu, name) for name in cpu.__all__}
    for name, operation in operations.items():
        setattr(cpu, name, recorded(name, operation))
    try:
        work()
    finally:
        for name, operation in operations.items():
            setattr(cpu, name, operation)
    return calls


def render_and_differentiate():
    scene = bumpy_ball(0, 5, (8, 9))
    shifts = torch.tensor([[[0.0, 0.0, 0.0]], [[0.02, 0.01, 0.1]]])
    vertices = (scene.mesh.vertices + shifts).requires_grad_()
    texture, light = scene.texture[:6, :5].clone().requires_grad_(), scene.light.clone().requires_grad_()
    view = (Mesh(vertices, scene.mesh.faces), scene.camera)
    textured = render_head(*view, texture, light, scene.uv, scene.uv_faces, scene.background, scene.neighbours)
    per_view = texture.detach().expand(2, *texture.shape).clone().requires_grad_()
    varied = render_head(*view, per_view, light, scene.uv, scene.uv_faces, scene.background, scene.neighbours)
    tinted = render_head(*view, vertices.detach().abs().requires_grad_(), light, background=scene.background, cull=False)
    weights = torch.randn(textured.color.shape, generator=torch.Generator().manual_seed(0))
    ((textured.color + varied.color + tinted.color) * weights + textured.depth[..., None] * weights).sum().backward()


def splat_and_differentiate():
    generator = torch.Generator().manual_seed(3)
    parts = [
        0.1 * torch.randn(9, 3, generator=generator) + torch.tensor([0.0, 0.0, -0.6]),
        matrix_from_quaternion(torch.randn(9, 4, generator=generator)),
        0.02 + 0.05 * torch.rand(9, 3, generator=generator),
        torch.rand(9, generator=generator),
        torch.randn(9, 16, 3, generator=generator),
    ]
    parts[0][0, 2] = 0.4  # behind the camera
    image = splat(Splats(*(part.requires_grad_() for part in parts)), Camera.looking_along_minus_z(14.0, (13, 11)), antialiased=True)
    (image.features * torch.randn(image.features.shape, generator=generator)).sum().backward()


def main():
    warnings.simplefilter("ignore")  # the simulator divides by zero in NumPy, which warns; the GPU does not
    calls = record_calls(render_and_differentiate) + record_calls(splat_and_differentiate)
    assert {name for name, _, _ in calls} == set(cpu.__all__)
    for name, arguments, expected in calls:
        getattr(cuda, name)(*arguments)
        for found, right in zip(arguments, expected):
            if isinstance(found, np.ndarray):
                # Buffers that an operation leaves unwritten keep what happened to be in memory, also NaN: the same on both sides.
                size = np.abs(np.nan_to_num(right)).max(initial=0)
                np.testing.assert_allclose(found, right, rtol=1e-4, atol=1e-5 * max(size, 1e-20), err_msg=name)
        print(name)


if __name__ == "__main__":
    main()
