"""`headcast fit` from a file to a folder that exports take, and what it says where it cannot."""

import numpy as np
import pytest
import trimesh
from made_heads import TARGET, write_scan

from headcast.cli.main import main
from headcast.export import read_glb
from headcast.geometry.closest import ClosestPointQuery
from headcast.store import read_json
from headcast.track.run import Run


@pytest.fixture(scope="module")
def scan_file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scan")
    write_scan(folder)
    return folder


@pytest.fixture(scope="module")
def fitted(scan_file, tmp_path_factory):
    out = tmp_path_factory.mktemp("fit") / "FIT"
    options = ["--points", str(scan_file / "points.csv"), "--texture-px", "256"]
    assert main(["fit", str(scan_file / "scan.ply"), "--out", str(out), *options]) == 0
    return out


def test_landmarks_by_hand_are_enough(fitted):
    report = read_json(fitted / "report.json")
    assert report["unit"] == "millimetres" and report["views_with_a_face"] == 0
    assert report["distances_mm"]["scan_to_head"]["face"]["mean_mm"] < 0.4
    assert report["crossings"]["lips"] == 0


def test_the_registered_mesh_lies_on_the_scan_in_its_own_unit(fitted, scan_file):
    scan = trimesh.load(scan_file / "scan.ply", process=False)
    vertices = trimesh.load(fitted / "registered.ply", process=False).vertices
    found = ClosestPointQuery(scan.vertices, scan.faces)(vertices[TARGET.regions["face"]][::25])
    assert np.median(found.distance) < 1.0  # millimetres
    assert len(trimesh.load(fitted / "registered.obj", process=False).faces) == len(TARGET.faces)


def test_exports_take_the_folder(fitted):
    for name in ("glb", "obj", "ply", "arrays"):
        assert main(["export", str(fitted), "--to", name]) == 0
    run = Run.open(fitted)
    rest = run.track.head(run.model).vertices.numpy()
    assert run.track.offsets is not None and not run.recorded
    assert np.allclose(np.unique(read_glb(fitted / "exports" / "head.glb").vertices, axis=0), np.unique(rest, axis=0), atol=1e-5)


def test_data_sets_of_recordings_are_refused(fitted, capsys):
    assert main(["export", str(fitted), "--to", "nerf"]) == 2
    assert "the fit of a static head has none" in " ".join(capsys.readouterr().err.replace("│", " ").split())


def test_texture_says_where_it_is_known(fitted):
    with np.load(fitted / "albedo.npz") as arrays:
        assert set(np.unique(arrays["certainty"])) == {0.0, 1.0}
        assert 0.2 < arrays["certainty"].mean() < 0.95


def test_a_folder_in_use_is_left_alone(fitted, scan_file, capsys):
    assert main(["fit", str(scan_file / "scan.ply"), "--out", str(fitted)]) == 2
    assert "--overwrite" in capsys.readouterr().err


@pytest.mark.slow
def test_the_face_is_found_whichever_way_up_and_in_whatever_unit(scan_file, tmp_path):
    assert main(["fit", str(scan_file / "scan.ply"), "--out", str(tmp_path / "FIT"), "--texture-px", "128"]) == 0
    report = read_json(tmp_path / "FIT" / "report.json")
    assert report["unit"] == "millimetres" and report["views_with_a_face"] >= 6
    assert report["distances_mm"]["scan_to_head"]["face"]["mean_mm"] < 0.5


@pytest.mark.slow
def test_what_has_no_face_says_how_to_go_on(tmp_path, capsys):
    trimesh.creation.box((1, 2, 1)).subdivide().subdivide().export(tmp_path / "box.obj")
    assert main(["fit", str(tmp_path / "box.obj"), "--out", str(tmp_path / "FIT")]) == 2
    assert "--points FILE" in " ".join(capsys.readouterr().err.replace("│", " ").split())


@pytest.mark.parametrize(
    ("options", "words"),
    [(["--unit-m", "-1"], "unit_m must be positive"), (["--texture-px", "3"], "texture_px"), (["--stiffness", "0"], "stiffness")],
)
def test_settings_that_make_no_sense_are_refused(scan_file, tmp_path, capsys, options, words):
    assert main(["fit", str(scan_file / "scan.ply"), "--out", str(tmp_path / "FIT"), *options]) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "FIT").exists()
