"""Runs of several cameras: every picture of a data set lies under the head as its own camera recorded it."""

import json

import cv2
import numpy as np
import pytest
import torch
from small_tracks import Chart, assert_seen_as_recorded, small_track, with_rig
from synthetic_models import flame_arrays, write_flame_pickle

from headcast.capture.rigs import open_cameras
from headcast.errors import InputError
from headcast.export import (
    ColmapConfig,
    NerfConfig,
    NerfstudioConfig,
    export_colmap,
    export_nerf,
    export_nerfstudio,
    export_track,
    read_colmap,
    read_colmap_pictures,
    read_nerf,
    read_nerfstudio,
    read_parameters,
)
from headcast.heads import open_head
from headcast.heads.flame import load_flame, load_flame_root
from headcast.solve.step import follow

UNSEEN = {1: (0, 4), 2: (0, 1, 2)}
"""Frames in which cameras found no face, besides the one in which none did."""


def rig(frame_count=6, cameras=3):
    return with_rig(small_track(open_head(), frame_count), cameras)


def recordings(track, unseen=UNSEEN):
    valid = track.valid.numpy()
    found = [valid & ~np.isin(np.arange(track.frame_count), unseen.get(idx, ())) for idx in range(len(track.cameras))]
    return [Chart(track, idx, found[idx]) for idx in range(len(track.cameras))]


def written(folder, track, unseen=UNSEEN, **settings):
    steps = []
    config = NerfConfig(background="recording", cut_neck=False, **settings)
    follow(export_nerf(track, open_head(), recordings(track, unseen), folder, config), steps.append)
    return steps


def table_of(folder, split=""):
    return json.loads((folder / f"transforms{split}.json").read_text())


def where(entries):
    return [(entry["timestep_index_original"], entry["camera_index"]) for entry in entries]


def picture_at(path):
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)[..., ::-1]


def vertices_of(track, frame):
    return track.head(open_head()).posed(track.pose(frame)).vertices


@pytest.mark.parametrize("scale", [1.0, 0.6])
def test_every_picture_shows_the_head_where_its_own_camera_recorded_it(tmp_path, scale):
    track = rig()
    written(tmp_path, track, scale=scale)
    entries = table_of(tmp_path)["frames"]
    seen = [(frame, camera) for frame in (0, 1, 2, 4, 5) for camera in range(3) if frame not in UNSEEN.get(camera, ())]
    assert where(entries) == seen
    for entry, posed in zip(entries, read_nerf(tmp_path), strict=True):
        frame, camera = entry["timestep_index_original"], entry["camera_index"]
        assert entry["file_path"] == f"images/{entry['timestep_index']:05d}_{camera:02d}.png" and entry["camera_id"] == f"view {camera}"
        assert entry["fg_mask_path"] == entry["file_path"].replace("images", "fg_masks") and posed.mask.is_file()
        assert (entry["cx"], entry["cy"]) == (entry["w"] / 2, entry["h"] / 2), "consumers take the middle for the principal point"
        pixels = posed.camera.project(torch.from_numpy(read_parameters(posed)["vertices"])).numpy()
        assert_seen_as_recorded(track.camera_at(frame, camera), picture_at(posed.picture), pixels, vertices_of(track, frame))


def test_every_time_step_has_one_head(tmp_path):
    track = rig()
    written(tmp_path, track)
    heads = sorted(path.name for path in (tmp_path / "head_param").iterdir())
    assert heads == [f"{index:05d}.npz" for index in range(5)]
    paths = {entry["timestep_index"]: entry["head_param_path"] for entry in table_of(tmp_path)["frames"]}
    middle = track.world_from_head.translation[[0, 1, 2, 4, 5]].mean(0)
    for index, frame in enumerate((0, 1, 2, 4, 5)):
        with np.load(tmp_path / paths[index]) as stored:
            np.testing.assert_allclose(stored["vertices"], vertices_of(track, frame) - middle, atol=1e-5)


def test_flame_rigs_share_the_numbers_of_a_time_step(tmp_path):
    file = tmp_path / "flame2020.pkl"
    write_flame_pickle(file, flame_arrays())
    model, root = load_flame(file), load_flame_root(file)
    track = with_rig(small_track(model, 3, invalid=()))
    follow(export_nerf(track, model, recordings(track, {}), tmp_path / "set", NerfConfig(cut_neck=False), root))
    assert {entry["flame_param_path"] for entry in table_of(tmp_path / "set")["frames"]} == {f"flame_param/{index:05d}.npz" for index in range(3)}
    assert len(table_of(tmp_path / "set", "_backup")["frames"]) == 9


def test_the_division_is_vhaps(tmp_path):
    """The last 30 % of the time steps test, with all cameras; of those before, the last camera validates."""
    track = with_rig(small_track(open_head(), 10, invalid=()), 3)
    written(tmp_path, track, {})
    train, val, test = (table_of(tmp_path, f"_{split}") for split in ("train", "val", "test"))
    assert (train["timestep_indices"], train["camera_indices"]) == (list(range(7)), [0, 1]) and len(train["frames"]) == 14
    assert (val["timestep_indices"], val["camera_indices"]) == (list(range(7)), [2]) and len(val["frames"]) == 7
    assert (test["timestep_indices"], test["camera_indices"]) == ([7, 8, 9], [0, 1, 2]) and len(test["frames"]) == 9


@pytest.mark.parametrize(("written_cameras", "named", "validating"), [
    ([0, 1, 8, 9], (), [8]), ([0, 3, 5], (), [5]), ([4], (), []), ([0, 1, 2], ("view 0", "view 1"), [0, 1]),
])  # fmt: skip
def test_the_ninth_camera_validates_or_the_last_or_those_named(written_cameras, named, validating):
    assert NerfConfig(val_cameras=named).validating(rig(4, 10), written_cameras) == validating


@pytest.mark.parametrize(("named", "words"), [
    (("side",), "expected names of cameras as --nerf.val-cameras .view 0, view 1, view 2., found 'side'"),
    (("view 0", "view 1", "view 2"), "expected a camera to train on beside --nerf.val-cameras, found all of them"),
])  # fmt: skip
def test_validation_cameras_that_make_no_sense_are_refused_and_an_earlier_export_stays(tmp_path, named, words):
    track = rig()
    written(tmp_path / "set", track)
    with pytest.raises(InputError, match=words):
        captures = recordings(track)
        follow(export_track(track, open_head(), "nerf", tmp_path / "set", None, True, captures, NerfConfig(val_cameras=named, cut_neck=False)))
    assert len(read_nerf(tmp_path / "set")) > 0


def test_pictures_that_are_left_out_are_said_and_only_those(tmp_path):
    track = rig()
    messages = [step.message for step in written(tmp_path / "some", track) if step.message]
    assert messages == ["pictures in which a camera found no face are left out, of 5 per camera: view 1 2, view 2 3"]
    assert not any(step.message for step in written(tmp_path / "all", track, {}))


def test_a_camera_that_never_sees_the_face_is_no_part_of_the_set(tmp_path):
    written(tmp_path, rig(), {2: tuple(range(6))})
    assert table_of(tmp_path)["camera_indices"] == [0, 1] and table_of(tmp_path, "_val")["camera_indices"] == [1]


def test_steps_count_the_pictures_of_all_cameras(tmp_path):
    steps = written(tmp_path, rig(), {})
    assert [(step.done, step.total) for step in steps] == [(done, 15) for done in range(1, 16)]


def assert_still_head_is_seen(track, pictures, several):
    """Cameras about a skull that stands still see what was recorded."""
    for posed, (frame, camera) in zip(pictures, several, strict=True):
        assert posed.picture.name.endswith(f"_{camera:02d}.png") and posed.mask.is_file()
        vertices = vertices_of(track, frame)
        skull = track.head(open_head()).skull(track.pose(frame))
        pixels = posed.camera.project(skull.inverse().points(vertices)).numpy()
        assert_seen_as_recorded(track.camera_at(frame, camera), picture_at(posed.picture), pixels, vertices)


SEEN = [(frame, camera) for frame in (0, 1, 2, 4, 5) for camera in range(3) if frame not in UNSEEN.get(camera, ())]


def test_nerfstudio_has_all_cameras_with_a_lens_beside_each_picture(tmp_path):
    track = rig()
    follow(export_nerfstudio(track, open_head(), recordings(track), tmp_path, NerfstudioConfig(cut_neck=False, test_share=0.4)))
    assert_still_head_is_seen(track, read_nerfstudio(tmp_path), SEEN)
    table = table_of(tmp_path)
    assert not {"fl_x", "w", "cx"} & set(table), "nerfstudio would take it for the lens of all pictures"
    held = {entry["timestep_index"] for entry in table["frames"] if entry["file_path"] in table["test_filenames"]}
    assert len(held) == 2
    for entry in table["frames"]:
        assert (entry["file_path"] in table["test_filenames"]) == (entry["timestep_index"] in held)
        assert (entry["file_path"] in table["train_filenames"]) != (entry["timestep_index"] in held)


def test_colmap_has_all_cameras_with_their_lenses(tmp_path):
    track = rig()
    follow(export_colmap(track, open_head(), recordings(track), tmp_path, ColmapConfig(cut_neck=False)))
    assert_still_head_is_seen(track, read_colmap_pictures(tmp_path), SEEN)
    sparse = tmp_path / "sparse" / "0"
    assert [line.split()[:2] for line in (sparse / "cameras.txt").read_text().splitlines()] == [[str(n), "PINHOLE"] for n in (1, 2, 3)]
    for file in sparse.glob("*.bin"):
        file.unlink()
    text = read_colmap(sparse)
    for name, camera in text.cameras.items():
        own = track.camera_at(0, int(name[6:8]))
        torch.testing.assert_close(camera.focal_px, own.focal_px)
        assert camera.size == own.size


def test_a_set_of_a_rig_is_read_as_a_recording_of_known_cameras(tmp_path):
    track = rig()
    written(tmp_path, track, {})
    cameras, frames = open_cameras(tmp_path).cameras, (0, 1, 2, 4, 5)
    assert len(cameras) == 3 and all(len(camera.pictures) == 5 for camera in cameras)
    poses = [torch.from_numpy(camera.camera_from_world).expand(5, 4, 4) for camera in cameras]
    for idx, camera in enumerate(cameras):
        assert camera.focal_px == pytest.approx(track.camera_at(0, idx).focal_px.numpy(), rel=1e-5)
        for place, frame in enumerate(frames):
            first, own = (track.camera_at(frame, one).camera_from_world.matrix().double() for one in (0, idx))
            torch.testing.assert_close(
                poses[idx][place].double() @ torch.linalg.inv(poses[0][place].double()), own @ torch.linalg.inv(first), atol=1e-5, rtol=1e-5
            )


@pytest.mark.parametrize("kind", ["nerfstudio", "colmap"])
def test_pictures_named_by_step_and_camera_are_read_back_as_a_rig(kind, tmp_path):
    track = rig(4)
    export, config = {"nerfstudio": (export_nerfstudio, NerfstudioConfig), "colmap": (export_colmap, ColmapConfig)}[kind]
    follow(export(track, open_head(), recordings(track, {}), tmp_path, config(cut_neck=False)))
    files = open_cameras(tmp_path)
    assert [camera.name for camera in files.cameras] == ["00", "01", "02"]
    frames = [frame for frame in range(track.frame_count) if bool(track.valid[frame])]
    skull = track.head(open_head()).skull(track.pose(torch.tensor(frames)))
    for idx, camera in enumerate(files.cameras):
        assert camera.focal_px == pytest.approx(track.cameras[idx].focal_px.reshape(-1, 2)[0].numpy(), rel=1e-5)
        for place, frame in enumerate(frames):
            expected = (track.camera_at(frame, idx).camera_from_world @ skull[place]).matrix().numpy()
            np.testing.assert_allclose(camera.camera_from_world[place], expected, atol=1e-5)


@pytest.mark.parametrize("kind", ["nerfstudio", "colmap"])
def test_a_rig_whose_cameras_miss_steps_says_which(kind, tmp_path):
    track = rig()
    export, config = {"nerfstudio": (export_nerfstudio, NerfstudioConfig), "colmap": (export_colmap, ColmapConfig)}[kind]
    follow(export(track, open_head(), recordings(track), tmp_path, config(cut_neck=False)))
    with pytest.raises(InputError, match=r"none of step 00000 of camera '01' \(2 missing\).* --pictures-are frames"):
        open_cameras(tmp_path)
