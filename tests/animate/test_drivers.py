"""Whatever drives a head gives the same thing: poses seen by a camera, a rest, and sound where there is some."""

import json
import socket
import threading
import time

import numpy as np
import pytest
import torch

from headcast.animate import LiveFrame, driver_steps, packet_of
from headcast.animate.live_link import CHANNELS
from headcast.errors import ConfigError, InputError
from headcast.export import Performance, write_performance
from headcast.geometry import Transform, angle_between, matrix_from_axis_angle
from headcast.heads import HeadPose, open_head
from headcast.solve.step import follow

FACING = torch.diag(torch.tensor([1.0, -1.0, -1.0]))


@pytest.fixture(scope="module")
def model():
    return open_head()


def talking(model, frames: int = 7) -> Performance:
    pose = model.neutral_pose(frames)
    pose.expression[:, model.expression_names.index("jawOpen")] = torch.linspace(0, 0.9, frames)
    turn = matrix_from_axis_angle(torch.linspace(0, 0.3, frames)[:, None] * torch.tensor([0.0, 1.0, 0.0]))
    return Performance(np.arange(frames) / 30, HeadPose(pose.expression, pose.joint_rotations, Transform(turn, torch.zeros(frames, 3))))


def test_a_run_drives_as_its_camera_saw_it(portrait_run, tmp_path):
    driver = follow(driver_steps(str(portrait_run.paths.root), portrait_run.model, tmp_path / "unused"))
    track = portrait_run.track
    seen = track.camera.camera_from_world @ track.world_from_head
    torch.testing.assert_close(driver.performance.pose.world_from_head.matrix(), seen.matrix())
    assert driver.performance.time_s[0] == 0 and len(driver.identity) == 64 and driver.sound is None
    assert float(angle_between(driver.rest.world_from_head.rotation, FACING)) < 0.5
    assert not (tmp_path / "unused").exists()


def test_a_recording_is_tracked_first_and_only_once(portrait_clip, tmp_path, model):
    beside = tmp_path / "out.track"
    driver = follow(driver_steps(str(portrait_clip), model, beside))
    assert (beside / "track.npz").is_file() and len(driver.performance.time_s) > 3
    made = (beside / "track.npz").stat().st_mtime_ns
    again = follow(driver_steps(str(portrait_clip), model, beside))
    assert (beside / "track.npz").stat().st_mtime_ns == made
    assert torch.equal(again.performance.pose.expression, driver.performance.pose.expression)


@pytest.mark.parametrize("suffix", ["csv", "npz"])
def test_curves_face_the_camera_where_they_say_that_nothing_turns(model, tmp_path, suffix):
    performance = talking(model)
    write_performance(performance, model, tmp_path / f"talk.{suffix}")
    driver = follow(driver_steps(str(tmp_path / f"talk.{suffix}"), model, tmp_path))
    torch.testing.assert_close(driver.performance.pose.expression, performance.pose.expression, atol=1e-5, rtol=0)
    torch.testing.assert_close(
        driver.performance.pose.world_from_head.rotation, FACING @ performance.pose.world_from_head.rotation, atol=1e-5, rtol=0
    )
    torch.testing.assert_close(driver.rest.world_from_head.rotation, FACING)
    assert float(driver.rest.expression.abs().max()) == 0


def test_key_poses_drive(model, tmp_path):
    path = tmp_path / "poses.json"
    path.write_text(json.dumps({"kind": "headcast key poses", "schema": 1, "poses": [{"time_s": 0}, {"time_s": 1, "expression": {"jawOpen": 1}}]}))
    driver = follow(driver_steps(str(path), model, tmp_path, fps=10.0))
    assert len(driver.performance.time_s) == 11
    assert float(driver.performance.pose.expression[-1, model.expression_names.index("jawOpen")]) == 1.0


def test_a_phone_drives_until_it_stops(model, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "headcast.animate.drivers.listen", lambda port: __import__("headcast.animate.live_link", fromlist=["listen"]).listen(port, 0.4, 10.0)
    )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("", 0))
        port = probe.getsockname()[1]

    def send():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for k in range(5):
                weights = np.zeros(52, np.float32)
                weights[CHANNELS.index("jawOpen")] = k / 4
                sender.sendto(packet_of(LiveFrame("phone", 10 + k / 30, weights, np.zeros((3, 3), np.float32)), 30), ("127.0.0.1", port))
                time.sleep(0.02)

    thread = threading.Timer(0.2, send)
    thread.start()
    driver = follow(driver_steps(f"live:{port}", model, tmp_path))
    thread.join()
    jaw = driver.performance.pose.expression[:, model.expression_names.index("jawOpen")]
    torch.testing.assert_close(jaw, torch.linspace(0, 1, 5))
    np.testing.assert_allclose(driver.performance.time_s, np.arange(5) / 30, atol=1e-4)


@pytest.mark.parametrize("source", ["live:x", "live:0", "live:70000"])
def test_a_port_that_is_none_is_refused(model, tmp_path, source):
    with pytest.raises(ConfigError, match="port"):
        follow(driver_steps(source, model, tmp_path))


def test_nothing_drives_nobody(model, tmp_path):
    with pytest.raises(InputError, match="found nothing"):
        follow(driver_steps(str(tmp_path / "missing.mp4"), model, tmp_path))
