"""Landmarks by hand: words, numbers and iBUG's numbers, from CSV and JSON."""

import json

import numpy as np
import pytest
from made_heads import TARGET, face_of, person

from headcast.errors import FormatError, InputError
from headcast.fit.points_file import NAMES, read_points


def placed(names=("nose_tip", "152", "ibug_36", "left_eye_outer", "61")):
    points = face_of(person(0)).points
    numbers = [NAMES[n] if n in NAMES else 478 + int(n[5:]) if n.startswith("ibug_") else int(n) for n in names]
    return {name: points[number].tolist() for name, number in zip(names, numbers)}


@pytest.mark.parametrize("suffix", [".csv", ".json"])
def test_a_few_landmarks_give_pose_and_size(tmp_path, suffix):
    path, rows = tmp_path / f"points{suffix}", placed()
    path.write_text(json.dumps(rows) if suffix == ".json" else "landmark,x,y,z\n" + "\n".join(",".join(map(str, [n, *p])) for n, p in rows.items()))
    face = read_points(path, TARGET.template_landmarks)
    assert face.views == 0 and np.isfinite(face.spread).sum() == 5
    true = person(0).head_from_scan
    assert abs(face.head_from_scan.scale / true.scale - 1) < 0.15
    turned = face.head_from_scan.rotation @ true.rotation.T
    assert np.degrees(np.arccos((np.trace(turned) - 1) / 2)) < 12


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("nose_tip,0,0,0\nchin,0,1,0\n", InputError, "at least 4 landmarks"),
        ("1,0,0,0\n2,0,0,1\n4,0,0,2\n5,0,0,3\n", InputError, "not all on one line"),
        ("nostril,0,0,0\n", FormatError, "found 'nostril'"),
        ("500,0,0,0\n", FormatError, "found '500'"),
        ("nose_tip,0,a,0\n", FormatError, "three numbers"),
        ("nose_tip,0,nan,0\n", FormatError, "three numbers"),
    ],
)
def test_wrong_rows_are_named(tmp_path, text, error, words):
    (tmp_path / "points.csv").write_text(text)
    with pytest.raises(error, match=words):
        read_points(tmp_path / "points.csv", TARGET.template_landmarks)
