import numpy as np
import pytest
from PIL import Image
from recordings import number_of, numbered

from headcast.capture import open_source
from headcast.errors import FormatError, InputError

UPRIGHT = np.zeros((48, 64, 3), np.uint8)
UPRIGHT[:12, :16] = (255, 0, 0)
UPRIGHT[:12, -16:] = (0, 255, 0)
UPRIGHT[-12:, :16] = (0, 0, 255)
"""Red top left, green top right, blue bottom left."""


def save_all(folder, pictures, pattern: str = "frame_{}.png") -> None:
    for k, picture in enumerate(pictures):
        Image.fromarray(picture).save(folder / pattern.format(k))


def test_a_folder_is_in_natural_order_at_the_given_rate(tmp_path):
    save_all(tmp_path, numbered(12))
    (tmp_path / "notes.txt").write_text("not a picture")
    source = open_source(tmp_path, fps=10.0)
    frames = list(source.frames())
    assert [number_of(frame.image) for frame in frames] == list(range(12))
    assert [frame.time_s for frame in frames] == pytest.approx(np.arange(12) / 10)
    assert [number_of(frame.image) for frame in source.select([2, 3, 11])] == [2, 3, 11]
    assert [frame.frame_idx for frame in source.frames(4, 7)] == [4, 5, 6]
    assert source.metadata.kind == "picture folder"


def test_one_series_of_a_mixed_folder_is_named_by_a_pattern(tmp_path):
    save_all(tmp_path, numbered(3), "color_{}.png")
    save_all(tmp_path, numbered(2), "depth_{}.png")
    with pytest.raises(InputError, match=r"found \['color_\*\.png', 'depth_\*\.png'\]\. Name one of them as a pattern, such as '.*color_\*\.png'"):
        open_source(tmp_path)
    assert open_source(tmp_path / "color_*.png").frame_count == 3
    assert open_source(tmp_path / "depth_?.png").frame_count == 2


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photos_are_upright_as_exif_says(tmp_path, orientation):
    """Stored so that the orientation tag undoes it (EXIF 2.3, 4.6.4): where the 0th row and column are."""
    stored = {1: UPRIGHT, 2: UPRIGHT[:, ::-1], 3: UPRIGHT[::-1, ::-1], 4: UPRIGHT[::-1], 5: UPRIGHT.transpose(1, 0, 2),
              6: np.rot90(UPRIGHT, 1), 7: np.rot90(UPRIGHT, 1)[::-1], 8: np.rot90(UPRIGHT, -1)}[orientation]  # fmt: skip
    if orientation == 7:
        stored = UPRIGHT[::-1, ::-1].transpose(1, 0, 2)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(tmp_path / "photo.png", exif=exif)
    source = open_source(tmp_path / "photo.png")
    assert (next(source.frames()).image == UPRIGHT).all()
    assert source.size == (48, 64)
    assert source.metadata.mirrored == (orientation in (2, 4, 5, 7))
    redone = np.rot90(stored, source.metadata.rotation_deg // 90)
    assert ((redone[:, ::-1] if source.metadata.mirrored else redone) == UPRIGHT).all()


def test_the_focal_length_for_film_is_scaled_by_the_diagonal(tmp_path):
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA405] = 26
    Image.fromarray(np.zeros((3000, 4000, 3), np.uint8)).save(tmp_path / "photo.jpg", exif=exif)
    source = open_source(tmp_path / "photo.jpg")
    assert source.metadata.focal_px == pytest.approx(26 / 43.2666 * 5000, rel=1e-4)
    Image.fromarray(np.zeros((30, 40, 3), np.uint8)).save(tmp_path / "plain.jpg")
    assert open_source(tmp_path / "plain.jpg").metadata.focal_px is None


@pytest.mark.parametrize(
    ("name", "picture"),
    [
        ("a.png", Image.fromarray(np.full((20, 30), 100, np.uint8))),
        ("a.png", Image.fromarray(np.full((20, 30), 100 * 257, np.uint16))),
        ("a.tiff", Image.fromarray(np.full((20, 30), 100 / 255, np.float32))),
        ("a.png", Image.fromarray(np.full((20, 30, 3), 100, np.uint8)).quantize(4)),
        ("a.png", Image.fromarray(np.full((20, 30), 100, np.uint8)).convert("LA")),
    ],
    ids=["8 bit", "16 bit", "floating point", "palette", "with alpha"],
)
def test_every_kind_of_grey_is_grey(tmp_path, name, picture):
    picture.save(tmp_path / name)
    frame = next(open_source(tmp_path / name).frames())
    assert frame.image.shape == (20, 30, 3)
    assert np.abs(frame.image.astype(int) - 100).max() <= 1
    assert frame.alpha is None


def test_alpha_of_pictures_is_kept(tmp_path):
    alpha = np.tile(np.arange(64, dtype=np.uint8) * 4, (48, 1))
    save_all(tmp_path, [np.dstack([picture, alpha]) for picture in numbered(3)])
    assert all((frame.alpha == alpha).all() for frame in open_source(tmp_path).frames())


def test_an_animated_png_is_a_video_with_its_delays(tmp_path):
    pictures = [Image.fromarray(picture) for picture in numbered(3)]
    pictures[0].save(tmp_path / "a.png", save_all=True, append_images=pictures[1:], duration=[100, 300, 100])
    frames = list(open_source(tmp_path / "a.png").frames())
    assert [number_of(frame.image) for frame in frames] == [0, 1, 2]
    assert [frame.time_s for frame in frames] == pytest.approx([0, 0.1, 0.4])


def test_a_picture_of_another_size_is_named(tmp_path):
    save_all(tmp_path, [*numbered(3), np.zeros((50, 64, 3), np.uint8)])
    with pytest.raises(InputError, match=r"expected all pictures to be 64×48 like the first, found 64×50.*frame_3\.png"):
        list(open_source(tmp_path).frames())


def test_a_broken_picture_repeats_the_one_before_and_is_named(tmp_path):
    save_all(tmp_path, numbered(5))
    broken = tmp_path / "frame_2.png"
    broken.write_bytes(broken.read_bytes()[:60])
    source = open_source(tmp_path)
    frames = list(source.frames())
    assert [frame.damaged for frame in frames] == [False, False, True, False, False]
    assert number_of(frames[2].image) == 1
    assert len(source.warnings) == 1
    assert source.warnings[0].startswith("picture frame_2.png (frame 2) could not be read")


def test_a_broken_first_picture_is_black(tmp_path):
    save_all(tmp_path, numbered(3))
    (tmp_path / "frame_0.png").write_bytes(b"\x89PNG nothing")
    frames = list(open_source(tmp_path).frames())
    assert frames[0].damaged
    assert frames[0].image.shape == (48, 64, 3)
    assert frames[0].image.max() == 0


def test_a_folder_of_broken_pictures_is_refused(tmp_path):
    (tmp_path / "a.png").write_text("hello")
    with pytest.raises(FormatError, match=r"found 1 file\(s\) of which none can be read"):
        open_source(tmp_path)
