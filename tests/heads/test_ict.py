"""The ICT face model becomes a head model with joints; its folder of meshes and its arrays give the same one."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from headcast.errors import FormatError
from headcast.heads.ict import load_ict
from headcast.heads.regions import REGION_NAMES
from headcast.heads.wavefront import read_polygons, triangulated

_DATA = Path(os.environ.get("HEADCAST_TEST_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")
_FILE = _DATA / "models" / "ict_facekit_light_fp16.npz"
needs_file = pytest.mark.skipif(not _FILE.is_file(), reason=f"the ICT arrays are not at {_FILE}")


@pytest.fixture(scope="module")
def model():
    return load_ict(_FILE)


@needs_file
def test_units_origin_and_names_are_ours(model):
    assert model.template.shape == (26719, 3) and model.identity_count == 100 and model.expression_count == 57
    assert {"jawOpen", "eyeBlinkLeft", "mouthSmileRight", "browInnerUpLeft"} <= set(model.expression_names)
    torch.testing.assert_close(model.joint_template[2:].mean(0), torch.zeros(3), atol=1e-6, rtol=0)
    between = float((model.joint_template[2] - model.joint_template[3]).norm())
    assert 0.058 < between < 0.066, "distance between the eyeballs of an adult, in metres"
    assert model.joint_template[model.joint_names.index("left_eye"), 0] > 0
    assert set(REGION_NAMES) <= set(model.regions)


@needs_file
def test_no_hidden_shell_is_drawn_and_the_texture_fits_one_picture(model):
    assert len(model.faces) == 45644
    used = torch.zeros(len(model.template), dtype=torch.bool)
    used[model.faces.flatten()] = True
    assert not used[24591:].any(), "tear fluid, occlusion shells and lashes"
    assert not used[22221:23021].any(), "the iris behind the left cornea"
    assert float(model.uv.min()) >= 0 and float(model.uv.max()) <= 1
    assert int(model.uv_faces.max()) < len(model.uv)


@needs_file
def test_the_jaw_joint_moves_the_lower_teeth_as_jaw_open_does(model):
    """jawOpen at one moves the lower teeth as a rigid body by about 25 degrees; turning the joint by that angle moves them alike."""
    teeth = torch.zeros(len(model.template), dtype=torch.bool)
    teeth[19247:21451] = True
    pose = model.neutral_pose()
    pose.expression[model.expression_names.index("jawOpen")] = 1
    opened = model.shaped(torch.zeros(100)).posed(pose).vertices
    pose = model.neutral_pose()
    pose.joint_rotations[model.joint_names.index("jaw"), 0] = np.deg2rad(25.33)
    turned = model.shaped(torch.zeros(100)).posed(pose).vertices
    assert float((opened - turned)[teeth].norm(dim=1).max()) < 5e-4
    upper = slice(17039, 19247)
    assert float((turned - model.template)[upper].norm(dim=1).max()) < 1e-6, "the upper teeth stay with the skull"


@needs_file
def test_eyes_turn_about_their_centres_and_towards_where_the_expression_looks(model):
    shaped = model.shaped(torch.zeros(100))
    for name, eye, axis, sign in (("eyeLookUpLeft", "left_eye", 1, 1), ("eyeLookOutLeft", "left_eye", 0, 1), ("eyeLookInRight", "right_eye", 0, 1)):
        pose = model.neutral_pose()
        pose.expression[model.expression_names.index(name)] = 1
        iris = model.regions["irises"] & ((model.template[:, 0] > 0) == (eye == "left_eye"))
        moved = (shaped.posed(pose).vertices - model.template)[iris].mean(0)
        assert sign * float(moved[axis]) > 3e-3
        centre = model.joint_template[model.joint_names.index(eye)]
        radius = (model.template[iris] - centre).norm(dim=1)
        torch.testing.assert_close((shaped.posed(pose).vertices[iris] - centre).norm(dim=1), radius, atol=1e-6, rtol=0)


@needs_file
def test_the_neck_joint_moves_the_head_and_leaves_the_rim(model):
    pose = model.neutral_pose()
    pose.joint_rotations[model.joint_names.index("neck"), 1] = 0.5
    moved = model.shaped(torch.zeros(100)).posed(pose).vertices
    assert float((moved - model.template)[model.regions["boundary"]].norm(dim=1).max()) < 1e-6
    face = model.template[model.regions["face"]]
    found = moved[model.regions["face"]]
    skull = (found[:, None] - found[None, ::200]).norm(dim=-1) - (face[:, None] - face[None, ::200]).norm(dim=-1)
    assert float(skull.abs().max()) < 1e-3, "the face turns as one piece"


@needs_file
def test_joints_follow_identity(model):
    rng = torch.Generator().manual_seed(1)
    shaped = model.shaped(torch.randn(100, generator=rng))
    left = shaped.vertices[21451:22221].mean(0) - model.template[21451:22221].mean(0)
    moved = shaped.joints[2] - model.joint_template[2]
    assert float((left - moved).norm()) < 1e-3


def _write_folder(folder: Path, arrays, modes: int, expressions: tuple[str, ...]) -> None:
    folder.mkdir()
    vertices = arrays["vertices"].astype(np.float64)
    rows = []
    material = -1
    for corners, uvs, own in zip(arrays["quads"], arrays["quads_uv"], arrays["face_material"]):
        if own != material:
            material = own
            rows.append(f"usemtl {arrays['material_names'][own]}")
        rows.append("f " + " ".join(f"{a + 1}/{b + 1}" for a, b in zip(corners, uvs) if a >= 0))

    def write(name: str, positions: np.ndarray, full: bool = False) -> None:
        lines = [f"v {x:.9g} {y:.9g} {z:.9g}" for x, y, z in positions]
        if full:
            lines += [f"vt {u:.9g} {v:.9g}" for u, v in arrays["uv"]] + rows
        (folder / f"{name}.obj").write_text("\n".join(lines))

    write("generic_neutral_mesh", vertices, full=True)
    for idx in range(modes):
        write(f"identity{idx:03d}", vertices + arrays["identity"][idx].astype(np.float64))
    names = [str(name) for name in arrays["expression_names"]]
    for name in expressions:
        write(name, vertices + arrays["expression"][names.index(name)].astype(np.float64))
    (folder / "vertex_indices.json").write_text(json.dumps({"idx_to_landmark_verts": arrays["landmarks68"].tolist()}))


@needs_file
def test_a_folder_of_meshes_gives_the_same_model_as_the_arrays(model, tmp_path):
    with np.load(_FILE) as arrays:
        _write_folder(tmp_path / "FaceXModel", dict(arrays), 2, ("jawOpen", "eyeLookUp_L"))
    found = load_ict(tmp_path)
    assert found.expression_names == ("eyeLookUpLeft", "jawOpen") and found.identity_count == 2
    torch.testing.assert_close(found.template, model.template, atol=1e-7, rtol=0)
    torch.testing.assert_close(found.identity_basis, model.identity_basis[:2], atol=1e-7, rtol=0)
    torch.testing.assert_close(found.expression_basis[1], model.expression_basis[model.expression_names.index("jawOpen")], atol=1e-7, rtol=0)
    assert (found.faces == model.faces).all()
    torch.testing.assert_close(found.uv[found.uv_faces], model.uv[model.uv_faces])
    (tmp_path / "FaceXModel" / "identity000.obj").unlink()
    with pytest.raises(FormatError, match="without gaps"):
        load_ict(tmp_path)


@needs_file
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda a: a.pop("identity"), "identity"),
        (lambda a: a.update(quads=a["quads"] + 30000), "quads"),
        (lambda a: a.update(expression_names=np.array(["x"] * 57)), "jawOpen"),
        (lambda a: a.update(units=np.array("mm")), "'cm'"),
        (lambda a: a.update(vertices=np.where(a["vertices"] > 12, np.nan, a["vertices"])), "not finite"),
    ],
)
def test_broken_arrays_say_what_is_wrong(tmp_path, change, said):
    with np.load(_FILE) as stored:
        arrays = dict(stored)
    change(arrays)
    np.savez(tmp_path / "ict.npz", **arrays)
    with pytest.raises(FormatError, match=said):
        load_ict(tmp_path / "ict.npz")


def test_obj_text_is_read_with_triangles_quads_and_materials(tmp_path):
    text = "# note\nv 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvt 0 0\nvt 1 1\nusemtl a\nf 1/1 2/1 3/2 4/2\ng x\nusemtl b\nf 1 3 4\n"
    (tmp_path / "a.obj").write_text(text)
    found = read_polygons(tmp_path / "a.obj")
    assert found.corners.tolist() == [[0, 1, 2, 3], [0, 2, 3, -1]]
    assert found.uv_corners.tolist() == [[0, 0, 1, 1], [-1, -1, -1, -1]]
    assert found.material.tolist() == [0, 1] and found.material_names == ("a", "b")
    triangles, source = triangulated(found.corners)
    assert triangles.tolist() == [[0, 1, 2], [0, 2, 3], [0, 2, 3]] and source.tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("v 0 0\n", "3 numbers"),
        ("v 0 0 x\n", "3 numbers"),
        ("v 0 0 nan\nf 1 1 1\n", "finite"),
        ("v 0 0 0\nf 1 1 2\n", "vertex numbers up to 1"),
        ("v 0 0 0\nf 1 1\n", "three or four"),
        ("v 0 0 0\nf -1 -1 -1\n", "positive numbers"),
    ],
)
def test_broken_obj_text_says_what_is_wrong(tmp_path, text, said):
    (tmp_path / "a.obj").write_text(text)
    with pytest.raises(FormatError, match=said):
        read_polygons(tmp_path / "a.obj")
