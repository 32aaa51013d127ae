"""A head of the model is found again from its surface, and what the model cannot say becomes offsets."""

import numpy as np
import pytest
from made_heads import TARGET, face_of, person, scan_of

from headcast.fit.config import FitConfig
from headcast.fit.folds import crossings
from headcast.fit.measure import measured
from headcast.fit.offsets import solve_offsets
from headcast.fit.outside import outer_samples
from headcast.fit.register import closed_lids, register
from headcast.fit.scan import Samples
from headcast.heads import open_head
from headcast.solve.step import follow


@pytest.fixture(scope="module")
def fitted():
    """A person with a bump of three millimetres on the cheek, fitted."""
    truth = person(3)
    scan, face = scan_of(truth, bump_m=0.003), face_of(truth)
    samples = outer_samples(scan, face.head_from_scan, 12_000)
    state = follow(register(TARGET, samples, face, FitConfig()))
    offsets = follow(solve_offsets(TARGET, state, samples, FitConfig()))
    return truth, samples, face, state, offsets


def test_shapes_alone_find_the_person_and_offsets_the_bump(fitted):
    _, samples, face, state, offsets = fitted
    vertices = TARGET.vertices(state)
    alone = measured(TARGET, vertices, state, samples, face).scan_to_head["face"]
    together = measured(TARGET, vertices + offsets, state, samples, face).scan_to_head["face"]
    assert alone.mean_mm < 0.75
    assert together.mean_mm < 0.25
    assert together.p95_mm < alone.p95_mm


def test_identity_explains_the_scan_as_a_usual_person(fitted):
    _, _, _, state, _ = fitted
    assert (state.identity**2).mean() < 1.5


def test_lids_and_lips_cross_no_more_than_the_models_own(fitted):
    _, _, _, state, offsets = fitted
    before, after = crossings(TARGET, TARGET.vertices(state)), crossings(TARGET, TARGET.vertices(state) + offsets)
    assert after["lips"] == 0 and after["eyelids"] <= before["eyelids"]


def test_eyeballs_and_teeth_stay_where_the_skull_is(fitted):
    offsets = fitted[-1]
    for name in ("eyeballs", "teeth"):
        assert np.abs(offsets[TARGET.model.regions[name].numpy()]).max() < 1e-6


def test_landmarks_of_closed_lids_close_the_heads():
    model, state = open_head(), person(1, smile=0.0)
    blinks = [model.expression_names.index(name) for name in ("eyeBlinkLeft", "eyeBlinkRight")]
    assert not closed_lids(model, face_of(state)).any()
    state.expression[blinks] = 1.0
    assert np.array_equal(np.flatnonzero(closed_lids(model, face_of(state))), sorted(blinks))


def test_normals_point_outward_whichever_way_the_file_winds():
    truth = person(2)
    scan, face = scan_of(truth), face_of(truth)
    turned = type(scan)(scan.name, scan.vertices, scan.faces[:, ::-1])
    samples = outer_samples(turned, face.head_from_scan, 3000).moved(truth.head_from_scan)
    found = TARGET.nearest(TARGET.vertices(truth), samples.points, 0.01)
    assert ((samples.normals * found.normals).sum(1) > 0).mean() > 0.97


def test_motion_is_the_derivative_of_the_surface():
    state, rng = person(4), np.random.default_rng(0)
    corners, directions = TARGET.landmark_corners[:40], rng.standard_normal((40, 3))
    weights = TARGET.landmarks.barycentric.double().numpy()[:40]
    rows = TARGET.motion(state).along(corners, weights, directions)
    for column in (0, 7, TARGET.model.identity_count + 3):
        identity, expression = state.identity.copy(), state.expression.copy()
        both = np.concatenate([identity, expression])
        both[column] += 0.1
        changed = type(state)(both[: len(identity)], both[len(identity) :], state.joints, state.head_from_scan)
        moved = ((TARGET.vertices(changed) - TARGET.vertices(state))[corners] * weights[..., None]).sum(1)
        assert np.allclose((moved * directions).sum(1) / 0.1, rows[:, column], atol=3e-4)


def test_without_a_surface_landmarks_decide():
    truth = person(5)
    nothing = Samples(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0, bool))
    state = follow(register(TARGET, nothing, face_of(truth), FitConfig()))
    assert np.linalg.norm(TARGET.vertices(state) - TARGET.vertices(truth), axis=1)[TARGET.regions["face"]].mean() < 0.005
