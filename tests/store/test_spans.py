"""Frames are named as runs that a person can read."""

import numpy as np

from headcast.store import frame_spans


def test_neighbours_are_joined_and_single_frames_stand_alone():
    assert frame_spans(np.array([0, 1, 1, 1, 0, 0, 1, 0, 1], bool)) == "1–3, 6, 8"


def test_nothing_flagged_is_an_empty_text():
    assert frame_spans(np.zeros(4, bool)) == ""


def test_long_lists_end_with_how_many_more():
    assert frame_spans(np.tile([True, False], 5), most=2) == "0, 2 and 3 more"
