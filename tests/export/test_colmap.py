"""COLMAP models: cameras as its format page defines them, text and binary alike, and readers that say what is wrong."""

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_tracks import Chart, Recording, assert_seen_as_recorded, small_track

from headcast.errors import FormatError, InputError
from headcast.export import ColmapConfig, ColmapModel, export_colmap, read_colmap, read_colmap_pictures
from headcast.export.colmap_model import write_colmap_binary, write_colmap_text
from headcast.geometry import Camera, Transform
from headcast.heads import open_head
from headcast.solve.step import follow


def written(folder, recording=Recording, **given_settings):
    track = small_track(open_head())
    follow(export_colmap(track, open_head(), [recording(track)], folder, ColmapConfig(**given_settings)))
    return track, [frame for frame in range(track.frame_count) if track.valid[frame]]


def test_the_text_says_where_the_recording_shows_the_head(tmp_path):
    """Read by the lines of the format page: camera from world, quaternion (w, x, y, z), pixel (0, 0) the corner."""
    track, frames = written(tmp_path, recording=Chart)
    sparse = tmp_path / "sparse" / "0"
    _, kind, width, height, *numbers = (sparse / "cameras.txt").read_text().split()
    fx, fy, cx, cy = map(float, numbers)
    assert kind == "PINHOLE" and (int(height), int(width)) == track.camera.size
    head = track.head(open_head())
    skulls = head.skull(track.pose(torch.tensor(frames)))
    lines = (sparse / "images.txt").read_text().split("\n")
    assert lines[1::2][: len(frames)] == [""] * len(frames), "no observations"
    for index, frame in enumerate(frames):
        _, w, x, y, z, *translation, camera, name = lines[2 * index].split()
        assert camera == "1"
        w, x, y, z = (float(n) for n in (w, x, y, z))
        rotation = np.array(
            [[1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)], [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
             [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)]]
        )  # fmt: skip
        vertices = head.posed(track.pose(frame)).vertices
        inside = skulls[index].inverse().points(vertices).double().numpy() @ rotation.T + np.array(translation, float)
        pixels = inside[:, :2] / inside[:, 2:] * [fx, fy] + [cx, cy]
        np.testing.assert_allclose(pixels, track.camera.project(vertices).numpy(), atol=0.01)
        assert_seen_as_recorded(track.camera_at(frame), cv2.imread(str(tmp_path / "images" / name))[..., ::-1], pixels, vertices)
        assert (tmp_path / "masks" / f"{name}.png").is_file(), "as COLMAP names masks"
    points = np.loadtxt(sparse / "points3D.txt")
    assert points.shape == (len(open_head().template), 8) and (points[:, 0] == np.arange(1, len(points) + 1)).all()


def same(one: ColmapModel, other: ColmapModel):
    assert list(one.cameras) == list(other.cameras)
    for name, camera in one.cameras.items():
        found = other.cameras[name]
        torch.testing.assert_close(found.camera_from_world.matrix(), camera.camera_from_world.matrix(), atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(found.focal_px, camera.focal_px)
        torch.testing.assert_close(found.center_px, camera.center_px)
        assert found.size == camera.size
    np.testing.assert_allclose(other.points, one.points, atol=1e-7, rtol=1e-6)
    np.testing.assert_array_equal(other.colors, one.colors)


@given(st.integers(1, 4), st.integers(0, 5), st.integers(0, 2**31), st.sampled_from([write_colmap_text, write_colmap_binary]))
@settings(max_examples=25, deadline=None)
def test_reading_undoes_writing(tmp_path_factory, pictures, points, seed, write):
    rng = torch.Generator().manual_seed(seed)
    focal, center, size = 100 + 900 * torch.rand(2, generator=rng), 100 * torch.rand(2, generator=rng), (240, 321)
    poses = [Transform.from_axis_angle(3 * torch.randn(3, generator=rng), torch.randn(3, generator=rng)) for _ in range(pictures)]
    cameras = {f"a name {number}.png": Camera(focal, center, size, pose) for number, pose in enumerate(poses)}
    colors = torch.randint(0, 256, (points, 3), generator=rng).numpy().astype(np.uint8)
    model = ColmapModel(cameras, torch.randn(points, 3, generator=rng).numpy(), colors)
    folder = tmp_path_factory.mktemp("colmap")
    write(folder, model)
    same(model, read_colmap(folder))


def test_both_kinds_of_files_say_the_same_and_the_pictures_are_found(tmp_path):
    _, frames = written(tmp_path / "set", cut_neck=False)
    sparse = tmp_path / "set" / "sparse" / "0"
    for suffix in ("txt", "bin"):
        (tmp_path / suffix).mkdir()
        for file in sparse.glob(f"*.{suffix}"):
            (tmp_path / suffix / file.name).write_bytes(file.read_bytes())
    same(read_colmap(tmp_path / "txt"), read_colmap(tmp_path / "bin"))
    pictures = read_colmap_pictures(tmp_path / "set")
    assert len(pictures) == len(frames) and all(picture.picture.is_file() and picture.mask.is_file() for picture in pictures)


def test_colmap_itself_reads_both(tmp_path):
    pycolmap = pytest.importorskip("pycolmap", reason="pycolmap is not installed")
    written(tmp_path)
    sparse = tmp_path / "sparse" / "0"
    found, points = read_colmap(sparse), read_colmap(sparse).points[:20]
    for wanted in ("bin", "txt"):
        folder = tmp_path / wanted
        folder.mkdir()
        for file in sparse.glob(f"*.{wanted}"):
            (folder / file.name).write_bytes(file.read_bytes())
        for image in pycolmap.Reconstruction(str(folder)).images.values():
            pixels = np.array([image.project_point(point) for point in points.astype(float)])
            np.testing.assert_allclose(pixels, found.cameras[image.name].project(torch.from_numpy(points)).numpy(), atol=1e-3)


def _distorted(folder: Path) -> None:
    (folder / "cameras.bin").write_bytes(struct.pack("<QIiQQ5d", 1, 1, 3, 10, 10, 1, 1, 1, 0.1, 0.1))


@pytest.mark.parametrize(
    ("spoil", "error", "words"),
    [
        (_distorted, FormatError, "without distortion; found the camera model 3"),
        (lambda folder: (folder / "images.bin").write_bytes((folder / "images.bin").read_bytes()[:-20]), FormatError, "expected images as COLMAP"),
        (lambda folder: (folder / "points3D.bin").unlink(), InputError, "points3D.bin, found none"),
        (lambda folder: [file.unlink() for file in folder.iterdir()], InputError, "found none in"),
    ],
)
def test_what_is_no_model_is_refused(tmp_path, spoil, error, words):
    written(tmp_path)
    spoil(tmp_path / "sparse" / "0")
    with pytest.raises(error, match=words):
        read_colmap(tmp_path / "sparse" / "0")
