"""Landmark networks that the user brings: what they get, how their answers are read, and what their points are on a head."""

import numpy as np
import pytest
import torch

from headcast.errors import ConfigError, FormatError, MissingAssetError
from headcast.heads import open_head
from headcast.perceive import LAYOUT_NAMES, MEDIAPIPE, LandmarkSources, layout_of
from headcast.perceive.embedding import landmark_set
from headcast.perceive.network_landmarks import READINGS, NetworkLandmarks, peaks
from headcast.perceive.networks import NETWORKS, NamedNetwork

SPARSE = [name for name in LAYOUT_NAMES if name != MEDIAPIPE]
_JAW_98 = range(0, 33, 2)
WFLW_OF_IBUG = [*_JAW_98, *range(33, 38), *range(42, 47), *range(51, 60), 60, 61, 63, 64, 65, 67, 68, 69, 71, 72, 73, 75, *range(76, 96)]
INSIGHTFACE_OF_IBUG = [
    *(1, 10, 12, 14, 16, 3, 5, 7, 0, 23, 21, 19, 32, 30, 28, 26, 17, 43, 48, 49, 51, 50, 102, 103, 104, 105, 101, 72, 73, 74, 86, 78, 79, 80, 85, 84),
    *(35, 41, 42, 39, 37, 36, 89, 95, 96, 93, 91, 90, 52, 64, 63, 71, 67, 68, 61, 58, 59, 53, 56, 55, 65, 66, 62, 70, 69, 57, 60, 54),
]


def on_head(name):
    model = open_head()
    return landmark_set(model, (name,)).points(model.template, model.faces).numpy()


@pytest.mark.parametrize("name", SPARSE)
def test_points_lie_opposite_their_partners(name):
    """Two millimetres: the head and MediaPipe's points on it are not quite symmetric."""
    partner, points = layout_of((name,)).partner, on_head(name)
    assert (partner[partner] == np.arange(len(partner))).all()
    assert np.abs(points[partner] * [-1, 1, 1] - points).max() < 0.002


@pytest.mark.parametrize(("name", "same"), [("wflw_98", WFLW_OF_IBUG), ("insightface_106", INSIGHTFACE_OF_IBUG)])
def test_where_layouts_share_the_68_points_they_are_at_one_place(name, same):
    """As the networks' users map them; half a millimetre is how far the surface is from where they were found."""
    assert np.linalg.norm(on_head(name)[same] - on_head("ibug_68"), axis=1).max() < 0.0005


def test_several_layouts_stand_one_after_another():
    both = layout_of((MEDIAPIPE, "wflw_98"))
    assert both.count == 576 and both.part("wflw_98") == slice(478, 576) and both.part("ibug_68") is None
    model = open_head()
    faces = landmark_set(model, (MEDIAPIPE, "wflw_98")).faces
    assert torch.equal(faces[:478], model.landmarks[MEDIAPIPE].faces) and len(faces) == 576


@pytest.mark.parametrize("names", [(), ("dlib_5",), ("ibug_68", "ibug_68")])
def test_other_layouts_are_refused(names):
    with pytest.raises(ConfigError, match="different landmark layouts"):
        layout_of(names)


def test_each_network_gets_the_numbers_that_its_authors_give_it():
    colour = np.full((1, 1, 3), (255, 0, 51), np.uint8)
    given = {name: NETWORKS[name].tensor(colour)[0, :, 0, 0] for name in READINGS}
    np.testing.assert_allclose(given["fan"], [1, 0, 0.2], atol=1e-6)
    np.testing.assert_allclose(given["star"], [-0.6, -1, 1], atol=1e-6)  # blue first
    np.testing.assert_allclose(given["insightface"], [255, 0, 51], rtol=1e-6)
    np.testing.assert_allclose(given["hrnet"], [(1 - 0.485) / 0.229, -0.456 / 0.224, (0.2 - 0.406) / 0.225], rtol=1e-5)


def test_the_top_of_a_heat_map_is_found_between_its_pixels():
    across, down = np.meshgrid(np.arange(64), np.arange(64))
    maps = np.stack([np.exp(-((across - x) ** 2 + (down - y) ** 2) / 4.5) for x, y in ((20.3, 31.0), (0.0, 63.0), (40.45, 12.6))])
    # A fifth of a pixel of the map; at the very edge half the hill is missing.
    found = peaks(maps.astype(np.float32)) * 64 - 0.5
    np.testing.assert_allclose(found[[0, 2]], [[20.3, 31.0], [40.45, 12.6]], atol=0.2)
    np.testing.assert_allclose(found[1], [0.0, 63.0], atol=0.3)


onnx_installed = pytest.importorskip("onnx", reason="the test extra is not installed")
pytest.importorskip("onnxruntime", reason="the onnx extra is not installed")
import tiny_networks  # noqa: E402
from tiny_networks import a_face  # noqa: E402

DOT = np.array([205.0, 160.0])


def network_file(name, folder):
    count = layout_of((READINGS[name].layout,)).count
    file = folder / f"{name}.onnx"
    if READINGS[name].gives == "heat maps":
        return tiny_networks.bright_maps(file, count)
    return tiny_networks.bright_places(file, count, READINGS[name].size_px, {"star": -1.0, "insightface": 0.0}[name], flat=name == "insightface")


@pytest.mark.parametrize("roll", [0.0, 0.5])
@pytest.mark.parametrize("name", sorted(READINGS))
def test_a_point_is_found_where_the_picture_shows_it(name, roll, tmp_path):
    """A dot in the first channel's colour; the mirrored look finds it there as well."""
    picture = np.zeros((300, 400, 3), np.uint8)
    colour = (0, 0, 255) if NETWORKS[name].blue_first else (255, 0, 0)
    picture[int(DOT[1]) - 2 : int(DOT[1]) + 2, int(DOT[0]) - 2 : int(DOT[0]) + 2] = colour
    found = NetworkLandmarks(NamedNetwork(name, network_file(name, tmp_path)))(picture, a_face(roll))
    assert len(found.points_px) == layout_of((READINGS[name].layout,)).count
    # A heat map's pixel is about three of the picture's.
    np.testing.assert_allclose(found.points_px, np.broadcast_to(DOT, found.points_px.shape), atol=1.0)


def test_points_on_a_heap_are_no_face(tmp_path):
    picture = np.full((300, 400, 3), 90, np.uint8)
    file = network_file("star", tmp_path)
    assert LandmarkSources((f"star:{file}",))(picture, a_face()) is None
    both = LandmarkSources(("mediapipe", f"star:{file}"))(picture, a_face())
    assert both.confidence[:478].all() and not both.confidence[478:].any()


@pytest.mark.parametrize("roll", [0.0, 0.5])
def test_what_both_looks_agree_on_is_trusted_as_far_as_it_is_seen(roll, tmp_path):
    """A network that always sees the mean head in the middle of its crop: the mirrored look sees the same, with sides exchanged."""
    seen = a_face(roll)
    file = tiny_networks.mean_face(tmp_path / "fan.onnx", a_face())
    found = LandmarkSources((f"fan:{file}",))(np.zeros((300, 400, 3), np.uint8), seen)
    # The mean head is not quite symmetric.
    assert found.confidence.min() > 0.5
    assert np.linalg.norm(found.points_px - seen.points_px[layout_of(("ibug_68",)).kin], axis=1).max() < 4


def test_mediapipe_and_a_network_stand_one_after_another(tmp_path):
    sources = LandmarkSources(("mediapipe", f"star:{network_file('star', tmp_path)}"))
    seen = a_face()
    found = sources(np.full((300, 400, 3), 90, np.uint8), seen)
    assert sources.layout.names == (MEDIAPIPE, "wflw_98") and len(found.points_px) == 576
    np.testing.assert_array_equal(found.points_px[:478], seen.points_px)


@pytest.mark.parametrize(
    ("sources", "error", "words"),
    [
        (("star",), ConfigError, r"--landmarks expects mediapipe, fan:FILE, .*, found 'star'"),
        (("dlib:a.onnx",), ConfigError, r"--landmarks expects fan:FILE or .* found 'dlib:a\.onnx'"),
        (("fan:nowhere.onnx",), MissingAssetError, "face-alignment"),
        (("mediapipe", "mediapipe"), ConfigError, "different landmark layouts"),
        ((), ConfigError, "found none"),
    ],
)
def test_sources_that_are_none_are_refused(sources, error, words):
    with pytest.raises(error, match=words):
        LandmarkSources(sources)


def test_a_network_of_other_points_is_refused(tmp_path):
    file = network_file("star", tmp_path)
    with pytest.raises(FormatError, match=r"'fan' needs the input number 1 of shape 1×3×256×256|'fan' needs the output last of shape 1×68×64×64"):
        LandmarkSources((f"fan:{file}",))
