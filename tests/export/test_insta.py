"""INSTA's data sets: the mesh of a frame, seen by that frame's camera as INSTA reads it, lies where the picture shows the head."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
import trimesh
from small_tracks import Chart, Recording, assert_seen_as_recorded, small_track, with_moving_camera

from headcast.errors import ConfigError
from headcast.export import InstaConfig, export_insta, read_insta
from headcast.heads import open_head
from headcast.solve.step import follow

SHADES = {"skin": 250, "left_eye": 210, "right_eye": 200, "nose": 150, "upper_lip": 130, "lower_lip": 120, "hair": 80, "cloth": 90}
"""Red in INSTA's own parsing pictures."""


def written(folder, track=None, recording=Recording, model=None, **settings):
    track = small_track(open_head()) if track is None else track
    steps = []
    follow(export_insta(track, model or open_head(), recording(track), folder, InstaConfig(**settings)), steps.append)
    return track, [frame for frame in range(track.frame_count) if track.valid[frame]], steps


def near(track, distance=0.5):
    """A head that fills the picture, or leaves some room."""
    place = torch.tensor([0.0, 0.02, -distance]).expand(track.frame_count, 3)
    return replace(track, world_from_head=replace(track.world_from_head, translation=place))


@pytest.mark.parametrize("moving", [False, True])
def test_the_mesh_lies_where_its_camera_sees_it(tmp_path, moving):
    track = small_track(open_head())
    track = with_moving_camera(track) if moving else track
    _, frames, _ = written(tmp_path, track, recording=Chart, background="recording")
    table = json.loads((tmp_path / "transforms.json").read_text())
    head = track.head(open_head())
    for frame, entry in zip(frames, table["frames"], strict=True):
        mesh = trimesh.load(tmp_path / entry["mesh_path"], process=False)
        assert (mesh.faces == open_head().faces.numpy()).all()
        camera_from_world = np.linalg.inv(np.array(entry["transform_matrix"]))  # OpenCV, nothing flipped
        inside = mesh.vertices @ camera_from_world[:3, :3].T + camera_from_world[:3, 3]
        pixels = inside[:, :2] / inside[:, 2:] * [table["fl_x"], table["fl_y"]] + [table["cx"], table["cy"]]
        vertices = head.posed(track.pose(frame)).vertices
        np.testing.assert_allclose(pixels, track.camera_at(frame).project(vertices).numpy(), atol=0.01)
        assert_seen_as_recorded(track.camera_at(frame), cv2.imread(str(tmp_path / entry["file_path"]))[..., ::-1], pixels, vertices)


def test_depth_is_that_of_the_mesh_in_millimetres(tmp_path):
    track, _, _ = written(tmp_path, near(small_track(open_head())))
    nose = int(track.head(open_head()).vertices[:, 2].argmax())
    for picture in read_insta(tmp_path):
        depth = cv2.imread(str(picture.files["depth_path"]), cv2.IMREAD_UNCHANGED)
        assert depth.dtype == np.uint16 and depth.shape == picture.camera.size
        mesh = trimesh.load(picture.files["mesh_path"], process=False)
        place = torch.from_numpy(np.array(mesh.vertices[[nose]], np.float32))
        x, y = picture.camera.project(place)[0].int().tolist()
        expected = float(picture.camera.camera_from_world.points(place)[0, 2])
        assert abs(depth[y, x] / 1000 - expected) < 0.004, "the pixel's centre is up to half a pixel, 1.5 mm here, beside the tip"


def test_parts_of_the_face_have_instas_shades(tmp_path):
    track, _, _ = written(tmp_path, near(small_track(open_head(), frame_count=2, invalid=())), frames="1:", scale=2.0)
    picture = read_insta(tmp_path)[0]
    parts = cv2.imread(str(picture.files["seg_mask_path"]))
    assert not parts[..., :2].any(), "only red"
    model = open_head()
    vertices = track.head(model).posed(track.pose(1)).vertices
    pixels = (2 * track.camera.project(vertices)).int().numpy()
    left = model.template[:, 0].numpy() > 0
    for shade, region in (("nose", model.regions["nose"].numpy()), ("left_eye", model.regions["irises"].numpy() & left),
                          ("right_eye", model.regions["irises"].numpy() & ~left)):  # fmt: skip
        x, y = np.median(pixels[region], 0).astype(int)
        assert parts[y, x, 2] == SHADES[shade], shade
    lips = pixels[model.regions["lips"].numpy()]
    assert {SHADES["upper_lip"], SHADES["lower_lip"]} <= set(
        parts[lips[:, 1].min() : lips[:, 1].max(), lips[:, 0].min() : lips[:, 0].max(), 2].ravel()
    )
    assert set(np.unique(parts[..., 2])) <= {0, 140, 170, 180, 110, *SHADES.values()}
    assert (parts[-20:, ..., 2] == SHADES["cloth"]).any() and (parts[24:40, ..., 2] == SHADES["hair"]).any()


def test_clothes_are_cut_out_of_the_pictures_and_the_head_is_not(tmp_path):
    track = near(small_track(open_head()), 0.75)
    written(tmp_path / "cut", track, scale=2.0)
    written(tmp_path / "whole", track, scale=2.0, cut_neck=False)
    for cut, whole in zip(read_insta(tmp_path / "cut"), read_insta(tmp_path / "whole"), strict=True):
        parts = cv2.imread(str(cut.files["seg_mask_path"]))[..., 2]
        core = cv2.erode((parts == SHADES["cloth"]).astype(np.uint8), np.ones((9, 9))) > 0
        nose = parts == SHADES["nose"]
        cut_alpha, alpha = (cv2.imread(str(picture.picture), cv2.IMREAD_UNCHANGED)[..., 3].astype(int) for picture in (cut, whole))
        assert core.any() and cut_alpha[core].max() < 10 and (alpha[core] == 255).all()
        assert nose.any() and np.abs(cut_alpha - alpha)[nose].max() < 3


def test_the_canonical_mouth_is_open_and_the_rest_is_at_rest(tmp_path):
    track, _, _ = written(tmp_path)
    model = open_head()
    found = np.array(trimesh.load(tmp_path / "canonical.obj", process=False).vertices)
    rest = track.head(model).vertices.numpy()
    moved = np.linalg.norm(found - rest, axis=1)
    jaw = model.joint_names.index("jaw")
    chin = int(model.skinning_weights[:, jaw].argmax())
    reach = np.linalg.norm(rest[chin, 1:] - track.head(model).joints[jaw].numpy()[1:])
    assert moved[model.regions["scalp"].numpy()].max() < 1e-5
    np.testing.assert_allclose(moved[chin], 2 * reach * np.sin(np.radians(12) / 2), rtol=0.01)
    assert found[chin, 1] < rest[chin, 1]


def test_without_a_jaw_the_mouth_stays_closed_and_that_is_said(tmp_path):
    model = open_head()
    names = tuple("chin" if name == "jaw" else name for name in model.joint_names)
    track = replace(small_track(model), joint_names=names)
    _, _, steps = written(tmp_path, track, model=replace(model, joint_names=names))
    assert "closed mouth" in steps[-1].message
    found = np.array(trimesh.load(tmp_path / "canonical.obj", process=False).vertices)
    np.testing.assert_allclose(found, track.head(model).vertices.numpy(), atol=1e-6)


def test_keys_expressions_and_splits_are_those_of_insta(tmp_path):
    track, frames, _ = written(tmp_path, small_track(open_head(), frame_count=60, invalid=()), test_frames=25, frames="::1")
    tables = {split: json.loads((tmp_path / f"transforms{split}.json").read_text()) for split in ("", "_train", "_val", "_test")}
    common = {"w", "h", "cx", "cy", "fl_x", "fl_y", "camera_angle_x", "camera_angle_y", "x_fov", "y_fov", "integer_depth_scale", "frames"}
    assert set(tables[""]) == common and tables[""]["integer_depth_scale"] == 0.001
    np.testing.assert_allclose(np.radians(tables[""]["x_fov"]), tables[""]["camera_angle_x"])
    names = {split: [entry["file_path"] for entry in table["frames"]] for split, table in tables.items()}
    assert names["_train"] == names[""][:35] and names["_test"] == names[""][35:] and names["_val"] == names[""][-20:]
    entry = tables[""]["frames"][7]
    assert entry["file_path"] == "images/00007.png" and entry["mesh_path"] == "meshes/00007.obj" and entry["exp_path"] == "flame/exp/00007.txt"
    np.testing.assert_allclose(np.loadtxt(tmp_path / entry["exp_path"]), track.expression[frames[7]].numpy(), atol=1e-7)
    assert cv2.imread(str(tmp_path / entry["file_path"]), cv2.IMREAD_UNCHANGED).shape[2] == 4


def test_of_a_short_clip_half_is_for_testing(tmp_path):
    written(tmp_path, small_track(open_head(), frame_count=9, invalid=()))
    assert [len(read_insta(tmp_path, split)) for split in ("train", "test", "val")] == [5, 4, 4]


def test_settings_that_make_no_sense_are_refused():
    with pytest.raises(ConfigError, match="test_frames must not be negative, found -1"):
        InstaConfig(test_frames=-1)
