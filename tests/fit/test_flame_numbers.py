"""FLAME's numbers put FLAME's vertices on the scan: scale · vertex + translation."""

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from small_tracks import small_track
from synthetic_models import flame_arrays, flame_vertices, write_flame_pickle

from headcast.fit.flame import write_flame_parameters
from headcast.geometry import Similarity, Transform
from headcast.heads.flame import load_flame


def test_flames_own_equations_give_the_registered_vertices(tmp_path, monkeypatch):
    arrays = flame_arrays()
    write_flame_pickle(tmp_path / "flame.pkl", arrays)
    model = load_flame(tmp_path / "flame.pkl")
    monkeypatch.setattr("headcast.fit.flame.flame_file", lambda _: tmp_path / "flame.pkl")
    track = small_track(model, frame_count=1, invalid=())
    scan_from_head = Similarity(130.0, Rotation.from_euler("xyz", [0.4, -1.0, 0.2]).as_matrix(), np.array([3.0, -2.0, 7.0]))
    write_flame_parameters(tmp_path / "out.npz", track, model, scan_from_head)
    with np.load(tmp_path / "out.npz") as stored:
        out = dict(stored)
    pose = np.concatenate([out["rotation"][0], out["neck_pose"][0], out["jaw_pose"][0], out["eyes_pose"][0]])
    coefficients = np.concatenate([out["shape"], out["expr"][0]])
    there = out["scale"][0, 0] * flame_vertices(arrays, coefficients, pose.reshape(-1, 3), np.zeros(3)) + out["translation"]
    posed = track.head(model).posed(type(track.pose(0))(track.expression[0], track.joint_rotations[0], Transform.identity())).vertices
    expected = scan_from_head.points(posed.double().numpy())
    assert np.abs(there - expected).max() < 1e-3 * scan_from_head.scale
    assert torch.is_tensor(posed)
