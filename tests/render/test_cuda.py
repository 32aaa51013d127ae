import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from headcast.errors import InputError
from headcast.render import image_positions, rasterize_positions, render_head
from headcast.render.kernels import cpu


def test_every_gpu_operation_agrees_with_the_cpu_in_the_simulator():
    program = Path(__file__).with_name("simulate_cuda.py")
    done = subprocess.run(
        [sys.executable, str(program)], env={**os.environ, "NUMBA_ENABLE_CUDASIM": "1"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert set(done.stdout.split()) == set(cpu.__all__)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
def test_pictures_and_gradients_on_the_gpu_are_those_of_the_cpu(larger_scene):
    results = []
    for device in ("cpu", "cuda"):
        mesh = larger_scene.mesh.__class__(larger_scene.mesh.vertices.to(device).requires_grad_(), larger_scene.mesh.faces.to(device))
        texture = larger_scene.texture.to(device).requires_grad_()
        arguments = [x.to(device) for x in (larger_scene.light, larger_scene.uv, larger_scene.uv_faces, larger_scene.background)]
        color = render_head(mesh, larger_scene.camera.to(device), texture, *arguments).color
        color.square().sum().backward()
        results.append([x.cpu() for x in (color, mesh.vertices.grad, texture.grad)])
    for on_cpu, on_gpu in zip(*results):
        torch.testing.assert_close(on_gpu, on_cpu, rtol=1e-3, atol=1e-3 * on_cpu.abs().max().item())


def test_double_precision_is_refused_with_the_way_out(scene):
    with pytest.raises(InputError, match=r"works in float32; found torch.float64.*\.float\(\)"):
        rasterize_positions(scene.positions.double(), scene.mesh.faces, scene.camera.size)


def test_other_devices_are_refused(scene):
    positions = image_positions(scene.mesh.vertices, scene.camera).to("meta")
    with pytest.raises(InputError, match="cpu and cuda"):
        rasterize_positions(positions, scene.mesh.faces, scene.camera.size)
