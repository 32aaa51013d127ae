"""Data sets that Headcast writes for other programs are recordings of known cameras, and are read as such."""

import pytest
import torch

from headcast.capture.rigs import open_cameras
from headcast.cli.main import main


@pytest.mark.parametrize("format_name", ["nerf", "nerfstudio", "colmap", "insta"])
def test_cameras_of_a_data_set_are_where_they_were_written(format_name, portrait_run, tmp_path):
    """Whatever axes and origin each format has."""
    out = tmp_path / format_name
    assert main(["export", str(portrait_run.paths.root), "--to", format_name, "--out", str(out)]) == 0
    files = open_cameras(out)
    track = portrait_run.track
    (camera,) = files.cameras
    assert camera.focal_px == pytest.approx(track.cameras[0].focal_px.numpy(), rel=1e-5)
    valid = [frame for frame in range(track.frame_count) if bool(track.valid[frame])]
    assert len(camera.pictures) == len(valid)
    poses = torch.from_numpy(camera.camera_from_world)
    if len(poses) == 1:
        return
    # The skull stands still and the camera moves: from the first camera to each, as the track moves the skull.
    pose = track.pose(torch.tensor(valid))
    camera_from_skull = (track.cameras[0].camera_from_world @ track.head(portrait_run.model).skull(pose)).matrix().double()
    assert (poses @ torch.linalg.inv(poses[:1]) - camera_from_skull @ torch.linalg.inv(camera_from_skull[:1])).abs().max() < 1e-4
