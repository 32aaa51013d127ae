"""IMavatar's data sets: its FLAME, four times as large, seen by its camera, is where the recording shows the head."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from small_tracks import Chart, assert_seen_as_recorded, small_track
from synthetic_models import flame_vertices

from headcast.errors import FormatError, InputError
from headcast.export import ImavatarConfig, export_imavatar, export_track, read_imavatar
from headcast.heads import open_head
from headcast.solve.step import follow


@pytest.fixture(scope="module")
def track(flame):
    """With no more coefficients than IMavatar takes."""
    track = small_track(flame[1], frame_count=4, invalid=(2,))
    expression, identity = track.expression.clone(), track.identity.clone()
    expression[:, 50:], identity[100:] = 0, 0
    return replace(track, expression=expression, identity=identity)


def written(folder, flame, track, **settings):
    steps = []
    settings = {"cut_neck": False, **settings}
    follow(export_imavatar(track, flame[1], Chart(track), flame[2], folder, ImavatarConfig(**settings)), steps.append)
    return steps


@pytest.mark.parametrize("scale", [1.0, 1.5])
def test_its_rays_meet_the_head_where_the_recording_shows_it(flame, track, tmp_path, scale):
    """As IMavatar lifts pixels: x = (u − cx) / fx · z and y = (v − cy) / fy · z on the plane z = −1 of a camera that world_mat leads to."""
    written(tmp_path, flame, track, scale=scale, background="recording")
    table = json.loads((tmp_path / "flame_params.json").read_text())
    for frame, entry in zip((0, 1, 3), table["frames"], strict=True):
        picture = cv2.imread(str(tmp_path / f"{entry['file_path']}.png"))[..., ::-1]
        size = np.array(picture.shape[1::-1])
        (fx, fy), (cx, cy) = np.array(table["intrinsics"][:2]) * size, np.array(table["intrinsics"][2:]) * size
        coefficients = np.zeros(400)
        coefficients[:100], coefficients[300:350] = table["shape_params"], entry["expression"]
        points = 4 * flame_vertices(flame[0], coefficients, np.array(entry["pose"]).reshape(5, 3), np.zeros(3))
        inside = points @ np.array(entry["world_mat"])[:, :3].T + np.array(entry["world_mat"])[:, 3]
        on_plane = inside / -inside[:, 2:]
        pixels = np.stack([on_plane[:, 0] / -1 * fx + cx, on_plane[:, 1] / -1 * fy + cy], 1)
        vertices = track.head(flame[1]).posed(track.pose(frame)).vertices
        np.testing.assert_allclose(pixels, scale * track.camera.project(vertices).numpy(), atol=0.02)
        assert_seen_as_recorded(track.camera_at(frame), picture, pixels, vertices)
        left, top, right, bottom = (np.array(entry["bbox"]) + 1) / 2 * np.tile(size, 2)
        np.testing.assert_allclose([left, top], pixels.min(0).clip(0), atol=0.02)
        np.testing.assert_allclose([right, bottom], np.minimum(pixels.max(0), size), atol=0.02)


def test_files_are_where_imavatar_and_splatting_avatar_look(flame, track, tmp_path):
    written(tmp_path, flame, track)
    for entry in json.loads((tmp_path / "flame_params.json").read_text())["frames"]:
        assert "/image/" in entry["file_path"] and int(entry["file_path"].split("/")[-1]) >= 0
        assert (tmp_path / f"{entry['file_path']}.png").is_file() and (tmp_path / f"{entry['file_path'].replace('image', 'mask')}.png").is_file()
        assert len(entry["pose"]) == 15 and len(entry["expression"]) == 50


def test_reading_undoes_writing(flame, track, tmp_path):
    written(tmp_path, flame, track)
    found = read_imavatar(tmp_path)
    np.testing.assert_allclose(found.shape, track.identity[:100], atol=1e-7)
    np.testing.assert_allclose(found.expression, track.expression[[0, 1, 3], :50], atol=1e-7)
    np.testing.assert_allclose(found.pose[:, 3:].reshape(3, 4, 3), track.joint_rotations[[0, 1, 3]], atol=1e-7)
    for frame, picture, pose, expression in zip((0, 1, 3), found.pictures, found.pose, found.expression, strict=True):
        coefficients = np.concatenate([found.shape, np.zeros(200), expression, np.zeros(50)])
        points = flame_vertices(flame[0], coefficients, pose.reshape(5, 3), np.zeros(3))
        own = track.camera.project(track.head(flame[1]).posed(track.pose(frame)).vertices)
        torch.testing.assert_close(picture.camera.project(torch.from_numpy(points).float()), own, atol=0.02, rtol=1e-4)
        assert picture.mask.is_file()


def test_coefficients_without_a_place_are_measured(flame, tmp_path):
    whole = small_track(flame[1], frame_count=2, invalid=())
    message = written(tmp_path / "whole", flame, whole)[-1].message
    assert "the first 100 and 50 are written" in message
    kept = replace(whole, identity=whole.identity.clone(), expression=whole.expression.clone())
    kept.identity[100:], kept.expression[:, 50:] = 0, 0
    # Without pose, what is left out is exactly the difference of the two heads.
    away = [
        (whole.head(flame[1]).vertices - kept.head(flame[1]).vertices)
        + ((whole.expression - kept.expression)[frame, :, None, None] * flame[1].expression_basis).sum(0)
        for frame in range(2)
    ]
    rms = 1000 * float(sum(one.square().sum(-1).mean() for one in away) / 2) ** 0.5
    assert f"{rms:.2f} mm" in message and rms > 0.1


def test_a_track_of_another_model_is_refused_before_anything_is_written(tmp_path):
    track = small_track(open_head())
    with pytest.raises(InputError, match="holds parameters of the FLAME model"):
        follow(export_track(track, open_head(), "imavatar", tmp_path / "set", captures=[Chart(track)]))
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (lambda table: table.pop("intrinsics"), FormatError, "'intrinsics'"),
        (lambda table: table["frames"][1].pop("pose"), FormatError, "'pose'"),
        (lambda table: table["frames"][0].update(world_mat=np.zeros((3, 4)).tolist()), FormatError, "no rigid motion"),
        (lambda table: [entry.update(pose=[0.0] * 6) for entry in table["frames"]], FormatError, "15 numbers of pose"),
        (lambda table: table["frames"][0].update(file_path="./image/77777"), InputError, "77777.png"),
    ],
)
def test_a_broken_table_says_what_is_wrong(flame, track, tmp_path, change, error, words):
    written(tmp_path, flame, track)
    table = json.loads((tmp_path / "flame_params.json").read_text())
    change(table)
    (tmp_path / "flame_params.json").write_text(json.dumps(table))
    with pytest.raises(error, match=words):
        read_imavatar(tmp_path)
