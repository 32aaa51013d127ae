import wave

import pytest

from headcast.capture import open_source
from headcast.errors import FormatError, HeadcastError, InputError


def message(path) -> str:
    with pytest.raises(HeadcastError) as caught:
        open_source(path)
    return str(caught.value).replace(str(path.parent), "…")


def test_no_file(tmp_path):
    assert message(tmp_path / "gone.mp4") == "expected a video file, found nothing at …/gone.mp4"
    assert message(tmp_path / "gone.png") == "expected a picture, found nothing at …/gone.png"
    assert message(tmp_path / "gone" / "*.png") == "expected a folder with pictures, found nothing at …"
    with pytest.raises(InputError):
        open_source(tmp_path / "gone.mp4")


def test_an_empty_file(tmp_path):
    (tmp_path / "a.mp4").touch()
    (tmp_path / "a.png").touch()
    assert message(tmp_path / "a.mp4") == "expected a video, found an empty file at …/a.mp4"
    assert message(tmp_path / "a.png").startswith("expected a picture, found something that cannot be read as one (cannot identify image file")


def test_text_that_calls_itself_a_video(tmp_path):
    (tmp_path / "a.mp4").write_text("this is not a video\n" * 100)
    assert message(tmp_path / "a.mp4") == (
        "expected a video, found something that no decoder opens (Invalid data found when processing input). "
        "If it is a video, it was cut short or damaged; make a fresh copy of …/a.mp4"
    )


def test_text_that_calls_itself_a_picture(tmp_path):
    (tmp_path / "a.jpg").write_text("this is not a picture\n" * 100)
    assert message(tmp_path / "a.jpg").startswith("expected a picture, found something that cannot be read as one")


def test_sound_without_pictures(tmp_path):
    with wave.open(str(tmp_path / "a.wav"), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(16000))
    assert message(tmp_path / "a.wav") == "expected a video, found a file without pictures (sound or text only) at …/a.wav"


def test_an_empty_folder(tmp_path):
    (tmp_path / "empty").mkdir()
    assert message(tmp_path / "empty") == (
        "expected pictures (.png, .jpg, .jpeg, .bmp, .tif, .tiff, .webp, .ppm, .pgm), found none that match '*' in …/empty"
    )


def test_noise_that_calls_itself_a_video(tmp_path):
    import random

    (tmp_path / "a.mkv").write_bytes(random.Random(1).randbytes(50_000))
    with pytest.raises(FormatError, match="expected a video"):
        open_source(tmp_path / "a.mkv")
