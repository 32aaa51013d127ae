"""OBJ and PLY sequences hold the track's meshes, read back by a library that did not write them."""

import numpy as np
import pytest
import trimesh
from PIL import Image
from small_tracks import small_track

from headcast.export.obj import export_obj
from headcast.export.ply import colors_at_vertices, export_ply
from headcast.heads import open_head
from headcast.solve.step import follow


@pytest.fixture(scope="module")
def track():
    return small_track(open_head(), frame_count=2, invalid=(1,))


@pytest.fixture(scope="module")
def albedo():
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[:, :, 0] = np.arange(64)[None, :] * 4
    picture[:, :, 1] = np.arange(64)[::-1, None] * 4
    return picture


def _expected(track, frame_idx):
    return track.head(open_head()).posed(track.pose(frame_idx)).vertices.numpy()


def test_an_obj_holds_vertices_texture_and_material(track, albedo, tmp_path):
    Image.fromarray(albedo).save(tmp_path / "picture.png")
    steps = []
    follow(export_obj(track, open_head(), tmp_path / "obj", tmp_path / "picture.png"), steps.append)
    assert [step.done for step in steps] == [1, 2]
    lines = (tmp_path / "obj" / "frame_000001.obj").read_text().splitlines()
    vertices = np.array([line.split()[1:] for line in lines if line.startswith("v ")], float)
    uv = np.array([line.split()[1:] for line in lines if line.startswith("vt ")], float)
    corners = np.array([[c.split("/") for c in line.split()[1:]] for line in lines if line.startswith("f ")], int)
    np.testing.assert_allclose(vertices, _expected(track, 1), atol=1e-6)
    np.testing.assert_allclose(uv, open_head().uv.numpy(), atol=1e-6)
    assert (corners[..., 0] == open_head().faces.numpy() + 1).all() and (corners[..., 1] == open_head().uv_faces.numpy() + 1).all()
    assert "mtllib head.mtl" in lines and "usemtl head" in lines
    loaded = trimesh.load(tmp_path / "obj" / "frame_000001.obj", process=False)
    assert loaded.visual.material.image.size == (64, 64)
    assert len(loaded.faces) == len(open_head().faces)


def test_an_obj_of_a_frame_without_a_face_says_so(track, tmp_path):
    follow(export_obj(track, open_head(), tmp_path, None))
    assert "no face seen" in (tmp_path / "frame_000001.obj").read_text().splitlines()[0]
    assert "no face seen" not in (tmp_path / "frame_000000.obj").read_text().splitlines()[0]
    assert "map_Kd" not in (tmp_path / "head.mtl").read_text()


def test_a_ply_holds_vertices_faces_and_colors(track, albedo, tmp_path):
    follow(export_ply(track, open_head(), tmp_path, albedo))
    loaded = trimesh.load(tmp_path / "frame_000000.ply", process=False)
    np.testing.assert_allclose(loaded.vertices, _expected(track, 0), atol=1e-7)
    assert (loaded.faces == open_head().faces.numpy()).all()
    assert (loaded.visual.vertex_colors[:, :3] == colors_at_vertices(albedo, open_head())).all()


def test_colors_come_from_where_the_vertex_lies_in_the_picture(albedo):
    """Red grows to the right and green upwards in the picture, as u and v do."""
    head = open_head()
    colors = colors_at_vertices(albedo, head).astype(float)
    first = np.zeros(len(head.template), int)
    first[head.faces.numpy().ravel()] = head.uv_faces.numpy().ravel()
    uv = head.uv.numpy()[first]
    assert np.abs(colors[:, 0] / 256 - uv[:, 0]).max() <= 1 / 64 and np.abs(colors[:, 1] / 256 - uv[:, 1]).max() <= 1 / 64


def test_a_ply_without_albedo_has_no_colors(track, tmp_path):
    follow(export_ply(track, open_head(), tmp_path, None))
    assert b"property uchar red" not in (tmp_path / "frame_000000.ply").read_bytes()[:400]
