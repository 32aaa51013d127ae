"""Landmarks of the lips: where the mouth is closed upper and lower ones lie at one place, and only an open mouth tells them apart."""

import pytest
import torch

from headcast.geometry import Transform
from headcast.heads import HeadPose, open_head

UPPER, LOWER = [80, 81, 82, 13, 312, 311, 310], [88, 178, 87, 14, 317, 402, 318]


@pytest.fixture(scope="module")
def head():
    return open_head()


def _posed(head, **expression):
    values = torch.zeros(head.expression_count)
    for name, value in expression.items():
        values[head.expression_names.index(name)] = value
    pose = HeadPose(values, torch.zeros(head.joint_count, 3), Transform(torch.eye(3), torch.zeros(3)))
    return head.shaped(torch.zeros(head.identity_count)).posed(pose).vertices


def test_inner_lips_part_when_the_jaw_opens(head):
    points = head.landmarks["mediapipe_478"].points(_posed(head, jawOpen=0.5), head.faces)
    opening = points[UPPER, 1] - points[LOWER, 1]
    assert opening.min() > 0.004
    assert opening[3] > 0.012


def test_inner_lips_touch_at_rest(head):
    points = head.landmarks["mediapipe_478"].points(head.template, head.faces)
    assert (points[UPPER] - points[LOWER]).norm(dim=-1).max() < 0.002


def test_sparse_inner_lips_part_too(head):
    points = head.landmarks["ibug_68"].points(_posed(head, jawOpen=0.5), head.faces)
    assert (points[[61, 62, 63], 1] - points[[67, 66, 65], 1]).min() > 0.004
