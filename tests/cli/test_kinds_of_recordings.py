"""Whatever a recording is stored as, the same head comes out: `headcast track` on one portrait in every kind of file."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from portrait_clips import FASTEST, moving_portrait
from recordings import with_display_matrix, write_video

from headcast.cli.main import main
from headcast.store import read_json
from headcast.track import Track

FRAMES = 5


def _rgba(picture):
    opaque = np.zeros(picture.shape[:2], np.uint8)
    opaque[:, 40:216] = 255
    return np.dstack([picture, opaque])


def _folder(tmp_path, pictures, name="{:03d}.png"):
    (tmp_path / "pictures").mkdir()
    for k, picture in enumerate(pictures):
        Image.fromarray(picture).save(tmp_path / "pictures" / name.format(k))
    return tmp_path / "pictures"


def _gif(tmp_path, pictures):
    first, *others = (Image.fromarray(picture) for picture in pictures)
    first.save(tmp_path / "a.gif", save_all=True, append_images=others, duration=[40, 80, 120, 40, 40])
    return tmp_path / "a.gif"


def _rotated(tmp_path, pictures):
    """Stored lying, with a tag that puts it upright, as telephones do."""
    stored = [np.ascontiguousarray(np.rot90(picture)) for picture in pictures]
    return with_display_matrix(write_video(tmp_path / "a.mp4", stored, pixel_format="yuv420p"), 0, 1, -1, 0)


KINDS = {
    "video": lambda folder, pictures: write_video(folder / "a.mp4", pictures),
    "variable rate": lambda folder, pictures: write_video(folder / "a.mkv", pictures, "ffv1", "bgr0", times_ms=[0, 40, 60, 300, 333]),
    "rotation tag": _rotated,
    "animated GIF": _gif,
    "folder": _folder,
    "folder of grey pictures": lambda folder, pictures: _folder(folder, [np.asarray(Image.fromarray(p).convert("L")) for p in pictures]),
    "folder of pictures with alpha": lambda folder, pictures: _folder(folder, [_rgba(p) for p in pictures]),
    "photographs": lambda folder, pictures: _folder(folder, pictures, "IMG {}.JPG"),
}
TIMES_S = {"variable rate": [0, 0.04, 0.06, 0.3, 0.333], "animated GIF": [0, 0.04, 0.12, 0.24, 0.28]}


def _tracked(source: Path, tmp_path: Path) -> Track:
    assert main(["track", str(source), "--out", str(tmp_path / "run"), *FASTEST]) == 0
    return Track.load(tmp_path / "run" / "track.npz")


@pytest.mark.parametrize("kind", KINDS)
def test_the_head_is_where_it_is_in_every_kind_of_file(kind, tmp_path):
    track = _tracked(KINDS[kind](tmp_path, moving_portrait(FRAMES)), tmp_path)
    assert track.frame_count == FRAMES and bool(track.valid.all()) and track.camera.size == (256, 256)
    np.testing.assert_allclose(track.time_s, TIMES_S.get(kind, np.arange(FRAMES) / 25), atol=2e-3)
    x, y = track.camera.project(track.world_from_head.translation[:, None])[0, 0].tolist()
    # Midway between her eyes, as seen in the portrait.
    assert abs(x - 126) < 10 and abs(y - 97) < 14


@pytest.mark.parametrize("quarter_turns", [1, 2, 3])
def test_a_head_that_lies_in_the_picture_is_tracked_lying(quarter_turns, tmp_path):
    pictures = [np.ascontiguousarray(np.rot90(picture, quarter_turns)) for picture in moving_portrait(FRAMES)]
    track = _tracked(write_video(tmp_path / "a.mp4", pictures), tmp_path)
    up = track.world_from_head.rotation[:, :2, 1]
    roll = np.rad2deg(np.arctan2(up[:, 1], up[:, 0])) - 90
    assert bool(track.valid.all()) and np.abs((roll - 90 * quarter_turns + 180) % 360 - 180).max() < 12


def test_a_photo_is_a_clip_of_one_frame(tmp_path):
    Image.fromarray(moving_portrait(1)[0]).save(tmp_path / "photo.jpg")
    track = _tracked(tmp_path / "photo.jpg", tmp_path)
    assert track.valid.tolist() == [True] and read_json(tmp_path / "run" / "report.json")["fps"] is None
