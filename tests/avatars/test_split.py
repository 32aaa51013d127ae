"""Which frames train and which are held out, as a rule and as a file."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headcast.avatars import Split
from headcast.errors import FormatError, InputError
from headcast.store import write_json


def test_a_long_clip_holds_out_its_last_350_frames():
    split = Split.usual(1169)
    assert split.train == tuple(range(819)) and split.held_out == tuple(range(819, 1169))


def test_a_short_clip_holds_out_its_last_fifth():
    assert Split.usual(100).held_out == tuple(range(80, 100))


def test_a_single_frame_trains():
    assert Split.usual(1) == Split((0,), ())


@given(st.lists(st.integers(0, 49), unique=True), st.integers(0, 50))
def test_a_written_split_reads_back(tmp_path_factory, frames, cut):
    path = tmp_path_factory.mktemp("split") / "split.json"
    split = Split(tuple(sorted(frames[:cut])), tuple(sorted(frames[cut:])))
    split.write(path)
    assert Split.read(path, 50) == split


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([1, 2], 'the lists "train" and "val"'),
        ({"train": [0]}, 'the lists "train" and "val"'),
        ({"train": [0, 1], "val": [1]}, "found 1 in both, the first is 1"),
        ({"train": [0, 12], "val": []}, "expected frames 0 to 9 in 'train', found 12"),
        ({"train": [0], "val": [True]}, "expected a list of frame numbers as 'val'"),
        ({"train": "all", "val": []}, "expected a list of frame numbers as 'train'"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path, value, said):
    write_json(tmp_path / "split.json", value)
    with pytest.raises(FormatError, match=said):
        Split.read(tmp_path / "split.json", 10)


def test_no_file_is_said(tmp_path):
    with pytest.raises(InputError, match="found none"):
        Split.read(tmp_path / "split.json", 10)
