"""Offsets of the rest head go through every format that has a place for them, and the others say that they have none."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_tracks import small_track
from synthetic_models import flame_arrays, write_flame_pickle

from headcast.export import export_arrays, export_glb, read_glb
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
