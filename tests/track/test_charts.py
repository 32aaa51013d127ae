"""Charts are well-formed SVG that keeps gaps, spikes, cuts and flags."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from headcast.track.charts import line_chart


def _svg(markup):
    return ElementTree.fromstring(re.search(r"<svg.*</svg>", markup, re.S).group())


def _chart(values, shown=None, cuts=(), flagged=()):
    count = len(values)
    marks = {name: np.isin(np.arange(count), list(frames)) for name, frames in (("cuts", cuts), ("flagged", flagged))}
    return line_chart("a < b", "mm", {"one": np.asarray(values, float)}, np.ones(count, bool) if shown is None else shown, **marks)


def test_titles_are_escaped_and_the_picture_is_valid_xml():
    markup = _chart([1, 2, 3])
    assert "a &lt; b" in markup and _svg(markup).tag == "svg"


def test_a_steady_curve_looks_steady():
    path = _svg(line_chart("a", "mm", {"one": np.array([1.0, 1.01])}, np.ones(2, bool), np.zeros(2, bool), least=1.0)).find("path").attrib["d"]
    first, last = (float(pair.split(" ")[1]) for pair in re.findall(r"[ML]([\d.]+ [\d.]+)", path))
    assert abs(first - last) < 5


def test_a_gap_starts_a_new_line():
    shown = np.array([True, True, False, True, True])
    path = _svg(_chart([1, 2, 3, 4, 5], shown)).find("path").attrib["d"]
    assert path.count("M") == 2 and path.count("L") == 2


def test_a_single_frame_between_gaps_is_still_seen():
    path = _svg(_chart([1, 2, 3], np.array([False, True, False]))).find("path").attrib["d"]
    assert path.startswith("M") and path.endswith("h1")


def test_a_spike_survives_in_a_clip_of_many_frames():
    values = np.zeros(50_000)
    values[31_234] = 1.0
    path = _svg(_chart(values)).find("path").attrib["d"]
    heights = [float(pair.split(" ")[1]) for pair in re.findall(r"[ML]([\d.]+ [\d.]+)", path)]
    assert min(heights) < 25 and len(heights) < 2000


def test_cuts_and_flagged_frames_are_marked_where_they_are():
    svg = _svg(_chart(np.arange(11), cuts=[5], flagged=[0, 10]))
    cut = next(line for line in svg.iter("line") if line.attrib["class"] == "cut")
    flags = [float(mark.attrib["cx"]) for mark in svg.iter("circle")]
    assert float(cut.attrib["x1"]) == pytest.approx(np.mean(flags), abs=0.1) and len(flags) == 2


@pytest.mark.parametrize("values", [[], [2.0], [3.0, 3.0], [np.nan, np.nan], [-1e-9, 1e-9], [0.0, 1e6]])
def test_odd_values_still_make_a_picture(values):
    svg = _svg(_chart(values))
    assert "nan" not in ElementTree.tostring(svg, encoding="unicode")
