"""How much parts of a head count, as settings say."""

from dataclasses import replace

import numpy as np
import pytest
from shown import shown_clip, some_person, turning_states
from test_rig import SIDE, _around, _recorded

from headcast.errors import ConfigError
from headcast.heads import open_head
from headcast.track.appearance import Texels, paint
from headcast.track.clip import Clip
from headcast.track.config import TrackConfig
from headcast.track.person import TrackedModel
from headcast.track.person_by_colours import skin_texels
from headcast.track.regions import Regions, pixel_weights
from headcast.track.sight import all_sights
from headcast.track.surface import Surface


def test_the_usual_weights_are_those_of_the_tables():
    model = open_head()
    weight = pixel_weights(model, Regions())
    assert set(np.unique(weight)) == {0.0, 0.25, 0.8, 1.0}
    assert (weight[model.regions["neck"].numpy() & ~model.regions["eyelids"].numpy()] <= 0.25).all()


@pytest.mark.parametrize(("name", "region"), [("hair", "scalp"), ("ears", "ears"), ("neck", "neck")])
def test_a_part_counts_as_its_setting_says(name, region):
    model = open_head()
    inside = model.regions[region].numpy()
    full, none = (pixel_weights(model, replace(Regions(), **{name: use})) for use in ("full", "painted"))
    assert (full[inside] >= none[inside]).all() and full[inside].mean() > none[inside].mean()
    np.testing.assert_array_equal(full[~inside], none[~inside])


def test_what_tells_how_well_a_track_agrees_does_not_depend_on_the_settings():
    model = open_head()
    np.testing.assert_array_equal(Surface.of(model).measured, Surface.of(model, Regions(ears="full", neck="full", hair="full")).measured)


def test_colours_count_less_towards_the_border_of_a_part():
    model = open_head()
    plain, soft = (pixel_weights(model, Regions(border_m=width)) for width in (0.0, 0.01))
    assert (soft <= plain + 1e-9).all() and soft.sum() < plain.sum()
    nose = model.regions["nose"].numpy()
    assert soft[nose].max() == pytest.approx(plain[nose].max())


def test_borders_wider_than_a_face_are_refused():
    with pytest.raises(ConfigError, match=r"between 0 and 0\.05 m, found 0\.5"):
        Regions(border_m=0.5)


def test_a_filled_part_has_one_colour_and_pulls_nothing():
    capture, states = _recorded(_around([0.0])), turning_states(3, 0.25)
    person = some_person(np.random.default_rng(3), capture.main.person.rig)
    regions = Regions(ears="filled")
    tracked = TrackedModel.of(open_head(), TrackConfig().sigmas, regions=regions)
    capture = replace(capture, captures=(shown_clip(person, states, SIDE, np.random.default_rng(5)),))
    moments = list(Clip.of(capture, TrackConfig()).moments(None))
    plain = person.changed(tracked=tracked, texture=None, fixed=frozenset({"light"}))
    texels = Texels.of(tracked.surface, 256)
    painted = paint(plain, texels, all_sights(plain, moments, states), 0.035, skin_texels(plain, texels))
    ears = tracked.surface.filled[texels.face] >= 0
    assert ears.sum() > 100 and (tracked.surface.face_weight[tracked.surface.filled >= 0] == 0).all()
    at = painted.texture[texels.row[ears], texels.column[ears]]
    np.testing.assert_allclose(at[:, :3], at[:1, :3].repeat(len(at), 0), atol=1e-6)
    assert not at[:, 3].any()
