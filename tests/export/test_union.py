"""Unions of data sets: one table for all, every file where it is, and no doubt about whose identity counts."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from small_tracks import Recording, small_track
from synthetic_models import flame_arrays, write_flame_pickle

from headcast.cli.main import main
from headcast.errors import ConfigError, FormatError, InputError
from headcast.export import NerfConfig, combine, export_nerf, read_nerf
from headcast.heads import open_head
from headcast.heads.flame import load_flame, load_flame_root
from headcast.solve.step import follow


def data_set(folder, seed=0, identity=None, frame_count=4):
    track = small_track(open_head(), frame_count=frame_count, invalid=(), size=(40, 50))
    track = replace(track, expression=track.expression.roll(seed, 0), identity=track.identity if identity is None else identity)
    follow(export_nerf(track, open_head(), [Recording(track)], folder, NerfConfig(cut_neck=False)))
    return folder


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """In folders of different parents."""
    root = tmp_path_factory.mktemp("sets")
    return [data_set(root / "a"), data_set(root / "deeper" / "b", 1), data_set(root / "deeper" / "still" / "c", 2)]


def test_every_picture_of_every_set_is_found_once(three, tmp_path):
    combine(three, tmp_path / "some" / "union")
    pictures = {split: read_nerf(tmp_path / "some" / "union", split) for split in ("", "train", "val", "test")}
    assert [picture.timestep for picture in pictures[""]] == list(range(12))
    expected = {picture.picture.resolve() for folder in three for picture in read_nerf(folder)}
    assert {picture.picture.resolve() for picture in pictures[""]} == expected
    assert sorted(p.timestep for split in ("train", "val", "test") for p in pictures[split]) == list(range(12))
    for one, other in zip(pictures[""], [picture for folder in three for picture in read_nerf(folder)], strict=True):
        assert one.mask.resolve() == other.mask.resolve() and one.parameters.resolve() == other.parameters.resolve()
        torch.testing.assert_close(one.camera.camera_from_world.matrix(), other.camera.camera_from_world.matrix())
    table = json.loads((tmp_path / "some" / "union" / "transforms.json").read_text())
    assert not {"timestep_index_original", "timestep_id"} & set(table["frames"][0])


@pytest.mark.parametrize("division", ["random-group", "random-single", "last"])
def test_one_whole_sequence_is_for_testing(three, tmp_path, division):
    union = combine(three, tmp_path / "union", division)
    assert len(union.test) == 1 and set(union.test) | set(union.train) == {"a", "b", "c"} and not set(union.test) & set(union.train)
    tested = {picture.timestep // 4 for picture in read_nerf(tmp_path / "union", "test")}
    assert tested == {"abc".index(union.test[0])} and len(read_nerf(tmp_path / "union", "train")) == 8
    assert (tmp_path / "union" / "sequences_test.txt").read_text() == f"{union.test[0]}\n"
    assert (tmp_path / "union" / "sequences_trainval.txt").read_text().split() == list(union.train)
    if division == "last":
        assert union.test == ("c",)


def test_of_every_ten_sequences_one_is_for_testing_and_the_seed_decides_which(tmp_path):
    sets = [data_set(tmp_path / f"s{number:02d}", number % 4, frame_count=1) for number in range(22)]
    picks = set()
    for seed in range(4):
        union = combine(sets, tmp_path / f"union{seed}", seed=seed)
        groups = sorted(int(name[1:]) // 10 for name in union.test)
        assert groups == [0, 1, 2]
        picks.add(union.test)
    assert len(picks) > 1 and combine(sets, tmp_path / "again", seed=0).test == combine(sets, tmp_path / "once", seed=0).test


def test_a_single_sequence_keeps_its_own_division(three, tmp_path):
    combine(three[:1], tmp_path / "union")
    for split in ("train", "val", "test"):
        assert [p.timestep for p in read_nerf(tmp_path / "union", split)] == [p.timestep for p in read_nerf(three[0], split)]


def test_cameras_that_validate_go_on_validating(three, tmp_path):
    rig = tmp_path / "rig"
    data_set(rig)
    for name in ("", "_val"):
        table = json.loads((rig / f"transforms{name}.json").read_text())
        frames = json.loads((rig / "transforms.json").read_text())["frames"][:4]
        second = [{**frame, "camera_index": 8} for frame in frames]
        table["frames"] = [*frames, *second] if name == "" else second[:2]
        (rig / f"transforms{name}.json").write_text(json.dumps(table))
    combine([rig, three[0]], tmp_path / "union", "last")
    parts = {split: json.loads((tmp_path / "union" / f"transforms_{split}.json").read_text()) for split in ("train", "val", "test")}
    assert {frame["camera_index"] for frame in parts["val"]["frames"]} == {8} and len(parts["val"]["frames"]) == 4
    assert parts["train"]["camera_indices"] == [0] and len(parts["train"]["frames"]) == 4 and len(parts["test"]["frames"]) == 4


def test_another_identity_is_said_and_whose_counts(three, tmp_path):
    assert not combine(three, tmp_path / "same").notes
    other = data_set(tmp_path / "other", identity=torch.full_like(small_track(open_head()).identity, 0.1))
    union = combine([three[0], other], tmp_path / "union")
    assert union.differing == ("other",)
    assert "the identity of other differs from that of a" in union.notes[0] and "which is a's, for all" in union.notes[0]


def test_heads_of_different_models_are_no_union(three, tmp_path):
    file = tmp_path / "flame2020.pkl"
    write_flame_pickle(file, flame_arrays())
    model, root = load_flame(file), load_flame_root(file)
    track = small_track(model, frame_count=2, invalid=(), size=(40, 50))
    follow(export_nerf(track, model, [Recording(track)], tmp_path / "flame", NerfConfig(cut_neck=False), root))
    with pytest.raises(InputError, match="expected heads of one model"):
        combine([three[0], tmp_path / "flame"], tmp_path / "union")
    assert not (tmp_path / "union").exists()
    union = combine([tmp_path / "flame"], tmp_path / "union")
    assert union.test == union.train == ("flame",)
    with np.load(tmp_path / "union" / "canonical_flame_param.npz") as canonical:
        np.testing.assert_allclose(canonical["shape"], track.identity)


@pytest.mark.parametrize(
    ("spoil", "error", "words"),
    [
        (lambda folder: (folder / "transforms_test.json").unlink(), InputError, "transforms_test.json, found none"),
        (lambda folder: (folder / "canonical_head_param.npz").unlink(), InputError, "found neither"),
        (lambda folder: (folder / "transforms.json").write_text('{"frames": [{"file_path": "a"}]}'), FormatError, "1 of them without"),
    ],
)
def test_what_is_no_data_set_is_refused(tmp_path, spoil, error, words):
    spoil(data_set(tmp_path / "set"))
    with pytest.raises(error, match=words):
        combine([tmp_path / "set"], tmp_path / "union")


def test_the_command_says_what_it_did_and_replaces_only_its_own(three, tmp_path, capsys):
    command = ["combine", *map(str, three), "--out", str(tmp_path / "union"), "--division", "last"]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "train: a, b" in said and "test:  c" in said
    assert main(command) == 2 and "Use --overwrite" in " ".join(capsys.readouterr().err.replace("│", "").split())
    assert main([*command, "--overwrite"]) == 0
    (tmp_path / "union" / "notes.txt").write_text("mine")
    assert main([*command, "--overwrite"]) == 2 and "found notes.txt" in capsys.readouterr().err


def test_a_set_named_twice_is_refused(three, tmp_path):
    with pytest.raises(ConfigError, match="each once"):
        combine([three[0], three[0]], tmp_path / "union")
