"""The twin against finite differences, so that everything compared with it is right too."""

import torch

from headcast.geometry import Mesh
from headcast.render import image_positions, reference


def picture(scene, vertices, texture, light, level):
    """The whole chain: textured, lit, before a background, with antialiased outlines."""
    camera, faces, size = scene.camera, scene.mesh.faces, scene.camera.size
    camera = camera.__class__(
        camera.focal_px.double(),
        camera.center_px.double(),
        size,
        camera.camera_from_world.__class__(camera.camera_from_world.rotation.double(), camera.camera_from_world.translation.double()),
    )
    positions = image_positions(vertices, camera)
    face, barycentric, depth = reference.rasterize(positions, faces, size)
    normal = reference.interpolate(Mesh(vertices, faces).normals(), faces, face, barycentric, unit=True)
    uv = reference.interpolate(scene.uv.double(), scene.uv_faces, face, barycentric)
    if level is None:
        level = reference.mip_level(positions, faces, scene.uv.double(), scene.uv_faces, face, texture.shape[:2]).detach()
    albedo = reference.sample_texture(texture, uv, level, face)
    color = reference.surface_color(albedo, reference.shade(normal, light), face, scene.background.double())
    blends = reference.edge_blends(positions, faces, scene.neighbours, face, depth)
    return reference.blend_edges(color, blends), level, blends


def test_gradients_of_a_picture_are_those_of_finite_differences_outlines_included(scene):
    inputs = [scene.mesh.vertices.double(), scene.texture.double(), scene.light.double()]
    base, level, blends = picture(scene, *inputs, None)
    assert (blends != 0).sum() > 20
    weights = torch.randn(base.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    inputs = [x.requires_grad_() for x in inputs]
    (picture(scene, *inputs, level)[0] * weights).sum().backward()
    step = 1e-7
    for which, x in enumerate(inputs):
        largest = x.grad.abs().max()
        places = torch.randperm(x.numel(), generator=torch.Generator().manual_seed(which))[:30]
        for place in [*places.tolist(), int(x.grad.abs().argmax())]:
            values = []
            for sign in (1, -1):
                moved = [y.detach().clone() for y in inputs]
                moved[which].view(-1)[place] += sign * step
                values.append((picture(scene, *moved, level)[0] * weights).sum())
            difference = (values[0] - values[1]) / (2 * step)
            assert abs(difference - x.grad.view(-1)[place]) <= 1e-5 * largest


def test_a_rectangle_whose_side_moves_gains_exactly_the_pixels_it_sweeps():
    """Alpha sums to the area, and its gradient along x to the height in pixels."""
    corners = torch.tensor([[3.3, 4.6, 1], [3.3, 15.2, 1], [14.8, 15.2, 1], [14.8, 4.6, 1]], dtype=torch.float64, requires_grad=True)
    faces = torch.tensor([[0, 1, 2], [0, 2, 3]])
    neighbours = torch.tensor([[-1, -1, 1], [0, -1, -1]])
    face, _, depth = reference.rasterize(corners, faces, (20, 20))
    alpha = (face >= 0).double()[..., None]
    area = reference.blend_edges(alpha, reference.edge_blends(corners, faces, neighbours, face, depth)).sum()
    area.backward()
    rows, columns = 10, 12
    torch.testing.assert_close(area.item(), 11.5 * 10.6, atol=0.6, rtol=0)
    torch.testing.assert_close(corners.grad[2:, 0].sum().item(), float(rows))
    torch.testing.assert_close(corners.grad[:2, 0].sum().item(), -float(rows))
    torch.testing.assert_close(corners.grad[[1, 2], 1].sum().item(), float(columns))


def test_area_of_a_slanted_polygon_has_the_gradient_of_geometry():
    """Within 3 %: at the corners of the polygon pixels see two outlines and blend only one."""
    angles = torch.arange(7, dtype=torch.float64) * (2 * torch.pi / 7) + 0.3
    centre = torch.tensor([60.2, 58.7], dtype=torch.float64)
    rim = torch.stack([centre[0] + 45 * angles.cos(), centre[1] - 45 * angles.sin()], -1).requires_grad_()
    points = torch.cat([centre[None], rim])
    positions = torch.cat([points, torch.ones(8, 1, dtype=torch.float64)], -1)
    faces = torch.tensor([[0, 1 + k, 1 + (k + 1) % 7] for k in range(7)])
    neighbours = torch.tensor([[(k - 1) % 7, -1, (k + 1) % 7] for k in range(7)])
    face, _, depth = reference.rasterize(positions, faces, (120, 120))
    alpha = (face >= 0).double()[..., None]
    area = reference.blend_edges(alpha, reference.edge_blends(positions, faces, neighbours, face, depth)).sum()
    found = torch.autograd.grad(area, rim)[0]
    following = rim.roll(-1, 0)
    exact_area = 0.5 * (rim[:, 1] * following[:, 0] - rim[:, 0] * following[:, 1]).sum()
    exact = torch.autograd.grad(exact_area, rim)[0]
    torch.testing.assert_close(area.item(), exact_area.item(), rtol=1e-3, atol=0)
    assert (found - exact).abs().max() <= 0.03 * exact.abs().max()
