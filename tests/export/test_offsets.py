"""Offsets of the rest head go through every format that has a place for them, and the others say that they have none."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_tracks import Recording, small_track
from synthetic_models import flame_arrays, write_flame_pickle

from headcast.export import FORMATS, export_arrays, export_glb, export_track, read_glb, read_usd
from headcast.export.nerf import _static_offset
from headcast.heads import open_head
from headcast.heads.flame import load_flame
from headcast.solve.step import follow
from headcast.track import Track


@pytest.fixture(scope="module")
def track() -> Track:
    offsets = 0.002 * torch.randn(open_head().template.shape, generator=torch.Generator().manual_seed(1))
    return replace(small_track(open_head()), offsets=offsets)


def test_offsets_come_back_from_the_file(track, tmp_path):
    track.save(tmp_path / "track.npz")
    assert torch.equal(Track.load(tmp_path / "track.npz").offsets, track.offsets)


def test_a_file_without_offsets_is_a_track_without_offsets(track, tmp_path):
    replace(track, offsets=None).save(tmp_path / "track.npz")
    assert Track.load(tmp_path / "track.npz").offsets is None


def test_offsets_lie_on_the_rest_head(track):
    bare = replace(track, offsets=None).head(open_head())
    assert torch.allclose(track.head(open_head()).vertices - bare.vertices, track.offsets, atol=1e-7)
    assert torch.equal(track.head(open_head()).joints, bare.joints)


def test_arrays_and_rig_hold_the_head_with_its_offsets(track, tmp_path):
    follow(export_arrays(track, open_head(), tmp_path / "arrays.npz"))
    follow(export_glb(track, open_head(), tmp_path / "head.glb", None))
    posed = track.head(open_head()).posed(track.pose(2)).vertices.numpy()
    with np.load(tmp_path / "arrays.npz") as arrays:
        assert np.allclose(arrays["vertices"][2], posed, atol=1e-6)
        assert np.array_equal(arrays["offsets"], track.offsets.numpy())
    rest = read_glb(tmp_path / "head.glb").vertices
    assert np.allclose(np.unique(rest, axis=0), np.unique(track.head(open_head()).vertices.numpy(), axis=0), atol=1e-6)


def test_data_sets_hold_them_as_static_offset(tmp_path: Path):
    write_flame_pickle(tmp_path / "flame.pkl", flame_arrays())
    head = load_flame(tmp_path / "flame.pkl")
    offsets = torch.rand(head.template.shape)
    written = _static_offset(replace(small_track(head), offsets=offsets), head)
    assert np.array_equal(written[0, : len(offsets)], offsets.numpy()) and not written[0, len(offsets) :].any()


GEOMETRY = {
    "arrays": "arrays.npz", "colmap": "colmap/sparse/0/points3D.txt", "glb": "head.glb", "insta": "insta/meshes/*.obj",
    "nerf": "nerf/head_param/*.npz", "nerfstudio": "nerfstudio/points.ply", "obj": "obj/*.obj", "ply": "ply/*.ply", "usd": "head.usdz",
}  # fmt: skip
"""The files in which a format holds the head's surface."""
MOTION = {"arkit", "bvh"}
"""Formats without a surface."""
LABELLED = {"nha"}
"""Formats of runs that were labelled: landmarks of the head as tracked, and the file of FLAME's numbers, which says it itself."""
FLAME_ONLY = {"imavatar", "flashavatar", "vht"}
"""Formats of FLAME's numbers, which have no place for offsets."""


def exported(track, model, name, folder) -> tuple[list[bytes], list[str]]:
    """What is in the files of the surface, and what the export said."""
    steps = []
    entry = FORMATS[name]
    captures = [Recording(track)] if entry.needs_recording else []
    config = None if entry.config is None else entry.config(cut_neck=False)
    follow(export_track(track, model, name, folder / entry.place, captures=captures, config=config), steps.append)
    files = sorted(folder.glob(GEOMETRY.get(name, "none")))
    surfaces = [read_usd(path).vertices.tobytes() if name == "usd" else path.read_bytes() for path in files]
    return surfaces, [step.message for step in steps]


def test_every_format_has_its_word_on_offsets():
    assert sorted([*GEOMETRY, *MOTION, *LABELLED, *FLAME_ONLY]) == sorted(FORMATS)


@pytest.mark.parametrize("name", sorted(GEOMETRY))
def test_offsets_change_the_surface_that_is_written(track, tmp_path, name):
    if name == "usd":
        pytest.importorskip("pxr", reason="usd-core is not installed")
    bare = replace(track, offsets=None)
    (with_them, _), (without, _), (again, _) = (
        exported(one, open_head(), name, tmp_path / str(number)) for number, one in enumerate((track, bare, bare))
    )
    assert without == again, "nothing else tells two exports apart"
    assert len(with_them) == len(without) > 0 and all(one != other for one, other in zip(with_them, without, strict=True))


@pytest.mark.parametrize("name", sorted(FLAME_ONLY))
def test_formats_of_flames_numbers_say_that_they_have_no_place_for_offsets(tmp_path, name):
    file = tmp_path / "flame2020.pkl"
    write_flame_pickle(file, flame_arrays())
    model = load_flame(file)
    bare = small_track(model)
    track = replace(bare, offsets=torch.full(model.template.shape, 0.003 / 3**0.5))
    said = "that program has no place for offsets (3.00 mm RMS): its head is the identity's alone"
    assert sum(said in message for message in exported(track, model, name, tmp_path / "with")[1]) == 1
    assert not any("offsets" in message for message in exported(bare, model, name, tmp_path / "without")[1])
