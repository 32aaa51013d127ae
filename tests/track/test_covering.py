"""What covers a face is found, named, and kept out of the texture."""

from dataclasses import replace

import numpy as np
import pytest
from shown import shown_clip, some_person, turning_states
from test_rig import SIDE, _around, _recorded

from headcast.track.appearance import Texels, paint
from headcast.track.clip import Clip
from headcast.track.config import TrackConfig
from headcast.track.covering import bared, covering_of, find_coverings
from headcast.track.person_by_colours import skin_texels
from headcast.track.sight import all_sights

FRAMES, COVERED = 6, (2, 3)
HAND_SRGB = (205, 120, 95)


@pytest.fixture(scope="module")
def covered():
    """A clip in which a disc of skin's colour, a quarter of the face wide, lies over the cheek in some frames; and who it shows."""
    capture, states = _recorded(_around([0.0])), turning_states(FRAMES, 0.25)
    person = some_person(np.random.default_rng(3), capture.main.person.rig)
    clip = shown_clip(person, states, SIDE, np.random.default_rng(5))
    images, masks = clip.images.copy(), np.zeros((FRAMES, SIDE, SIDE), bool)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    for frame in COVERED:
        middle = clip.landmarks_px[frame, 205]
        masks[frame] = np.hypot(columns - middle[0], rows - middle[1]) < 10
        images[frame][masks[frame]] = HAND_SRGB
    return Clip.of(replace(capture, captures=(replace(clip, images=images),)), TrackConfig()), person, states, masks


def test_frames_that_something_covers_are_named_and_no_others(covered):
    clip, person, states, _ = covered
    found = find_coverings(person, clip.moments, dict(enumerate(states)))
    assert {frame for frame, _ in found} == set(COVERED)
    assert all(0.03 < one.share < 0.3 for one in found.values())


def test_a_face_in_other_light_is_not_covered(covered):
    clip, person, states, _ = covered
    moment = next(iter(clip.moments(np.array([0]))))
    view = moment.views[0]
    brighter = replace(view, levels=tuple(replace(level, image=level.image + np.float32(0.08)) for level in view.levels))
    (sight,) = all_sights(person, [replace(moment, views=(brighter,))], [states[0]])
    assert covering_of(sight).share == 0


def test_what_covers_a_face_is_not_painted(covered):
    clip, person, states, _ = covered
    found = find_coverings(person, clip.moments, dict(enumerate(states)))
    moments, some = list(clip.moments(None)), [0, *COVERED]
    texels = Texels.of(person.tracked.surface, 256)
    blank = person.changed(texture=None, fixed=frozenset({"light"}))

    def painted(chosen):
        return paint(blank, texels, all_sights(blank, chosen, [states[k] for k in some]), 0.035, skin_texels(blank, texels)).texture

    polluted, clean = painted([moments[k] for k in some]), painted(list(bared([moments[k] for k in some], found)))
    truth = painted([moments[k] for k in (0, 0, 0)])
    both = (polluted[..., 3] > 0.1) & (truth[..., 3] > 0.1)

    def off(texture):
        return np.abs(texture[both][:, :3] - truth[both][:, :3]).mean()

    assert off(clean) < off(polluted)


def test_the_covered_pixels_leave_the_matte_of_every_level(covered):
    clip, person, states, masks = covered
    found = find_coverings(person, clip.moments, dict(enumerate(states)))
    before, after = list(clip.moments(None)), list(replace(clip, hidden=found).moments(None))
    for level, (plain, bare) in enumerate(zip(before[2].views[0].levels, after[2].views[0].levels, strict=True)):
        assert bare.matte.sum() < plain.matte.sum() - 100 / 4**level
    np.testing.assert_array_equal(before[0].views[0].levels[0].matte, after[0].views[0].levels[0].matte)
    assert masks[2].any()
