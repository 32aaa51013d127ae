"""The rigged head: what the file says, read back, is what the track says; the Khronos validator finds nothing wrong with it."""

import json
import shutil
import struct
import subprocess
from dataclasses import replace

import numpy as np
import pytest
import torch
from small_tracks import small_track, with_rig

from headcast.errors import FormatError
from headcast.export import export_glb, read_glb
from headcast.heads import open_head
from headcast.solve.step import follow
from headcast.store.glb import Glb, GlbWriter

_VALIDATE = """
import fs from 'fs'; import validator from 'gltf-validator';
const report = await validator.validateBytes(new Uint8Array(fs.readFileSync(process.argv[2])));
console.log(JSON.stringify(report));
"""


def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (16, 16, 3), np.uint8)


def written(track, tmp_path, albedo=None):
    path = tmp_path / "head.glb"
    follow(export_glb(track, open_head(), path, albedo))
    return path


def corners():
    """Vertex of each corner in the file: the mesh's, repeated along seams of the texture."""
    head = open_head()
    return np.unique(np.stack([head.faces.numpy().ravel(), head.uv_faces.numpy().ravel()], 1), axis=0)


def world_vertices(track, frame):
    return track.head(open_head()).posed(track.pose(frame)).vertices.numpy()[corners()[:, 0]]


def test_pose_and_skin_move_the_head_as_the_track_does(tmp_path):
    track = small_track(open_head())
    track = replace(track, expression=torch.zeros_like(track.expression))
    rigged = read_glb(written(track, tmp_path))
    for frame in range(track.frame_count):
        np.testing.assert_allclose(rigged.posed(frame), world_vertices(track, frame), atol=2e-6)


def test_each_expression_at_one_is_the_models_turning_joints_included(tmp_path):
    head = open_head()
    track = small_track(head, frame_count=head.expression_count, invalid=())
    track = replace(track, expression=torch.eye(head.expression_count), joint_rotations=torch.zeros_like(track.joint_rotations))
    rigged = read_glb(written(track, tmp_path))
    assert rigged.expression_names == head.expression_names
    for frame in range(track.frame_count):
        np.testing.assert_allclose(rigged.posed(frame), world_vertices(track, frame), atol=5e-6)


def test_expressions_together_stay_within_millimetres_of_the_model(tmp_path):
    track = small_track(open_head())
    track = replace(track, expression=0.4 * track.expression)
    rigged = read_glb(written(track, tmp_path))
    errors = np.linalg.norm(rigged.posed(2) - world_vertices(track, 2), axis=1)
    assert np.median(errors) < 0.0005 and errors.max() < 0.006


def test_faces_texture_times_and_names_come_back(tmp_path):
    head, albedo, track = open_head(), picture(), small_track(open_head())
    rigged = read_glb(written(track, tmp_path, albedo))
    np.testing.assert_array_equal(corners()[rigged.faces, 0], head.faces.numpy())
    np.testing.assert_allclose(rigged.uv[rigged.faces], head.uv.numpy()[head.uv_faces.numpy()], atol=1e-6)
    np.testing.assert_array_equal(rigged.texture, albedo)
    np.testing.assert_allclose(rigged.time_s, track.time_s - track.time_s[0])
    np.testing.assert_allclose(rigged.expression, track.expression)
    np.testing.assert_allclose(rigged.skinning_weights.sum(1), 1, atol=1e-6)
    assert rigged.joint_names == ("head", *head.joint_names) and rigged.joint_parents == (-1, *(p + 1 for p in head.joint_parents))


def test_the_camera_sees_what_the_tracks_camera_sees(tmp_path):
    track = small_track(open_head())
    scene = Glb.read(written(track, tmp_path)).scene
    lens = scene["cameras"][0]["perspective"]
    height, width = track.camera.size
    assert np.tan(lens["yfov"] / 2) == pytest.approx(height / 2 / float(track.camera.focal_px[1]))
    assert lens["aspectRatio"] == pytest.approx(width / height)


def test_a_single_photo_is_a_clip_of_one_frame(tmp_path):
    track = small_track(open_head(), frame_count=1, invalid=())
    assert len(read_glb(written(track, tmp_path)).time_s) == 1


def test_the_khronos_validator_finds_nothing(tmp_path):
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("Node.js is not installed: the Khronos validator cannot run")
    command = ["npm", "install", "--no-save", "--prefix", str(tmp_path), "gltf-validator@2.0.0-dev.3.10"]
    installed = subprocess.run(command, capture_output=True, text=True, check=False)
    if installed.returncode:
        pytest.skip(f"the Khronos validator could not be installed: {installed.stderr[-200:]}")
    (tmp_path / "validate.mjs").write_text(_VALIDATE)
    for track in (small_track(open_head()), with_rig(small_track(open_head()))):
        path = written(track, tmp_path, picture())
        report = json.loads(subprocess.run(["node", "validate.mjs", str(path)], cwd=tmp_path, capture_output=True, text=True, check=True).stdout)
        assert report["issues"]["messages"] == []
        assert report["info"]["hasMorphTargets"] and report["info"]["hasSkins"] and report["info"]["animationCount"] == 1


def test_sparse_and_dense_rows_read_back_alike(tmp_path):
    rows = np.zeros((50, 3), np.float32)
    rows[[3, 17]] = [[1, 2, 3], [-4, 5, 6]]
    writer = GlbWriter()
    accessors = [writer.sparse_rows(rows), writer.sparse_rows(rows + 1), writer.sparse_rows(0 * rows), writer.array(rows)]
    writer.write(tmp_path / "rows.glb")
    glb = Glb.read(tmp_path / "rows.glb")
    assert ["sparse" in glb.scene["accessors"][n] for n in accessors] == [True, False, True, False]
    for accessor, right in zip(accessors, (rows, rows + 1, 0 * rows, rows), strict=True):
        np.testing.assert_array_equal(glb.array(accessor), right)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "something else"),
        (b"solid ascii stl, nothing to see here", "something else"),
        (struct.pack("<3I", 0x46546C67, 1, 20) + bytes(8), "version 1"),
        (struct.pack("<3I", 0x46546C67, 2, 4000) + bytes(8), "20 bytes of 4000"),
        (struct.pack("<5I", 0x46546C67, 2, 24, 4, 0x4E4F534A) + b"no{{", "expected JSON"),
    ],
)
def test_what_is_no_glb_file_says_so(tmp_path, content, words):
    path = tmp_path / "wrong.glb"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=words):
        Glb.read(path)


def test_a_mesh_without_a_rig_says_what_is_missing(tmp_path):
    writer = GlbWriter({"asset": {"version": "2.0"}})
    writer.array(np.zeros((3, 3), np.float32))
    writer.write(tmp_path / "plain.glb")
    with pytest.raises(FormatError, match="a mesh, a skin and an animation"):
        read_glb(tmp_path / "plain.glb")
