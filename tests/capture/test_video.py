from fractions import Fraction

import numpy as np
import pytest
from PIL import Image
from recordings import number_of, numbered, real_recordings, with_display_matrix, write_video

from headcast.capture import open_source
from headcast.errors import FormatError

CODECS = [("a.mp4", "libx264", "yuv420p"), ("a.mov", "libx264", "yuv444p"), ("a.mkv", "ffv1", "bgr0"), ("a.avi", "mpeg4", "yuv420p"),
          ("a.webm", "libvpx-vp9", "yuv420p"), ("a.mpg", "mpeg1video", "yuv420p"), ("gray.mkv", "ffv1", "gray")]  # fmt: skip


@pytest.mark.parametrize(("name", "codec", "pixel_format"), CODECS)
def test_frames_come_in_order_with_their_times(tmp_path, name, codec, pixel_format):
    source = open_source(write_video(tmp_path / name, numbered(30), codec, pixel_format))
    frames = list(source.frames())
    assert [number_of(frame.image) for frame in frames] == list(range(30))
    assert [frame.frame_idx for frame in frames] == list(range(30))
    assert [frame.time_s for frame in frames] == pytest.approx(np.arange(30) / 25, abs=1e-3)
    assert source.frame_count == 30
    assert source.size == (48, 64) == frames[0].image.shape[:2]
    assert source.metadata.fps == pytest.approx(25, rel=1e-3)
    assert frames[0].alpha is None
    assert source.warnings == []


@pytest.mark.parametrize(("name", "codec", "pixel_format"), CODECS)
@pytest.mark.parametrize("indices", [[0], [29], [3, 4, 28], [5, 17, 18, 19, 27], list(range(30))])
def test_selected_frames_are_those_of_the_whole(tmp_path, name, codec, pixel_format, indices):
    options = {"g": "6"} if codec in ("libx264", "mpeg4", "mpeg1video", "libvpx-vp9") else {}
    source = open_source(write_video(tmp_path / name, numbered(30), codec, pixel_format, options=options))
    whole = list(source.frames())
    selected = list(source.select(indices))
    assert [frame.frame_idx for frame in selected] == indices
    assert all((frame.image == whole[frame.frame_idx].image).all() for frame in selected)
    assert [frame.time_s for frame in selected] == [whole[i].time_s for i in indices]
    part = list(source.frames(indices[0], indices[-1] + 1))
    assert [frame.frame_idx for frame in part] == list(range(indices[0], indices[-1] + 1))


def test_a_variable_frame_rate_keeps_its_times(tmp_path):
    times_ms = [0, 40, 50, 200, 233, 1000, 1001]
    source = open_source(write_video(tmp_path / "a.mkv", numbered(7), "ffv1", "bgr0", times_ms=times_ms))
    assert [frame.time_s * 1000 for frame in source.frames()] == pytest.approx(times_ms, abs=0.01)
    assert source.metadata.fps == pytest.approx(6 / 1.001, rel=1e-4)


def test_times_start_at_zero_wherever_the_clock_does(tmp_path):
    source = open_source(write_video(tmp_path / "a.mkv", numbered(4), "ffv1", "bgr0", times_ms=[5000, 5040, 5080, 5120]))
    assert [frame.time_s for frame in source.frames()] == pytest.approx([0, 0.04, 0.08, 0.12], abs=1e-6)


@pytest.mark.parametrize(
    ("matrix", "rotation_deg", "mirrored", "corner"),
    [
        ((1, 0, 0, 1), 0, False, (0, 0)),
        ((0, 1, -1, 0), 270, False, (0, -1)),
        ((-1, 0, 0, -1), 180, False, (-1, -1)),
        ((0, -1, 1, 0), 90, False, (-1, 0)),
        ((-1, 0, 0, 1), 0, True, (0, -1)),
        ((1, 0, 0, -1), 180, True, (-1, 0)),
        ((0, 1, 1, 0), 270, True, (0, 0)),
        ((0, -1, -1, 0), 90, True, (-1, -1)),
    ],
)
def test_frames_are_upright_as_the_display_matrix_says(tmp_path, matrix, rotation_deg, mirrored, corner):
    """The white corner of the stored picture, top left, is shown where the matrix takes it."""
    source = open_source(with_display_matrix(write_video(tmp_path / "a.mp4", numbered(3)), *matrix))
    image = next(source.frames()).image
    white = [(row, column) for row in (0, -1) for column in (0, -1) if image[row, column].min() > 200]
    assert white == [corner]
    assert source.size == image.shape[:2] == ((48, 64) if matrix[0] else (64, 48))
    assert (source.metadata.rotation_deg, source.metadata.mirrored) == (rotation_deg, mirrored)


@pytest.mark.parametrize(("aspect", "size"), [(Fraction(15, 16), (51, 64)), (Fraction(4, 3), (48, 85)), (Fraction(1, 1), (48, 64))])
def test_pixels_that_are_not_square_are_made_square_without_losing_any(tmp_path, aspect, size):
    source = open_source(write_video(tmp_path / "a.mp4", numbered(3), aspect=aspect))
    assert source.size == size == next(source.frames()).image.shape[:2]
    assert source.metadata.pixel_aspect == pytest.approx(float(aspect))


@pytest.mark.parametrize("size", [(16, 16), (33, 47), (1, 1), (241, 15)])
def test_odd_and_tiny_sizes_are_kept(tmp_path, size):
    pictures = [np.full((*size, 3), 40 * k, np.uint8) for k in range(3)]
    source = open_source(write_video(tmp_path / "a.mkv", pictures, "ffv1", "bgr0"))
    assert source.size == size
    assert [frame.image[0, 0, 0] for frame in source.frames()] == [0, 40, 80]


def test_a_video_of_one_frame_is_a_video(tmp_path):
    source = open_source(write_video(tmp_path / "a.mp4", numbered(1)))
    assert [frame.time_s for frame in source.frames()] == [0.0]
    assert source.frame_count == 1


def test_grey_is_three_equal_channels(tmp_path):
    image = next(open_source(write_video(tmp_path / "a.mkv", numbered(3)[2:], "ffv1", "gray")).frames()).image
    assert image.shape == (48, 64, 3)
    assert (image[..., 0] == image[..., 1]).all()
    assert (image[..., 1] == image[..., 2]).all()


@pytest.mark.parametrize(
    ("name", "codec", "pixel_format"), [("a.mkv", "ffv1", "bgra"), ("a.mov", "png", "rgba"), ("a.webm", "libvpx-vp9", "yuva420p")]
)
def test_alpha_is_kept_where_it_is_not_opaque_everywhere(tmp_path, name, codec, pixel_format):
    pictures = [np.dstack([picture, np.full((48, 64), 255, np.uint8)]) for picture in numbered(3)]
    opaque = open_source(write_video(tmp_path / f"opaque_{name}", pictures, codec, pixel_format))
    assert all(frame.alpha is None for frame in opaque.frames())
    for picture in pictures:
        picture[24:, :, 3] = 0
    frames = list(open_source(write_video(tmp_path / name, pictures, codec, pixel_format)).frames())
    assert len(frames) == 3
    assert all(frame.alpha[:20].min() > 250 and frame.alpha[28:].max() < 5 for frame in frames)


def test_an_animated_gif_keeps_its_delays(tmp_path):
    pictures = [Image.fromarray(picture) for picture in numbered(4)]
    pictures[0].save(tmp_path / "a.gif", save_all=True, append_images=pictures[1:], duration=[100, 50, 200, 100])
    source = open_source(tmp_path / "a.gif")
    frames = list(source.frames())
    assert [number_of(frame.image) for frame in frames] == [0, 1, 2, 3]
    assert [frame.time_s for frame in frames] == pytest.approx([0, 0.1, 0.15, 0.35], abs=0.005)


def test_a_truncated_mp4_gives_the_frames_it_has_and_says_so(tmp_path):
    rich = [np.random.default_rng(k).integers(0, 256, (96, 128, 3), dtype=np.uint8) for k in range(30)]
    path = write_video(tmp_path / "a.mp4", rich, "mpeg4", "yuv420p", container_options={"movflags": "faststart"})
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.6)])
    source = open_source(path)
    frames = list(source.frames())
    assert 10 < len(frames) < 25
    assert any("cut short" in warning or "damaged data" in warning for warning in source.warnings)
    assert not any(frame.damaged for frame in frames[:8])


def test_a_truncated_mp4_without_its_index_is_refused(tmp_path):
    path = write_video(tmp_path / "a.mp4", numbered(30))
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(FormatError, match="cut short or damaged; make a fresh copy"):
        open_source(path)


def test_a_broken_packet_repeats_the_frame_before_and_is_named(tmp_path):
    rich = [np.random.default_rng(k).integers(0, 256, (48, 64, 3), dtype=np.uint8) for k in range(9)]
    path = write_video(tmp_path / "a.mov", rich, "png", "rgb24")
    content = bytearray(path.read_bytes())
    starts = [at for at in range(len(content)) if content[at : at + 4] == b"\x89PNG"]
    content[starts[4] : starts[4] + 60] = bytes(60)
    path.write_bytes(content)
    source = open_source(path)
    frames = list(source.frames())
    assert [frame.frame_idx for frame in frames] == list(range(9))
    assert [frame.damaged for frame in frames] == [k == 4 for k in range(9)]
    assert (frames[4].image == frames[3].image).all()
    assert (frames[5].image == rich[5]).all()
    assert source.warnings == ["1 packets could not be decoded"]


def test_the_real_recordings_have_the_frames_their_list_says():
    folder = real_recordings()
    if folder is None:
        pytest.skip("needs the test data")
    expected = {"whitehouse_obama_256.mov": (1169, (256, 256)), "grid_bbaf2n.mpg": (75, (288, 360)), "intel_turning_female.gif": (23, (270, 480)),
                "echomimic_a.mp4": (288, (512, 512)), "liveportrait_d9.mp4": (587, (512, 512))}  # fmt: skip
    for name, (count, size) in expected.items():
        source = open_source(folder / name)
        assert (source.frame_count, source.size) == (count, size), name
        last = next(source.select([count - 1]))
        assert last.image.shape == (*size, 3)
