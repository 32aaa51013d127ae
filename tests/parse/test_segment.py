"""Skin, hair and cloth of a painted person are told apart by the tracked head and colours, also where they lie over the face."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from small_tracks import small_track

from headcast.geometry import Transform
from headcast.heads import open_head
from headcast.parse.colors import Sample, learn_colors
from headcast.parse.labels import LABEL_OF, LABELS, PALETTE
from headcast.parse.layers import SCALP, LayerPainter
from headcast.parse.places import below_chin, places
from headcast.parse.segment import Segmenter
from headcast.perceive import Window

SIZE = (240, 200)
"""Width and height of the window."""
WINDOW = Window(0, 0, *SIZE)
SKIN, HAIR, CLOTH = (205, 150, 120), (50, 35, 25), (40, 90, 160)


@pytest.fixture(scope="module")
def layers():
    """A frontal head."""
    track = small_track(open_head(), 1, SIZE[::-1], ())
    facing = Transform(torch.eye(3)[None], torch.tensor([[0.0, 0.02, -0.75]]))
    rest = replace(
        track, world_from_head=facing, expression=0 * track.expression, joint_rotations=0 * track.joint_rotations, identity=0 * track.identity
    )
    painter = LayerPainter(rest, open_head())
    return painter.layers(next(painter.heads([0])), WINDOW, SIZE)


@pytest.fixture(scope="module")
def person(layers):
    """Picture, opacity and true materials: a head with a cap of hair, a fringe over the forehead, a shirt up to the collar, noise everywhere."""
    head = layers.labels > 0
    hair = cv2.dilate((layers.labels == SCALP).astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    x, y = np.meshgrid(np.arange(SIZE[0]) + 0.5, np.arange(SIZE[1]) + 0.5)
    forehead = layers.chin_px - (layers.brows_m + 0.035) * layers.px_per_m * layers.down
    fringe = (np.abs(x - forehead[0]) < 0.02 * layers.px_per_m) & (np.abs(y - forehead[1]) < 0.018 * layers.px_per_m)
    fringe &= head & (layers.labels != SCALP)
    cloth = below_chin(layers) > 0.05
    material = np.select([cloth, hair | fringe, head], [3, 2, 1], 0)
    colors = np.array([(120, 120, 120), SKIN, HAIR, CLOTH])[material]
    noise = np.random.default_rng(0).normal(0, 6, colors.shape)
    return np.clip(colors + noise, 0, 255).astype(np.uint8), np.where(material > 0, 255, 0).astype(np.uint8), material, fringe


@pytest.fixture(scope="module")
def segmenter(layers, person):
    colors, alpha, _, _ = person
    return Segmenter(learn_colors([Sample(colors[alpha > 0], places(layers)[:, alpha > 0])]), 0.5)


def test_regions_of_the_head_stand_where_a_face_has_them(layers):
    rows = {
        name: np.nonzero(layers.labels == LABEL_OF[name])[0].mean() for name in ("left_brow", "left_eye", "nose", "upper_lip", "lower_lip", "neck")
    }
    assert sorted(rows, key=rows.get) == list(rows)
    left, right = (np.nonzero(layers.labels == LABEL_OF[name])[1].mean() for name in ("left_eye", "right_eye"))
    assert left > right, "the subject's left is to the right in the picture"


def test_normals_are_unit_vectors_that_face_the_camera(layers):
    seen = layers.labels > 0
    assert np.allclose(np.linalg.norm(layers.normals[seen], axis=-1), 1, atol=1e-4) and not layers.normals[~seen].any()
    assert (layers.normals[seen][:, 2] < 0).mean() > 0.97
    nose = layers.normals[layers.labels == LABEL_OF["nose"]].mean(0)
    assert nose[2] < -0.5, "the nose points at the camera, which looks along +Z"
    low = layers.labels == LABEL_OF["neck"]
    assert layers.normals[low & (np.arange(SIZE[0])[None] < layers.chin_px[0] - 8)][:, 0].mean() < 0, "the left of the picture faces left"


def test_hair_skin_and_cloth_are_found(layers, person, segmenter):
    colors, alpha, material, _ = person
    found = segmenter.step(layers, colors, alpha, WINDOW, None)
    for label, truth in (("hair", 2), ("cloth", 3), ("background", 0)):
        own, true = found.labels == LABEL_OF[label], material == truth
        # Edges are antialiased by nothing here; what is missing is a pixel's width.
        assert (own & true).sum() / (own | true).sum() > 0.9, label
    assert found.confidence.min() >= 0 and found.confidence.max() <= 1
    assert found.confidence[material == 1].mean() > 0.8


def test_a_fringe_over_the_forehead_is_hair(layers, person, segmenter):
    colors, alpha, _, fringe = person
    assert (segmenter.step(layers, colors, alpha, WINDOW, None).labels[fringe] == LABEL_OF["hair"]).mean() > 0.85


def test_without_colours_of_its_own_the_fringe_would_be_skin(layers, person):
    """The test before this one would fail if only the places counted."""
    _, _, _, fringe = person
    assert (places(layers)[:, fringe].argmax(0) == 0).mean() > 0.9


def test_a_collar_in_the_colour_of_the_hair_is_cloth(layers, person, segmenter):
    colors, alpha, material, _ = person
    dark = np.where((material == 3)[..., None], np.array(HAIR, np.uint8), colors)
    found = segmenter.step(layers, dark, alpha, WINDOW, None).labels
    assert (found[material == 3] == LABEL_OF["cloth"]).mean() > 0.9


def test_what_the_matte_leaves_out_is_background(layers, person, segmenter):
    colors, alpha, _, _ = person
    cut = alpha.copy()
    cut[:, : SIZE[0] // 2] = 0
    found = segmenter.step(layers, colors, cut, WINDOW, None)
    assert not found.labels[:, : SIZE[0] // 2].any() and (found.confidence[:, : SIZE[0] // 2] == 1).all()


def test_what_was_seen_before_steadies_a_still_picture(layers, person, segmenter):
    colors, alpha, material, _ = person
    first = segmenter.step(layers, colors, alpha, WINDOW, None)
    noisy = np.clip(colors + np.random.default_rng(1).normal(0, 40, colors.shape), 0, 255).astype(np.uint8)
    alone, after = (segmenter.step(layers, noisy, alpha, WINDOW, before) for before in (None, first.remembered))
    change = [np.abs(found.remembered.shares - first.remembered.shares)[material > 0].mean() for found in (alone, after)]
    assert change[1] < 0.85 * change[0]


def test_every_label_has_a_name_and_a_colour_of_its_own():
    assert len(LABELS) == len(set(LABELS)) == len(PALETTE) == len({tuple(color) for color in PALETTE.tolist()})
