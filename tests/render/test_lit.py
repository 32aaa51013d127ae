import pytest
import torch

from headcast.geometry import Mesh
from headcast.render import interpolate, lit_texture, mip_level, rasterize, sample_texture, shade, smooth_normals, surface_color


def step_by_step(mesh, seen, texture, light, uv, uv_faces, background, level=None, srgb=True):
    albedo = sample_texture(texture, interpolate(uv, seen, uv_faces), level, seen.face)
    return surface_color(albedo, shade(smooth_normals(mesh, seen), light), seen, background, srgb)


def colors_and_gradients(scene, draw, levels, srgb, lights):
    shifts = torch.tensor([[[0.0, 0.0, 0.0]], [[0.01, -0.02, 0.05]]])
    vertices = (scene.mesh.vertices + shifts).requires_grad_()
    texture = scene.texture.clone().requires_grad_()
    light = (scene.light * torch.tensor(lights)[:, None, None]).squeeze(0).requires_grad_()
    mesh = Mesh(vertices, scene.mesh.faces)
    seen = rasterize(mesh, scene.camera)
    level = mip_level(seen, scene.uv, scene.uv_faces, texture.shape[:2]) if levels else None
    color = draw(mesh, seen, texture, light, scene.uv, scene.uv_faces, scene.background, level, srgb)
    weights = torch.randn(color.shape, generator=torch.Generator().manual_seed(1))
    (color * weights).sum().backward()
    return color.detach(), vertices.grad, texture.grad, light.grad


@pytest.mark.parametrize("levels", [False, True])
@pytest.mark.parametrize("srgb", [False, True])
@pytest.mark.parametrize("lights", [[1.0], [0.7, 1.2]])
def test_one_pass_gives_what_the_steps_give_one_after_the_other(larger_scene, levels, srgb, lights):
    found = colors_and_gradients(larger_scene, lit_texture, levels, srgb, lights)
    right = colors_and_gradients(larger_scene, step_by_step, levels, srgb, lights)
    for one, other in zip(found, right, strict=True):
        assert other.abs().max() > 0.01
        torch.testing.assert_close(one, other, rtol=1e-4, atol=2e-5 * float(other.abs().max()))


def test_the_background_shows_through_and_alpha_says_where(larger_scene):
    color, *_ = colors_and_gradients(larger_scene, lit_texture, True, True, [1.0])
    empty = color[..., 3] == 0
    assert 0 < empty.float().mean() < 1
    assert torch.equal(color[empty][:, :3], larger_scene.background.expand(2, *larger_scene.background.shape)[empty])
