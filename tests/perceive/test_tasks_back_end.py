import numpy as np
import pytest
from portraits import portrait, real_recordings, turned

from headcast.errors import FormatError, MissingAssetError
from headcast.perceive import DETECTORS, FaceFollower
from headcast.perceive.topology import LEFT_EYE, RIGHT_EYE


@pytest.fixture(scope="module")
def tasks():
    bundle = None if real_recordings() is None else real_recordings() / "models" / "face_landmarker.task"
    if bundle is None or not bundle.is_file():
        pytest.skip("needs models/face_landmarker.task of the test data")
    return DETECTORS["mediapipe_tasks"](bundle)


def test_both_back_ends_see_the_same_landmarks(tasks, finder, seen):
    """To 4 % of the distance of the outer eye corners: they are two networks that were trained on the same definitions."""
    landmarks = FaceFollower(tasks, finder).step(portrait(), 0.0).landmarks
    distance = np.linalg.norm(landmarks.points_px - seen.points_px, axis=1)
    interocular = np.linalg.norm(seen.points_px[LEFT_EYE[0]] - seen.points_px[RIGHT_EYE[0]])
    assert distance.mean() < 0.04 * interocular
    assert np.corrcoef(landmarks.depth_px, seen.depth_px)[0, 1] > 0.95
    assert np.abs(landmarks.visibility - seen.visibility).mean() < 0.1


def test_the_tasks_back_end_finds_a_lying_face(tasks, finder, seen):
    picture, affine = turned(portrait(), 90)
    landmarks = FaceFollower(tasks, finder).step(picture, 0.0).landmarks
    expected = seen.points_px @ affine[:, :2].T + affine[:, 2]
    assert np.linalg.norm(landmarks.points_px - expected, axis=1).mean() < 0.05 * np.ptp(expected[:, 0])


def test_without_a_bundle_it_says_which_file_and_where_from():
    with pytest.raises(MissingAssetError, match=r"face_landmarker\.task bundle; none was named.*Apache-2\.0.*https://"):
        DETECTORS["mediapipe_tasks"](None)


def test_a_bundle_that_is_not_there_is_named(tmp_path):
    with pytest.raises(MissingAssetError, match="there is none at"):
        DETECTORS["mediapipe_tasks"](tmp_path / "gone.task")


@pytest.mark.parametrize("content", [b"not a bundle", b""])
def test_a_file_that_is_no_bundle_is_refused(tmp_path, content):
    (tmp_path / "face.task").write_bytes(content)
    with pytest.raises(FormatError, match="a zip archive"):
        DETECTORS["mediapipe_tasks"](tmp_path / "face.task")


def test_a_zip_that_is_no_bundle_is_refused(tmp_path):
    import zipfile

    with zipfile.ZipFile(tmp_path / "face.task", "w") as archive:
        archive.writestr("readme.txt", "nothing")
    with pytest.raises(FormatError, match="MediaPipe refuses"):
        DETECTORS["mediapipe_tasks"](tmp_path / "face.task")
