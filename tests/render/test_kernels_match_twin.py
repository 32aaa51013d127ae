"""Every kernel against its float64 twin, values and gradients. Tolerances are those of float32 arithmetic on values of order one."""

import pytest
import torch

from headcast.render import (
    antialias,
    edge_blends,
    interpolate,
    mip_level,
    rasterize,
    rasterize_positions,
    reference,
    sample_texture,
    shade,
    surface_color,
    vertex_normals,
)


def agree(kernel, twin, inputs, rtol=1e-4):
    """Values of both, and gradients of a random weighting of their outputs with respect to all inputs, within rtol of the largest."""
    single = [x.clone().requires_grad_() for x in inputs]
    double = [x.double().requires_grad_() for x in inputs]
    found, expected = kernel(*single), twin(*double)
    weights = torch.randn(expected.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    (found * weights.float()).sum().backward()
    (expected * weights).sum().backward()
    assert (found.double() - expected).abs().max() <= rtol * expected.abs().max()
    for mine, right in zip(single, double):
        assert right.grad.abs().max() > 0
        assert (mine.grad.double() - right.grad).abs().max() <= rtol * right.grad.abs().max()


@pytest.fixture(params=["scene", "larger_scene"])
def any_scene(request):
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("cull", [True, False])
def test_rasterize(any_scene, cull):
    size, faces = any_scene.camera.size, any_scene.mesh.faces
    found = rasterize_positions(any_scene.positions, faces, size, cull)
    face, _, _ = reference.rasterize(any_scene.positions.double(), faces, size, cull)
    torch.testing.assert_close(found.face.long(), face)
    for part in (0, 1):
        agree(
            lambda p, part=part: _barycentric_or_depth(rasterize_positions(p, faces, size, cull), part),
            lambda p, part=part: reference.rasterize(p, faces, size, cull)[1 + part],
            [any_scene.positions],
        )


def _barycentric_or_depth(rendering, part):
    return rendering.barycentric if part == 0 else rendering.depth


@pytest.mark.parametrize("unit", [False, True])
def test_interpolate(any_scene, unit):
    seen = rasterize(any_scene.mesh, any_scene.camera)
    attributes = torch.randn(len(any_scene.mesh.vertices), 3, generator=torch.Generator().manual_seed(1))
    agree(
        lambda a, w: interpolate(a, _with(seen, barycentric=w), unit=unit),
        lambda a, w: reference.interpolate(a, seen.faces, seen.face, w, unit),
        [attributes, seen.barycentric],
    )


def _with(rendering, **parts):
    from dataclasses import replace

    return replace(rendering, **parts)


def test_vertex_normals(any_scene):
    from headcast.geometry import Mesh

    faces = any_scene.mesh.faces
    agree(lambda v: vertex_normals(Mesh(v, faces)), lambda v: reference.vertex_normals(v, faces), [any_scene.mesh.vertices])


def test_shade(any_scene):
    normals = torch.nn.functional.normalize(torch.randn(9, 8, 3, generator=torch.Generator().manual_seed(2)), dim=-1)
    normals[2, 3] = 0
    agree(shade, reference.shade, [normals, any_scene.light])


def test_mip_level(any_scene):
    seen = rasterize(any_scene.mesh, any_scene.camera)
    found = mip_level(seen, any_scene.uv, any_scene.uv_faces, (37, 46))
    expected = reference.mip_level(any_scene.positions.double(), seen.faces, any_scene.uv.double(), any_scene.uv_faces, seen.face, (37, 46))
    torch.testing.assert_close(found.double(), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("size", [(37, 46), (16, 16), (1, 5), (1, 1)])
@pytest.mark.parametrize("mipmapped", [True, False])
def test_sample_texture(scene, size, mipmapped):
    generator = torch.Generator().manual_seed(3)
    texture = torch.rand(*size, 3, generator=generator)
    uv = torch.rand(8, 9, 2, generator=generator) * 1.4 - 0.2
    level = torch.rand(8, 9, generator=generator) * 9 - 1 if mipmapped else None
    face = torch.randint(-1, 4, (8, 9), generator=generator, dtype=torch.int32)
    if size == (1, 1):
        agree(lambda t: sample_texture(t, uv, level, face), lambda t: reference.sample_texture(t, uv.double(), level, face), [texture])
    else:
        agree(
            lambda t, p: sample_texture(t, p, level, face),
            lambda t, p: reference.sample_texture(t, p, None if level is None else level.double(), face),
            [texture, uv],
        )


@pytest.mark.parametrize("srgb", [True, False])
def test_surface_color(any_scene, srgb):
    seen = rasterize(any_scene.mesh, any_scene.camera)
    generator = torch.Generator().manual_seed(4)
    albedo, shading = (torch.rand(*any_scene.camera.size, 3, generator=generator) for _ in range(2))
    agree(
        lambda a, s: surface_color(a, s, seen, any_scene.background, srgb),
        lambda a, s: reference.surface_color(a, s, seen.face, any_scene.background.double(), srgb),
        [albedo, shading],
    )


@pytest.mark.parametrize("cull", [True, False])
def test_edge_blends(any_scene, cull):
    size, faces, neighbours = any_scene.camera.size, any_scene.mesh.faces, any_scene.neighbours

    def kernel(positions):
        return edge_blends(rasterize_positions(positions, faces, size, cull), neighbours)

    def twin(positions):
        face, _, depth = reference.rasterize(positions, faces, size, cull)
        return reference.edge_blends(positions, faces, neighbours, face, depth)

    assert (kernel(any_scene.positions) != 0).sum() > 20
    agree(kernel, twin, [any_scene.positions], rtol=2e-4)


def test_antialias(any_scene):
    size, faces, neighbours = any_scene.camera.size, any_scene.mesh.faces, any_scene.neighbours

    def twin(color, positions):
        face, _, depth = reference.rasterize(positions, faces, size)
        return reference.blend_edges(color, reference.edge_blends(positions, faces, neighbours, face, depth))

    agree(
        lambda c, p: antialias(c, rasterize_positions(p, faces, size), neighbours),
        twin,
        [any_scene.background, any_scene.positions],
        rtol=2e-4,
    )
