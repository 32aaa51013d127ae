"""`headcast cameras`: what a person sees of a rig, and the camera file it writes."""

import numpy as np
from rig_layouts import save_picture
from test_rig_colmap import PINHOLE, project
from test_rig_nersemble import v1

from headcast.capture.cameras import CameraFiles
from headcast.cli.main import main


def _said(capsys) -> str:
    found = capsys.readouterr()
    return " ".join((found.out + found.err).replace("│", "").split())


def test_a_rig_is_shown_and_written(tmp_path, capsys):
    sequence = v1(tmp_path)
    assert main(["cameras", str(sequence), "--out", str(tmp_path / "rig.json"), "--subset", "ti1_cn2"]) == 0
    said = _said(capsys)
    assert "2 cameras, 1 frame, positions in metres" in said and "222200042 32×24 1" in said and f"wrote {tmp_path / 'rig.json'}" in said
    files = CameraFiles.load(tmp_path / "rig.json")
    assert [(camera.name, camera.frames) for camera in files.cameras] == [("222200042", (1,)), ("222200037", (1,))]
    assert main(["cameras", str(tmp_path / "rig.json")]) == 0


def test_the_distance_is_to_what_all_cameras_look_at(tmp_path, capsys):
    names = ["a.png", "b.png"]
    project(tmp_path, names, {1: PINHOLE, 2: PINHOLE}, {"a.png": 1, "b.png": 2}.get)
    turned = np.array([[0.0, 0, -1], [0, 1, 0], [1, 0, 0]])
    poses = {"a.png": np.eye(4), "b.png": np.eye(4)}
    poses["a.png"][2, 3], poses["b.png"][:3, :3], poses["b.png"][2, 3] = 2, turned, 3
    from test_rig_colmap import write_model

    write_model(tmp_path / "sparse/0", {1: PINHOLE, 2: PINHOLE}, {"a.png": (1, poses["a.png"]), "b.png": (2, poses["b.png"])}, False)
    assert main(["cameras", str(tmp_path)]) == 0
    said = _said(capsys)
    assert "positions of unknown unit" in said and "still 2.000" in said and "still 3.000" in said


def test_what_cannot_be_done_is_said(tmp_path, capsys):
    save_picture(tmp_path / "frames/1.png")
    sequence = v1(tmp_path)
    (tmp_path / "rig.json").write_text("{}")
    for arguments, message in (
        (["frames"], "expected one of: Headcast's camera file (cameras.json); numbered pictures"),
        ([str(sequence), "--out", "rig.txt"], "expected the name of a camera file to end in .json, found 'rig.txt'"),
        ([str(sequence), "--out", str(tmp_path / "rig.json")], "expected to write a new file, found one. Use --overwrite to replace it"),
        ([str(sequence), "--subset", "x"], "expected a subset of ti, tj, tn, ts, ci, cn, cs"),
    ):
        assert main(["cameras", *arguments]) == 2
        assert message in _said(capsys)
    assert main(["cameras", str(sequence), "--out", str(tmp_path / "rig.json"), "--overwrite"]) == 0
