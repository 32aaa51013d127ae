from dataclasses import replace

import torch

from headcast.geometry import Mesh, Transform
from headcast.render import ambient_light, face_neighbours, rasterize, render_head, srgb_from_linear


def picture_of(scene, **changes):
    arguments = dict(light=scene.light, uv=scene.uv, uv_faces=scene.uv_faces, background=scene.background, neighbours=scene.neighbours)
    return render_head(
        changes.pop("mesh", scene.mesh), changes.pop("camera", scene.camera), changes.pop("albedo", scene.texture), **{**arguments, **changes}
    )


def test_background_shows_unchanged_where_the_mesh_is_not(larger_scene):
    seen = picture_of(larger_scene)
    empty = seen.alpha == 0
    assert empty.sum() > 500
    assert torch.equal(seen.color[empty], larger_scene.background[empty])
    assert not seen.normal[empty & (seen.face < 0)].any()


def test_neutral_light_shows_the_albedo(larger_scene):
    albedo = torch.tensor([0.2, 0.5, 0.001]).expand(len(larger_scene.mesh.vertices), 3)
    seen = render_head(larger_scene.mesh, larger_scene.camera, albedo)
    inside = seen.alpha == 1
    assert inside.sum() > 500
    torch.testing.assert_close(seen.color[inside], srgb_from_linear(albedo[:1]).expand(int(inside.sum()), 3), atol=1e-5, rtol=0)


def test_light_from_the_left_of_the_subject_brightens_the_right_of_the_picture(larger_scene):
    light = ambient_light(larger_scene.texture) * 0.5
    light[3] = 0.4
    grey = torch.full((len(larger_scene.mesh.vertices), 3), 0.5)
    seen = render_head(larger_scene.mesh, larger_scene.camera, grey, light)
    columns = torch.arange(larger_scene.camera.size[1]).expand(larger_scene.camera.size)[seen.alpha == 1]
    brightness = seen.color[seen.alpha == 1].mean(-1)
    middle = columns.float().mean()
    assert brightness[columns > middle].mean() > 1.15 * brightness[columns < middle].mean()


def test_depth_and_normal_are_those_of_the_surface(larger_scene):
    seen = picture_of(larger_scene)
    covered = seen.face >= 0
    camera = larger_scene.camera
    rows, columns = covered.nonzero(as_tuple=True)
    points = camera.rays(torch.stack([columns, rows], -1) + 0.5) * seen.depth[covered][:, None]
    corners = camera.camera_from_world.points(larger_scene.mesh.vertices)[larger_scene.mesh.faces[seen.face[covered].long()]]
    torch.testing.assert_close((corners * seen.barycentric[covered][..., None]).sum(1), points, atol=1e-5, rtol=0)
    torch.testing.assert_close(seen.normal[covered].norm(dim=-1), torch.ones(len(rows)), atol=1e-5, rtol=0)
    towards_camera = -larger_scene.mesh.vertices.mean(0)
    assert (seen.normal[covered] @ towards_camera > 0).float().mean() > 0.9


def test_outlines_of_one_sample_are_close_to_those_of_many(larger_scene):
    """Antialiased alpha against 8 × 8 samples per pixel without help from it: a third of the error that hard edges make."""
    hard = (picture_of(larger_scene).face >= 0).float()
    smooth = picture_of(larger_scene).alpha
    many = rasterize(larger_scene.mesh, larger_scene.camera.resized((480, 416)))
    exact = (many.face >= 0).float().reshape(60, 8, 52, 8).mean((1, 3))
    assert (smooth - exact).abs().sum() < (hard - exact).abs().sum() / 3
    assert abs(smooth.sum() - exact.sum()) < 0.01 * exact.sum()


def test_more_samples_keep_size_and_background(larger_scene):
    fine, plain = picture_of(larger_scene, samples=2), picture_of(larger_scene)
    assert fine.color.shape == plain.color.shape
    empty = (plain.alpha == 0) & (fine.alpha == 0)
    torch.testing.assert_close(fine.color[empty], larger_scene.background[empty])
    assert torch.equal(fine.face, plain.face)
    assert (fine.color - plain.color).abs().mean() < 0.02


def test_a_batch_of_views_is_the_views_one_by_one(scene):
    turns = torch.tensor([[0.0, 0.0, 0.0], [0.1, 0.5, 0.0], [0.0, -0.7, 0.2]])
    about = scene.mesh.vertices.mean(0)
    turned = Transform.from_axis_angle(turns, about.expand(3, 3)).points((scene.mesh.vertices - about).expand(3, -1, -1))
    lights = scene.light * torch.tensor([1.0, 0.8, 1.2])[:, None, None]
    textures = scene.texture * torch.tensor([1.0, 0.9, 0.7])[:, None, None, None]
    for albedo in (scene.texture, textures):
        together = picture_of(scene, mesh=Mesh(turned, scene.mesh.faces), light=lights, albedo=albedo)
        for view in range(3):
            one = albedo if albedo.ndim == 3 else albedo[view]
            alone = picture_of(scene, mesh=Mesh(turned[view], scene.mesh.faces), light=lights[view], albedo=one)
            for name in ("color", "alpha", "depth", "normal", "face", "barycentric"):
                torch.testing.assert_close(getattr(together, name)[view], getattr(alone, name))


def test_gradients_of_what_views_share_add_up(scene):
    shifts = torch.tensor([[[0.0, 0.0, 0.0]], [[0.02, 0.0, 0.05]]])
    gradients = []
    for views in ([0, 1], [0], [1]):
        light, texture = scene.light.clone().requires_grad_(), scene.texture.clone().requires_grad_()
        mesh = Mesh(scene.mesh.vertices + shifts[views], scene.mesh.faces)
        picture_of(scene, mesh=mesh, light=light, albedo=texture).color.square().sum().backward()
        gradients.append((light.grad, texture.grad))
    for together, first, second in zip(*gradients):
        torch.testing.assert_close(together, first + second, rtol=1e-4, atol=1e-4)


def test_several_cameras_see_one_mesh(scene):
    near = replace(scene.camera, focal_px=scene.camera.focal_px * 1.5)
    both = replace(scene.camera, focal_px=torch.stack([scene.camera.focal_px, near.focal_px]), center_px=scene.camera.center_px.expand(2, 2))
    seen = rasterize(Mesh(scene.mesh.vertices, scene.mesh.faces), both)
    for view, camera in enumerate((scene.camera, near)):
        assert torch.equal(seen.face[view], rasterize(scene.mesh, camera).face)


def test_outline_alone_moves_a_head_back_to_where_it_was(larger_scene):
    """Alpha is all that is compared; 1.9 px of displacement shrink to less than 0.2 px."""
    mesh, camera = larger_scene.mesh, larger_scene.camera
    white = torch.ones(len(mesh.vertices), 3)
    neighbours = face_neighbours(mesh.faces)
    target = render_head(mesh, camera, white, neighbours=neighbours).alpha
    shift = torch.tensor([0.012, -0.008, 0.0], requires_grad=True)
    optimiser = torch.optim.Adam([shift], lr=1.5e-3)
    for step in range(40):
        optimiser.param_groups[0]["lr"] = 1.5e-3 * 0.92**step
        optimiser.zero_grad()
        alpha = render_head(Mesh(mesh.vertices + shift * torch.tensor([1.0, 1.0, 0.0]), mesh.faces), camera, white, neighbours=neighbours).alpha
        (alpha - target).square().sum().backward()
        optimiser.step()
    pixels = shift.detach().abs().max() * camera.focal_px[0] / 0.6
    assert pixels < 0.2
