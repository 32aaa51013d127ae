"""What a person gives is kept as it is; what cannot be used is refused before anything is written."""

import numpy as np
import pytest
from portrait_clips import FAST

from headcast.cli.main import main
from headcast.errors import ConfigError, FormatError, InputError
from headcast.heads import open_head
from headcast.track import TrackConfig, track_capture
from headcast.track.given import Given

SIDE = 128
QUICK = {"keyframes": 4, "rounds": 1, "texture_px": SIDE, "side_px": 128}


def _known() -> dict[str, np.ndarray]:
    """Values that the tracker would not have found by itself."""
    random = np.random.default_rng(3)
    light = np.zeros((9, 3))
    light[0], light[3] = (0.9, 1.0, 1.1), 0.3
    return {
        "identity": 0.5 * random.normal(size=open_head().identity_count),
        "focal_px": np.array([420.0, 415.0]),
        "center_px": np.array([131.0, 122.0]),
        "light": light,
        "landmark_offsets": 0.001 * random.normal(size=(478, 3)),
        "albedo": 0.2 + 0.2 * random.random((SIDE, SIDE, 3)),
        "certainty": np.full((SIDE, SIDE), 0.5),
    }


@pytest.fixture
def given_file(tmp_path):
    def write(**arrays):
        np.savez(tmp_path / "known.npz", **arrays)
        return tmp_path / "known.npz"

    return write


@pytest.mark.parametrize("mode", ["fast", "full"])
@pytest.mark.parametrize("names", [("identity",), ("focal_px",), ("center_px",), ("light",), ("landmark_offsets",), ("albedo", "certainty")])
def test_a_given_value_is_kept_and_the_others_are_solved(names, mode, portrait_run, given_file):
    known = _known()
    config = TrackConfig(mode=mode, given=given_file(**{name: known[name] for name in names}), **QUICK)
    result = track_capture(portrait_run.capture, open_head(), config)
    track = result.track
    found = {
        "identity": track.identity,
        "focal_px": track.camera.focal_px,
        "center_px": track.camera.center_px,
        "light": track.light,
        "landmark_offsets": track.landmark_offsets,
        "albedo": result.albedo,
        "certainty": result.albedo_certainty,
    }
    for name, value in found.items():
        same = np.allclose(np.asarray(value), known[name], rtol=1e-4, atol=1e-6)
        assert same == (name in names), name
    assert bool(track.valid.all()) and (track.focal_sigma_px == 0) == ("focal_px" in names)


def test_everything_may_be_given_at_once(portrait_run, given_file):
    known = _known()
    result = track_capture(portrait_run.capture, open_head(), TrackConfig(mode="fast", given=given_file(**known), **QUICK))
    np.testing.assert_allclose(result.track.identity.numpy(), known["identity"], atol=1e-6)
    np.testing.assert_allclose(result.track.light.numpy(), known["light"], atol=1e-6)
    np.testing.assert_allclose(result.albedo, known["albedo"], atol=1e-6)


def test_one_focal_length_stands_for_both_axes(given_file):
    given = Given.of(TrackConfig(given=given_file(focal_px=np.float32(500))), open_head())
    assert given.focal_px.tolist() == [500.0, 500.0] and given.fixed == {"focal_px"}


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({}, r"expected any of the arrays identity, focal_px, .* found \[\]"),
        ({"focal": np.ones(2)}, r"expected any of the arrays identity, focal_px, .* found \['focal'\]"),
        ({"certainty": np.ones((SIDE, SIDE))}, "expected any of the arrays"),
        ({"identity": np.zeros(7)}, r"expected 'identity' with axes \(\d+,\), found shape \(7,\)"),
        ({"light": np.zeros((3, 9))}, r"expected 'light' with axes \(9, 3\)"),
        ({"focal_px": np.ones(3)}, r"expected 'focal_px' with axes \(2,\)"),
        ({"focal_px": np.array([500.0, -1])}, r"expected a positive focal_px, found \[500.0, -1.0\]"),
        ({"center_px": np.array(128.0)}, r"expected 'center_px' with axes \(2,\)"),
        ({"center_px": np.array([np.nan, 1])}, "'center_px' holds 1 values that are not finite"),
        ({"center_px": np.array(["middle", "middle"])}, r"expected numbers, found \['center_px'\]"),
        ({"landmark_offsets": np.zeros((68, 3))}, r"expected 'landmark_offsets' with axes \(478, 3\)"),
        ({"albedo": np.zeros((64, 64, 3))}, r"expected 'albedo' with axes \(128, 128, 3\)"),
    ],
)
def test_what_cannot_be_used_is_refused(arrays, said, given_file):
    with pytest.raises(FormatError, match=said):
        Given.of(TrackConfig(given=given_file(**arrays), texture_px=SIDE), open_head())


def test_a_file_that_is_not_there_and_a_file_of_another_kind_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"expected the file .*known\.npz, found none"):
        Given.of(TrackConfig(given=tmp_path / "known.npz"), open_head())
    (tmp_path / "known.npz").write_text("focal_px = 500")
    with pytest.raises(FormatError, match="cannot be read as arrays"):
        Given.of(TrackConfig(given=tmp_path / "known.npz"), open_head())


def test_a_focal_length_that_is_given_twice_is_refused(given_file):
    with pytest.raises(ConfigError, match=r"expected one focal length, found --focal-px 400.0 and focal_px in"):
        Given.of(TrackConfig(given=given_file(focal_px=np.array([500.0, 500.0])), focal_px=400.0), open_head())


def test_a_wrong_file_is_found_out_before_anything_is_written(portrait_clip, tmp_path, given_file, capsys):
    command = ["track", str(portrait_clip), "--out", str(tmp_path / "run"), *FAST, "--given", str(given_file(shape=np.zeros(3)))]
    assert main(command) == 2
    assert "found ['shape']" in " ".join(capsys.readouterr().err.replace("│", "").split()) and not (tmp_path / "run").exists()
