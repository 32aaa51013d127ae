"""Regions and texture layouts for models that come without."""

import numpy as np
import pytest
from synthetic_models import head_mesh, sphere

from headcast.heads import open_head
from headcast.heads.regions import REGION_NAMES, boundary_vertices, complete_regions, components, derived_regions, landmark_regions
from headcast.heads.unwrap import unwrapped


def test_components_are_numbered_by_size():
    _, faces, (skin, left, right) = head_mesh()
    part = components(faces, right.stop)
    assert (part[skin] == 0).all()
    assert {part[left][0], part[right][0]} == {1, 2} and (part[left] == part[left][0]).all()


def test_the_boundary_is_where_a_surface_ends():
    vertices, faces = sphere(6, 10)
    assert not boundary_vertices(faces, len(vertices)).any()
    upper = faces[(vertices[faces][:, :, 1] > -0.01).all(1)]
    rim = boundary_vertices(upper, len(vertices))
    assert rim.sum() == 10 and np.ptp(vertices[rim, 1]) < 1e-9


def test_the_files_masks_win_and_extra_ones_are_kept():
    derived = {name: np.zeros(4, bool) for name in REGION_NAMES}
    known = {"lips": np.array([True, False, False, False]), "brows": np.array([False, True, False, False])}
    regions = complete_regions(known, derived)
    assert list(regions)[: len(REGION_NAMES)] == list(REGION_NAMES)
    assert regions["lips"][0] and regions["brows"][1]


def test_regions_derived_from_the_shape_meet_those_that_were_drawn_by_hand():
    """On the open head, which has both. Rough means: the middle of each drawn region is inside the derived one."""
    model = open_head()
    vertices = model.template.numpy().astype(np.float64)
    eyes = model.regions["eyeballs"].numpy()
    inside = (model.regions["mouth_interior"] | model.regions["tongue"] | model.regions["teeth"]).numpy()
    between = float((model.joint_template[2] - model.joint_template[3]).norm())
    derived = derived_regions(vertices, model.faces.numpy(), eyes, inside, between)
    for name in ("face", "nose", "lips"):
        drawn = model.regions[name].numpy() & ~inside & ~eyes
        assert (derived[name] & drawn).sum() > 0.5 * min(derived[name].sum(), drawn.sum()), name
    assert not (derived["face"] & eyes).any() and (derived["irises"] & ~eyes).sum() == 0
    assert derived["scalp"][vertices[:, 1].argmax()] and not derived["face"][vertices[:, 2].argmin()]


def test_lips_and_eyelids_lie_between_the_landmarks_outlines():
    model = open_head()
    vertices = model.template.numpy().astype(np.float64)
    marks = model.landmarks["ibug_68"].points(model.template, model.faces).numpy().astype(np.float64)
    skin = ~np.logical_or.reduce([model.regions[name].numpy() for name in ("eyeballs", "mouth_interior", "teeth", "tongue")])
    found = landmark_regions(vertices, skin, marks)
    lips = vertices[found["lips"]]
    assert len(lips) > 20 and lips[:, 1].max() < marks[33, 1] and lips[:, 1].min() > marks[8, 1]
    assert np.abs(lips[:, 0]).max() < 1.2 * np.abs(marks[[48, 54], 0]).max()
    lids = vertices[found["eyelids"]]
    assert len(lids) > 20 and lids[:, 1].min() > marks[30, 1] and (lids[:, 2] > -0.03).all(), "none at the back of the head"
    nose = vertices[found["nose"]]
    assert np.linalg.norm(nose - marks[30], axis=1).min() < 0.01
    assert not any((mask & ~skin).any() for mask in found.values())


@pytest.mark.parametrize("mesh", ["head", "sphere"])
def test_an_unrolled_mesh_fills_the_picture_without_torn_faces(mesh):
    vertices, faces = head_mesh()[:2] if mesh == "head" else sphere(10, 16)
    uv, uv_faces = unwrapped(vertices, faces)
    assert uv.min() >= 0 and uv.max() <= 1 and uv_faces.max() < len(uv)
    span = np.ptp(uv[uv_faces], axis=1)
    pole = np.isin(faces, [vertices[:, 1].argmax(), vertices[:, 1].argmin()]).any(1)
    assert (span[~pole] < 0.3).all(), "no face reaches around the seam"
    same = uv_faces < len(vertices)
    assert (uv_faces[same] == faces[same]).all(), "only seam corners have copies"


def test_parts_of_an_unrolled_mesh_do_not_overlap():
    vertices, faces, (skin, left, right) = head_mesh()
    uv, _ = unwrapped(vertices, faces)
    assert uv[skin, 1].min() >= 0.2
    low_left, high_left = uv[left].min(0), uv[left].max(0)
    low_right, high_right = uv[right].min(0), uv[right].max(0)
    assert high_left[1] <= 0.2 and high_right[1] <= 0.2
    assert high_left[0] <= low_right[0] or high_right[0] <= low_left[0]
