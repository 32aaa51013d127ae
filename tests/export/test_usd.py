"""USD: what UsdSkel makes of the file is the tracked head."""

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from small_tracks import small_track, with_moving_camera

from headcast.errors import FormatError, InputError, MissingExtraError
from headcast.export import export_glb, export_usd, read_glb, read_usd
from headcast.heads import open_head
from headcast.solve.step import follow


@pytest.fixture(scope="module")
def track():
    track = small_track(open_head(), frame_count=4, invalid=())
    return replace(track, time_s=torch.tensor([0.0, 0.04, 0.1, 0.16]))


@pytest.fixture(scope="module")
def albedo(tmp_path_factory):
    path = tmp_path_factory.mktemp("albedo") / "albedo.png"
    Image.fromarray(np.arange(64 * 64 * 3, dtype=np.uint32).reshape(64, 64, 3).astype(np.uint8)).save(path)
    return path


@pytest.fixture(scope="module")
def written(track, albedo, tmp_path_factory):
    pytest.importorskip("pxr", reason="usd-core is not installed")
    path = tmp_path_factory.mktemp("usd") / "head.usdz"
    follow(export_usd(track, open_head(), path, albedo))
    assert [child.name for child in path.parent.iterdir()] == ["head.usdz"], "nothing else is left"
    return path


def test_usdskel_poses_the_head_as_the_rigged_glb_does(track, written, tmp_path):
    """Both have the same shapes; the GLB keeps four joints per vertex, which is all that the open head has anywhere."""
    follow(export_glb(track, open_head(), tmp_path / "head.glb", None))
    glb, usd = read_glb(tmp_path / "head.glb"), read_usd(written)
    corner = {tuple(place): index for index, place in enumerate(glb.vertices.round(6).tolist())}
    places = [corner[tuple(place)] for place in usd.vertices.round(6).tolist() if tuple(place) in corner]
    known = [index for index, place in enumerate(usd.vertices.round(6).tolist()) if tuple(place) in corner]
    assert len(known) == len(open_head().template)
    for frame in range(track.frame_count):
        np.testing.assert_allclose(usd.posed(frame)[known], glb.posed(frame)[places], atol=2e-5)


@pytest.mark.parametrize("pose", ["joints", "one expression"])
def test_usdskel_poses_the_tracked_head(track, tmp_path, pose):
    """Exactly so for joints alone and for whole expressions, which shapes hold without loss."""
    pytest.importorskip("pxr", reason="usd-core is not installed")
    expression = torch.zeros_like(track.expression)
    if pose == "one expression":
        for frame, name in enumerate(("jawOpen", "eyeLookInLeft", "mouthSmileLeft", "browInnerUp")):
            expression[frame, track.expression_names.index(name)] = 1.0
    joints = track.joint_rotations if pose == "joints" else torch.zeros_like(track.joint_rotations)
    track = replace(track, expression=expression, joint_rotations=joints)
    follow(export_usd(track, open_head(), tmp_path / "head.usdz", None))
    found = read_usd(tmp_path / "head.usdz")
    head = track.head(open_head())
    for frame in range(track.frame_count):
        # Shapes leave out motion below a micrometre.
        np.testing.assert_allclose(found.posed(frame), head.posed(track.pose(frame)).vertices, atol=1e-5)
    assert found.texture is None


def test_reading_undoes_writing(track, albedo, written):
    found, model = read_usd(written), open_head()
    np.testing.assert_allclose(found.time_s, track.time_s, atol=1e-6)
    np.testing.assert_allclose(found.expression, track.expression, atol=1e-7)
    assert found.expression_names == model.expression_names and found.joint_names == ("head", *model.joint_names)
    np.testing.assert_array_equal(found.faces, model.faces)
    np.testing.assert_array_equal(found.uv_faces, model.uv_faces)
    np.testing.assert_allclose(found.uv, model.uv, atol=1e-7)
    np.testing.assert_array_equal(found.texture, np.asarray(Image.open(albedo)))


def test_its_camera_sees_what_the_recordings_does(track, written):
    """Off-centre principal point included; the read camera is 1000 pixels wide."""
    found = read_usd(written).camera
    vertices = track.head(open_head()).posed(track.pose(0)).vertices
    ratio = 1000 / track.camera.size[1]
    torch.testing.assert_close(found.project(vertices), ratio * track.camera.project(vertices), atol=0.01, rtol=1e-4)


def test_a_camera_that_moves_is_animated(track, tmp_path):
    pytest.importorskip("pxr", reason="usd-core is not installed")
    from pxr import Usd, UsdGeom

    track = with_moving_camera(track)
    follow(export_usd(track, open_head(), tmp_path / "head.usdz", None))
    stage = Usd.Stage.Open(str(tmp_path / "head.usdz"))
    lens = UsdGeom.Xformable(stage.GetPrimAtPath("/Camera"))
    for frame, time in enumerate(read_usd(tmp_path / "head.usdz").time_s):
        matrix = np.array(lens.ComputeLocalToWorldTransform(time * stage.GetTimeCodesPerSecond())).T
        np.testing.assert_allclose(matrix[:3, 3], track.camera_at(frame).camera_from_world.inverse().translation, atol=1e-5)


def test_the_stage_says_metres_and_up_and_is_a_valid_package(written):
    from pxr import Usd, UsdGeom, UsdShade, UsdSkel

    stage = Usd.Stage.Open(str(written))
    assert UsdGeom.GetStageMetersPerUnit(stage) == 1 and UsdGeom.GetStageUpAxis(stage) == "Y"
    assert stage.GetDefaultPrim().IsA(UsdSkel.Root) and stage.GetEndTimeCode() == pytest.approx(3)
    face = stage.GetPrimAtPath("/Head/Face")
    assert UsdShade.MaterialBindingAPI(face).ComputeBoundMaterial()[0].GetPath() == "/Head/Skin"
    weights = np.array(UsdGeom.PrimvarsAPI(face).GetPrimvar("skel:jointWeights").Get()).reshape(len(open_head().template), -1)
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-5)
    assert len(UsdSkel.BindingAPI(face).GetBlendShapesAttr().Get()) == 52


def test_without_the_package_it_says_how_to_get_it(track, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pxr", None)
    with pytest.raises(MissingExtraError, match=r"usd-core.*pip install 'headcast\[usd\]'"):
        follow(export_usd(track, open_head(), tmp_path / "head.usdz", None))
    assert not list(tmp_path.iterdir())


def test_other_names_and_files_are_refused(track, tmp_path):
    pytest.importorskip("pxr", reason="usd-core is not installed")
    with pytest.raises(InputError, match=r"ends in \.usdz, found 'head\.obj'"):
        follow(export_usd(track, open_head(), tmp_path / "head.obj", None))
    (tmp_path / "no.usdz").write_bytes(b"nothing")
    with pytest.raises(FormatError, match="usd-core cannot open"):
        read_usd(tmp_path / "no.usdz")
    with pytest.raises(InputError, match="found none"):
        read_usd(tmp_path / "gone.usdz")
