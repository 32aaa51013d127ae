"""The viewer serves a finished run and shows the frame it is asked for."""

import shutil
import urllib.request
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from headcast.capture import Capture
from headcast.geometry import Transform, matrix_from_axis_angle
from headcast.track.run import Run
from headcast.viewer.pictures import FramePictures

viser = pytest.importorskip("viser", reason="the view extra is not installed")


@pytest.fixture
def shown(portrait_run):
    from headcast.viewer import RunView

    view = RunView(portrait_run, "127.0.0.1", 0)
    yield view
    view.close()


def test_a_page_is_served_at_the_url_that_is_printed(shown):
    with urllib.request.urlopen(shown.url, timeout=20) as answer:
        assert answer.status == 200 and b"<html" in answer.read().lower()


def test_showing_a_frame_moves_the_head_to_it(shown, portrait_run):
    shown.show(7)
    expected = portrait_run.track.head(portrait_run.model).posed(portrait_run.track.pose(7)).vertices
    np.testing.assert_allclose(shown._mesh.vertices, expected.numpy(), atol=1e-6)
    assert f"{float(portrait_run.track.time_s[7]):.2f} s" in shown._controls.said.content


def test_the_texture_replaces_the_plain_head_and_gives_way_to_it(shown):
    shown._controls.texture.value = True
    shown.show(1)
    assert not shown._mesh.visible and shown._textured.visible
    shown._controls.texture.value = False
    shown.show(1)
    assert shown._mesh.visible and not shown._textured.visible


def test_the_textured_head_is_the_head(shown, portrait_run):
    vertices = shown._vertices(3)
    mesh = shown._textured_mesh(vertices)
    np.testing.assert_allclose(mesh.triangles, vertices[portrait_run.model.faces.numpy()], atol=1e-7)
    # Without normals of its own it would be drawn with flat faces; those of vertices at one place agree, whatever texture they have.
    place = np.zeros(len(portrait_run.model.uv), int)
    place[portrait_run.model.uv_faces.numpy()] = portrait_run.model.faces.numpy()
    first = np.unique(place, return_index=True)[1][np.searchsorted(np.unique(place), place)]
    np.testing.assert_array_equal(mesh.vertex_normals, mesh.vertex_normals[first])


def test_the_frustum_stands_where_the_camera_stood(shown, portrait_run):
    camera = portrait_run.track.camera
    np.testing.assert_allclose(shown._frusta[0].position, camera.camera_from_world.inverse().translation, atol=1e-6)
    assert shown._frusta[0].aspect == pytest.approx(camera.size[1] / camera.size[0])


def test_pictures_are_those_of_the_frames_in_any_order(portrait_run):
    pictures = FramePictures(portrait_run.capture, longest_px=256)
    expected = {index: image for index, image, _ in portrait_run.capture.frames()}
    for frame in (0, 1, 2, 9, 3, 3, 11):
        np.testing.assert_array_equal(pictures[frame], expected[frame])
    assert pictures[0].shape == (256, 256, 3)


def test_a_run_whose_recording_is_gone_is_still_shown(portrait_run, tmp_path):
    from headcast.viewer import RunView

    shutil.copytree(portrait_run.paths.root, tmp_path / "run")
    about = tmp_path / "run" / "capture" / "about.json"
    about.write_text(about.read_text().replace(str(portrait_run.capture.source_path), "/gone/video.mp4"))
    run = Run.open(tmp_path / "run")
    assert Capture.open(tmp_path / "run" / "capture").source_path == Path("/gone/video.mp4")
    view = RunView(run, "127.0.0.1", 0)
    view.show(2)
    view.close()


def test_every_camera_of_a_rig_stands_where_it_stood(portrait_run):
    track, turn = portrait_run.track, matrix_from_axis_angle(torch.tensor([np.pi / 2, 0.0, 0.0]))
    first = track.camera
    lying = replace(first, camera_from_world=Transform(first.camera_from_world.rotation @ turn.T, first.camera_from_world.translation))
    other = replace(lying, camera_from_world=Transform(lying.camera_from_world.rotation, torch.tensor([0.3, 0.0, 0.1])))
    head = Transform(turn @ track.world_from_head.rotation, track.world_from_head.translation @ turn.T)
    from headcast.viewer import RunView

    rig = replace(portrait_run, track=replace(track, cameras=(lying, other), camera_names=("a", "b"), world_from_head=head))
    view = RunView(rig, "127.0.0.1", 0)
    try:
        assert len(view._frusta) == 2
        np.testing.assert_allclose(view._frusta[1].position, other.camera_from_world.inverse().translation, atol=1e-6)
        # The world lies on its back: up is where the head's crown is, and visitors stand before the face.
        up = view._in_world(np.array([0.0, 1.0, 0.0]))
        assert up @ head.rotation[0, :, 1].double().numpy() > 0.99
    finally:
        view.close()
