"""Landmarks found on a head model by looking at it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import trimesh

from headcast.errors import InputError
from headcast.geometry import Mesh
from headcast.heads import default_albedo, open_head
from headcast.perceive.around import ViewsConfig, landmarks_in_space
from headcast.perceive.embedding import NOT_SKIN, embed_landmarks
from headcast.perceive.topology import mirrored

FEW = ViewsConfig(yaw_deg=(-40, -20, 0, 20, 40), pitch_deg=(-10, 10))


@pytest.fixture(scope="module")
def found():
    return embed_landmarks(open_head(), default_albedo(), config=FEW)


def positions(name, landmarks):
    head = open_head()
    return landmarks[name].points(head.template, head.faces)


def test_few_views_find_what_many_views_found(found):
    landmarks, report = found
    assert report.views == 10
    for name in ("mediapipe_478", "ibug_68", "ibug_70"):
        distance = (positions(name, landmarks) - positions(name, open_head().landmarks)).norm(dim=1)
        assert distance.median() < 0.0010, name
        assert distance.quantile(0.9) < 0.0030, name


def test_views_agree_and_so_do_the_sides(found):
    report = found[1]
    assert report.median_spread_m < 0.0025
    assert report.asymmetry_m < 0.0015
    assert report.off_surface_m < 0.0005
    assert (report.spread_m < 0.012).all()


def test_the_shipped_landmarks_are_symmetric():
    """To the bit but for a few on the nose, where an edge of the mesh crosses the midline."""
    points = positions("mediapipe_478", open_head().landmarks)
    reflected = points[torch.from_numpy(mirrored().astype(np.int64))] * torch.tensor([-1.0, 1, 1])
    distance = (points - reflected).norm(dim=1)
    assert distance.median() < 1e-6 and distance.quantile(0.97) < 1e-4 and distance.max() < 4e-4


def test_the_shipped_landmarks_lie_where_they_should():
    head = open_head()
    other = torch.zeros(len(head.template), dtype=torch.bool)
    for name in NOT_SKIN:
        other |= head.regions[name]
    corners = head.faces[head.landmarks["mediapipe_478"].faces]
    assert not other[corners[:468]].any()
    assert head.regions["eyeballs"][corners[468:]].all()
    eyes = head.landmarks["ibug_70"].points(head.template, head.faces)[68:]
    assert eyes[0, 0] < 0 < eyes[1, 0], "the subject's right eye comes first"
    for name in ("mediapipe_478", "ibug_68", "ibug_70"):
        weights = head.landmarks[name].barycentric
        assert (weights >= 0).all()
        torch.testing.assert_close(weights.sum(1), torch.ones(len(weights)))
        assert (head.landmarks[name].sigma > 0).all() and head.landmarks[name].sigma.median() < 0.0015


def test_the_sparse_landmarks_name_the_features_of_a_face():
    points = open_head().landmarks["ibug_70"].points(open_head().template, open_head().faces)
    assert points[:17, 1].argmin() == 8 and points[8, 0].abs() < 0.001
    assert (points[:17, 0].diff() > -0.004).all() and (points[17:27, 0].diff() > 0).all()
    assert (points[27:31, 1].diff() < 0).all() and points[30, 2] == points[:, 2].max()
    assert points[36, 0] < points[39, 0] < 0 < points[42, 0] < points[45, 0]
    assert points[51, 1] > points[62, 1] > points[57, 1] and points[48, 0] < -0.015
    torch.testing.assert_close(points[68:, :2], torch.tensor([[-0.0312, 0.0], [0.0312, 0.0]]), atol=0.003, rtol=0)


def test_a_model_that_names_no_regions_is_embedded_too():
    head = open_head()
    bare = replace(head, regions={}, mirror=None, landmarks={})
    landmarks, _ = embed_landmarks(bare, default_albedo(), config=FEW)
    distance = (positions("ibug_68", landmarks) - positions("ibug_68", head.landmarks)).norm(dim=1)
    assert distance.median() < 0.0025


def test_a_thing_without_a_face_is_refused():
    ball = trimesh.creation.icosphere(subdivisions=3, radius=0.1)
    mesh = Mesh(torch.from_numpy(np.asarray(ball.vertices)).float(), torch.from_numpy(np.asarray(ball.faces)))
    with pytest.raises(InputError, match=r"expected a face in most of 10 pictures of the mesh, found one in \d"):
        landmarks_in_space(mesh, torch.full((len(ball.vertices), 3), 0.4), config=FEW)
