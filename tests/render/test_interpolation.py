import pytest
import torch

from headcast.geometry import vertex_normals as plain_vertex_normals
from headcast.render import interpolate, label_image, rasterize, smooth_normals, vertex_normals


def test_interpolated_positions_are_the_points_seen(larger_scene):
    seen = rasterize(larger_scene.mesh, larger_scene.camera)
    points = interpolate(larger_scene.mesh.vertices, seen)
    covered = seen.face >= 0
    rows, columns = covered.nonzero(as_tuple=True)
    pixels = larger_scene.camera.project(points[covered])
    torch.testing.assert_close(pixels, torch.stack([columns, rows], -1) + 0.5, atol=2e-3, rtol=0)
    assert not points[~covered].any()


def test_normals_have_length_one_and_are_zero_outside(larger_scene):
    seen = rasterize(larger_scene.mesh, larger_scene.camera)
    normals = smooth_normals(larger_scene.mesh, seen)
    covered = seen.face >= 0
    torch.testing.assert_close(normals.norm(dim=-1), covered.float(), atol=1e-6, rtol=0)


def test_fast_vertex_normals_are_those_of_geometry(larger_scene):
    mesh = larger_scene.mesh
    torch.testing.assert_close(vertex_normals(mesh), plain_vertex_normals(mesh.vertices, mesh.faces), atol=1e-5, rtol=0)


def test_labels_of_faces_and_of_nearest_corners(larger_scene):
    mesh = larger_scene.mesh
    seen = rasterize(mesh, larger_scene.camera)
    of_faces = torch.arange(len(mesh.faces)) * 3
    image = label_image(seen, faces=of_faces)
    covered = seen.face >= 0
    assert torch.equal(image[covered], seen.face[covered].long() * 3)
    assert (image[~covered] == -1).all()
    upper = (mesh.vertices[:, 1] > -0.02).long()
    image = label_image(seen, vertices=upper)
    height = interpolate(mesh.vertices, seen)[..., 1]
    clearly = covered & ((height + 0.02).abs() > 0.02)
    assert torch.equal(image[clearly] == 1, height[clearly] > -0.02)


def test_labels_need_faces_or_vertices(scene):
    seen = rasterize(scene.mesh, scene.camera)
    with pytest.raises(ValueError, match="exactly one"):
        label_image(seen)
