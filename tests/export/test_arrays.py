"""The exported arrays say with NumPy alone what the track says with the model."""

import numpy as np
import pytest
import torch
from small_tracks import small_track

from headcast.export.arrays import export_arrays
from headcast.heads import open_head
from headcast.solve.step import follow


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    track = small_track(open_head())
    path = tmp_path_factory.mktemp("arrays") / "arrays.npz"
    follow(export_arrays(track, open_head(), path))
    with np.load(path, allow_pickle=False) as stored:
        return track, dict(stored)


def test_every_array_of_the_format_page_is_there_with_its_shape(exported):
    _, arrays = exported
    shapes = {name: value.shape for name, value in arrays.items()}
    head = open_head()
    assert shapes == {
        "vertices": (5, len(head.template), 3),
        "faces": (len(head.faces), 3),
        "uv": tuple(head.uv.shape),
        "uv_faces": (len(head.faces), 3),
        "landmarks_478": (5, 478, 3),
        "camera_from_world": (4, 4),
        "focal_px": (2,),
        "center_px": (2,),
        "image_size": (2,),
        "valid": (5,),
        "time_s": (5,),
        "identity": (head.identity_count,),
        "expression": (5, head.expression_count),
        "expression_names": (head.expression_count,),
        "joint_rotations": (5, head.joint_count, 3),
        "joint_names": (head.joint_count,),
        "offsets": (len(head.template), 3),
        "world_from_head": (5, 4, 4),
    }


def test_numbers_are_single_precision_and_names_are_text(exported):
    _, arrays = exported
    kinds = {name: value.dtype.kind for name, value in arrays.items()}
    assert all(arrays[name].dtype == np.float32 for name, kind in kinds.items() if kind == "f")
    assert [name for name, kind in kinds.items() if kind == "U"] == ["expression_names", "joint_names"]
    assert arrays["valid"].dtype == bool and arrays["faces"].dtype == np.int32


def test_numpy_alone_projects_to_the_same_pixels(exported):
    track, arrays = exported
    inside = arrays["landmarks_478"] @ arrays["camera_from_world"][:3, :3].T + arrays["camera_from_world"][:3, 3]
    pixels = inside[..., :2] / inside[..., 2:] * arrays["focal_px"] + arrays["center_px"]
    expected = track.camera.project(track.landmarks(open_head()))
    np.testing.assert_allclose(pixels, expected.numpy(), atol=1e-3)


def test_vertices_are_those_of_the_posed_head(exported):
    track, arrays = exported
    expected = track.head(open_head()).posed(track.pose(4)).vertices
    torch.testing.assert_close(torch.from_numpy(arrays["vertices"][4]), expected)
