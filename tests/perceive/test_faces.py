import math

import numpy as np
import pytest
from portraits import head, placed, portrait, turned

from headcast.perceive.faces import FaceBox, crop


@pytest.mark.parametrize("angle_deg", [0, 60, 90, 180, 270])
def test_a_face_is_found_whichever_way_up_it_is(finder, angle_deg):
    picture, turned_from_upright = turned(head(), angle_deg)
    found = finder.find(picture)[0]
    upright = finder.find(head())[0]
    expected = turned_from_upright[:, :2] @ upright.center_px + turned_from_upright[:, 2]
    assert np.linalg.norm(found.center_px - expected) < 0.15 * upright.side_px
    assert abs(math.remainder(found.roll_rad - upright.roll_rad + math.radians(angle_deg), 2 * math.pi)) < math.radians(15)


def test_a_face_three_percent_high_in_a_4k_picture_is_found(finder):
    scale = 0.3
    picture = placed((2160, 3840), (head(), scale, (3100, 400)))
    found = finder.find(picture)[0]
    whole = finder.find(head())[0]
    assert np.linalg.norm(found.center_px - (whole.center_px * scale + (3100, 400))) < 0.2 * whole.side_px * scale
    assert 0.7 < found.side_px / (whole.side_px * scale) < 1.4


def test_two_people_are_two_faces(finder):
    picture = placed((480, 900), (head(), 1.0, (20, 40)), (head()[:, ::-1], 0.8, (560, 80)))
    centers = sorted(box.center_px[0] for box in finder.find(picture))
    assert len(centers) == 2
    assert centers[0] < 400
    assert centers[1] > 560


@pytest.mark.parametrize("size", [(120, 161), (480, 640)])
def test_noise_shows_no_face(finder, size):
    picture = np.random.default_rng(3).integers(0, 256, (*size, 3), dtype=np.uint8)
    assert finder.find(picture) == []


def test_a_crop_shows_what_its_box_frames():
    """Landmarks of the crop's own square map to the box's corners, and colours follow, shrunk by 2.6 as well as enlarged."""
    rows, columns = np.mgrid[0:400, 0:500]
    picture = np.stack([columns / 2, rows / 2, np.full_like(rows, 128)], -1).astype(np.uint8)
    for side_px in (60.0, 500.0):
        box = FaceBox(np.array([240.0, 190.0]), side_px, 0.4)
        shown = crop(picture, box, 192)
        source_from_crop = box.source_from_crop(192)
        for place in ((96.5, 96.5), (70.5, 110.5), (120.5, 90.5)):
            x, y = source_from_crop[:, :2] @ place + source_from_crop[:, 2]
            color = shown[int(place[1]), int(place[0])]
            assert np.abs(color[:2] - np.array([x - 0.5, y - 0.5]) / 2).max() < 1.5


def test_a_crop_beyond_the_picture_is_black():
    box = FaceBox(np.array([-5000.0, -5000.0]), 900.0, 0.0)
    assert crop(portrait(), box, 192).max() == 0
