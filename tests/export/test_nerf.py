"""Data sets for radiance fields: a consumer that reads them as documented sees the tracked head where the recording shows it."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from small_tracks import Recording, small_track, with_moving_camera
from synthetic_models import flame_arrays, flame_vertices, write_flame_pickle

from headcast.cli.main import main
from headcast.errors import ConfigError, FormatError, InputError
from headcast.export import NerfConfig, export_nerf, read_nerf, read_parameters
from headcast.heads import open_head
from headcast.heads.flame import load_flame, load_flame_root
from headcast.solve.step import follow


def written(folder, track=None, model=None, root=None, **settings):
    track = small_track(open_head()) if track is None else track
    recording = Recording(track)
    follow(export_nerf(track, model or open_head(), [recording], folder, NerfConfig(**settings), root))
    return track, recording


def centred(track):
    height, width = track.camera.size
    return replace(track, cameras=(replace(track.camera, center_px=torch.tensor([width / 2, height / 2])),))


def seen_by_field_of_view(table, points):
    """Projects as consumers do that know the field of view only: principal point in the middle, OpenGL camera."""
    world_from_camera = np.array(table["transform_matrix"])
    inside = (points - world_from_camera[:3, 3]) @ world_from_camera[:3, :3]
    focal = np.array([table["w"] / 2 / np.tan(table["camera_angle_x"] / 2), table["h"] / 2 / np.tan(table["camera_angle_y"] / 2)])
    return inside[:, :2] * [1, -1] / -inside[:, 2:] * focal + [table["w"] / 2, table["h"] / 2]


def picture_at(path):
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)


def test_a_camera_that_moves_has_a_pose_in_every_frame(tmp_path):
    track, _ = written(tmp_path, with_moving_camera(small_track(open_head())), cut_neck=False)
    for picture in read_nerf(tmp_path):
        frame = int(json.loads((tmp_path / "transforms.json").read_text())["frames"][picture.timestep]["timestep_id"])
        seen = picture.camera.project(torch.from_numpy(read_parameters(picture)["vertices"])) - picture.camera.center_px
        camera = track.camera_at(frame)
        own = camera.project(track.head(open_head()).posed(track.pose(frame)).vertices) - camera.center_px
        torch.testing.assert_close(seen, own, atol=0.01, rtol=1e-4)


@pytest.mark.parametrize("scale", [1.0, 0.5, 1.7])
def test_a_consumer_that_knows_only_the_field_of_view_sees_the_recording_under_the_head(tmp_path, scale):
    """With an off-centre principal point: a smooth picture has the same colour where either camera sees a vertex."""
    track, recording = written(tmp_path, scale=scale, cut_neck=False)
    frames = [frame for frame in range(track.frame_count) if track.valid[frame]]
    tables = json.loads((tmp_path / "transforms.json").read_text())["frames"]
    assert [table["timestep_index_original"] for table in tables] == frames
    for frame, table in zip(frames, tables, strict=True):
        with np.load(tmp_path / table["head_param_path"]) as stored:
            pixels = seen_by_field_of_view(table, stored["vertices"].astype(np.float64))
        own = track.camera.project(track.head(open_head()).posed(track.pose(frame)).vertices).numpy()
        picture, original = picture_at(tmp_path / table["file_path"]), recording.pictures[frame][..., ::-1]
        height, width = track.camera.size
        inside = (own[:, 0] > 25) & (own[:, 0] < width - 25) & (own[:, 1] > 15) & (own[:, 1] < height - 10)
        assert inside.sum() > 300
        np.testing.assert_allclose((pixels - pixels[0])[inside], scale * (own - own[0])[inside], atol=0.01)
        found, expected = (
            cv2.remap(image.astype(np.float32), *(at[inside].astype(np.float32) - 0.5).T[..., None], cv2.INTER_LINEAR)
            for image, at in ((picture, pixels), (original, own))
        )
        assert np.abs(found - expected).mean() < 2.5, "colours at the projected vertices"
        assert picture.shape == (table["h"], table["w"], 3)


def test_pictures_of_a_centred_camera_are_those_of_the_recording(tmp_path):
    track, recording = written(tmp_path, centred(small_track(open_head())), cut_neck=False)
    first = read_nerf(tmp_path)[0]
    picture, inside = picture_at(first.picture)[..., ::-1], recording.matte == 255
    assert first.camera.size == track.camera.size
    np.testing.assert_array_equal(picture[inside], recording.pictures[0][inside])
    assert (picture[~inside] == 255).all()
    np.testing.assert_array_equal(picture_at(first.mask), recording.matte)


def test_the_head_stays_about_the_origin_and_the_camera_moves_instead(tmp_path):
    written(tmp_path)
    middles = np.stack([read_parameters(picture)["world_from_head"][:3, 3] for picture in read_nerf(tmp_path)])
    np.testing.assert_allclose(middles.mean(0), 0, atol=1e-6)


def test_what_is_below_the_neck_is_left_out_and_only_that(tmp_path):
    # Near enough that the neck ends inside the picture.
    track = small_track(open_head())
    track = replace(track, world_from_head=replace(track.world_from_head, translation=torch.tensor([0.0, 0.03, -0.75]).expand(5, 3)))
    written(tmp_path / "cut", track)
    written(tmp_path / "whole", track, cut_neck=False)
    rim = np.flatnonzero(open_head().regions["boundary"].numpy())
    for cut, whole in zip(read_nerf(tmp_path / "cut"), read_nerf(tmp_path / "whole"), strict=True):
        cut_mask, mask = picture_at(cut.mask).astype(int), picture_at(whole.mask).astype(int)
        points = torch.from_numpy(read_parameters(cut)["vertices"])
        pixels = cut.camera.project(points).numpy()
        lowest, chin = pixels[rim, 1].max(), pixels[open_head().regions["lips"].numpy(), 1].max()
        assert chin < lowest < mask.shape[0] - 12
        between = slice(int(pixels[rim, 0].min()), int(pixels[rim, 0].max()))
        above = (slice(None, int(chin)), between)
        np.testing.assert_allclose(cut_mask[above], mask[above], atol=3)
        below = (slice(int(lowest) + 10, None), between)
        assert cut_mask[below].max() < 10 and mask[below].max() == 255


@pytest.mark.parametrize(("background", "channels", "outside"), [("black", 3, 0), ("none", 4, None), ("recording", 3, "recorded")])
def test_backgrounds(tmp_path, background, channels, outside):
    _, recording = written(tmp_path, centred(small_track(open_head())), background=background, cut_neck=False)
    picture = picture_at(read_nerf(tmp_path)[0].picture)
    assert picture.shape[2] == channels
    if outside is None:
        np.testing.assert_array_equal(picture[..., 3], recording.matte)
    elif outside == "recorded":
        np.testing.assert_array_equal(picture[..., ::-1], recording.pictures[0])
    else:
        assert (picture[recording.matte == 0] == outside).all()


def test_frames_and_splits_are_as_asked_and_numbered_from_zero(tmp_path):
    track = small_track(open_head(), frame_count=12, invalid=(4,))
    written(tmp_path, track, frames="2:12:2", test_share=0.5)
    whole, train, val, test = (read_nerf(tmp_path, split) for split in ("", "train", "val", "test"))
    table = json.loads((tmp_path / "transforms.json").read_text())
    assert [frame["timestep_index_original"] for frame in table["frames"]] == [2, 6, 8, 10]
    assert [p.timestep for p in whole] == [0, 1, 2, 3] and table["timestep_indices"] == [0, 1, 2, 3]
    assert [p.timestep for p in train] == [0, 1] and val == [] and [p.timestep for p in test] == [2, 3]
    assert sorted(path.name for path in (tmp_path / "images").iterdir()) == [f"{n:05d}_00.png" for n in range(4)]


@pytest.mark.parametrize("wrong", [{"scale": 0.0}, {"test_share": 1.0}, {"frames": "5"}, {"frames": "a:b"}, {"frames": "1:2:3:4"}])
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        NerfConfig(**wrong)


def test_frames_without_a_face_are_no_data_set(tmp_path):
    with pytest.raises(InputError, match="expected a face in some of frames 3:4"):
        written(tmp_path, frames="3:4")


def test_flame_heads_are_written_in_flames_own_numbers(tmp_path):
    """FLAME, evaluated as its paper says from the file, gives the tracked vertices."""
    arrays, file = flame_arrays(), tmp_path / "flame2020.pkl"
    write_flame_pickle(file, arrays)
    model, root = load_flame(file), load_flame_root(file)
    track = small_track(model, frame_count=3, invalid=())
    written(tmp_path / "set", track, model, root, cut_neck=False)
    middle = track.world_from_head.translation.mean(0).numpy()
    for frame, picture in enumerate(read_nerf(tmp_path / "set")):
        stored = read_parameters(picture)
        shapes = {name: value.shape for name, value in stored.items()}
        assert shapes == {
            "translation": (1, 3), "rotation": (1, 3), "neck_pose": (1, 3), "jaw_pose": (1, 3), "eyes_pose": (1, 6), "shape": (300,),
            "expr": (1, 100), "static_offset": (1, len(model.template) + 120, 3),
        }  # fmt: skip
        pose = np.concatenate([stored[name].reshape(-1, 3) for name in ("rotation", "neck_pose", "jaw_pose", "eyes_pose")])
        points = flame_vertices(arrays, np.concatenate([stored["shape"], stored["expr"][0]]), pose, stored["translation"][0])
        expected = track.head(model).posed(track.pose(frame)).vertices.numpy() - middle
        np.testing.assert_allclose(points, expected, atol=2e-5)
    with np.load(tmp_path / "set" / "canonical_flame_param.npz") as canonical:
        np.testing.assert_allclose(canonical["jaw_pose"], [[0.3, 0, 0]])
        assert not canonical["expr"].any() and not canonical["translation"].any()
        np.testing.assert_allclose(canonical["shape"], track.identity)


def test_flame_sets_carry_a_motion_for_gaussian_avatars_viewer_and_vhaps_backups(tmp_path):
    file = tmp_path / "flame2020.pkl"
    write_flame_pickle(file, flame_arrays())
    model, root = load_flame(file), load_flame_root(file)
    track = small_track(model, frame_count=4, invalid=(1,))
    written(tmp_path / "set", track, model, root, cut_neck=False)
    with np.load(tmp_path / "set" / "motion.npz") as motion:
        shapes = {name: value.shape for name, value in motion.items()}
        counts = {"translation": 3, "rotation": 3, "neck_pose": 3, "jaw_pose": 3, "eyes_pose": 6, "expr": 100}
        offsets = (3, len(model.template) + 120, 3)
        assert shapes == {name: (3, count) for name, count in counts.items()} | {"shape": (300,), "dynamic_offset": offsets}
        assert {value.dtype for value in motion.values()} == {np.dtype(np.float32)}
        for frame, picture in enumerate(read_nerf(tmp_path / "set")):
            stored = read_parameters(picture)
            for name in counts:
                np.testing.assert_array_equal(motion[name][frame], stored[name][0])
    backups = {name: json.loads((tmp_path / "set" / f"transforms{name}.json").read_text()) for name in ("", "_backup", "_backup_flame")}
    assert backups["_backup_flame"] == backups[""]
    assert all("flame_param_path" not in frame for frame in backups["_backup"]["frames"]) and len(backups["_backup"]["frames"]) == 3


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (lambda frame: frame.pop("transform_matrix"), FormatError, "transform_matrix"),
        (lambda frame: frame.update(transform_matrix=np.zeros((4, 4)).tolist()), FormatError, "rigid motion"),
        (lambda frame: frame.update(fl_x=0), FormatError, "above zero"),
        (lambda frame: frame.update(w="wide"), FormatError, r"frames\[1\]"),
        (lambda frame: frame.update(file_path="images/gone.png"), InputError, "gone.png"),
    ],
)
def test_a_broken_table_says_which_frame_and_what(tmp_path, change, error, words):
    written(tmp_path)
    path = tmp_path / "transforms.json"
    table = json.loads(path.read_text())
    change(table["frames"][1])
    path.write_text(json.dumps(table))
    with pytest.raises(error, match=words):
        read_nerf(tmp_path)


def test_the_command_writes_a_runs_data_set_and_replaces_only_its_own(portrait_run, tmp_path, capsys):
    command = ["export", str(portrait_run.paths.root), "--to", "nerf", "--nerf.frames", ":6"]
    assert main([*command, "--out", str(tmp_path / "set")]) == 0
    assert len(read_nerf(tmp_path / "set")) == 6
    assert main([*command, "--out", str(tmp_path / "set"), "--overwrite", "--nerf.scale", "0.5"]) == 0
    assert read_nerf(tmp_path / "set")[0].camera.size == (128, 128)
    (tmp_path / "set" / "notes.txt").write_text("mine")
    assert main([*command, "--out", str(tmp_path / "set"), "--overwrite"]) == 2
    assert "found notes.txt" in capsys.readouterr().err


def test_its_settings_are_refused_with_other_formats(portrait_run, capsys):
    assert main(["export", str(portrait_run.paths.root), "--to", "obj", "--nerf.scale", "0.5"]) == 2
    assert "--nerf options are for --to nerf" in capsys.readouterr().err
