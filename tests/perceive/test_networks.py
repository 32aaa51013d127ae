"""What a known network gets is what its authors document, and a file that is another network is refused with what it has."""

import sys

import numpy as np
import pytest
from PIL import Image

from headcast.errors import ConfigError, FormatError, InputError, MissingAssetError, MissingExtraError
from headcast.perceive import FaceBox, FaceNormals, FaceParser, MatteConfig, MattingChoice, NamedNetwork
from headcast.perceive.networks import OnnxNetwork

pytest.importorskip("onnx", reason="the test extra is not installed")
pytest.importorskip("onnxruntime", reason="the onnx extra is not installed")
import tiny_networks

COLOR = (200, 100, 50)
"""Another number in each channel, so that their order counts."""
SIZE = (200, 300)
IMAGE = np.full((*SIZE, 3), COLOR, np.uint8)
BOX = FaceBox(np.array([150.0, 100.0]), 90.0, 0.0)


def _matting(text, plate=None, size=SIZE):
    return MattingChoice(text, plate).network(MatteConfig(), size)


def _step(matting, image=IMAGE, cut=False):
    return matting.step(image, None, BOX, cut).alpha / 255


@pytest.mark.parametrize("channel", [0, 1, 2])
def test_modnet_sees_minus_one_to_one_red_first(channel, tmp_path):
    weights = np.eye(3)[channel] * 0.5
    file = tiny_networks.weighted(tmp_path / "m.onnx", weights, 0.5)
    # 0.5 · (2 c − 1) + 0.5 is the colour itself: any other range or order gives another number.
    np.testing.assert_allclose(_step(_matting(f"modnet:{file}")), COLOR[channel] / 255, atol=1 / 255)


@pytest.mark.parametrize(
    ("size", "expected"), [((200, 300), (512, 768)), ((720, 1280), (512, 896)), ((512, 600), (512, 576)), ((1280, 720), (896, 512))]
)
def test_modnet_sees_a_shorter_side_of_512_in_steps_of_32(size, expected, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(
        OnnxNetwork, "__call__", lambda self, tensor: seen.append(tensor.shape[2:]) or [np.zeros((1, 1, *tensor.shape[2:]), np.float32)]
    )
    matting = _matting(f"modnet:{tiny_networks.weighted(tmp_path / 'm.onnx', (1, 0, 0), 0)}", size=size)
    matting.step(np.zeros((*size, 3), np.uint8), None, BOX, False)
    assert seen == [expected]


def test_rvm_sees_zero_to_one_and_keeps_its_states(tmp_path):
    matting = _matting(f"rvm:{tiny_networks.recurrent(tmp_path / 'r.onnx')}")
    ratio = 0.001  # frames of 300 pixels are looked at as they are: a ratio of 1
    found = [float(_step(matting).mean()) for _ in range(3)]
    np.testing.assert_allclose(found, [ratio, 0.1 + ratio, 0.2 + ratio], atol=2 / 255)
    assert float(_step(matting, cut=True).mean()) < 0.01, "a new shot begins with empty states"


def test_rvm_looks_first_at_512_pixels(tmp_path, monkeypatch):
    seen = []

    def call(self, *values):
        seen.append((values[0].shape, float(values[-1][0]), float(values[0].max())))
        return [np.zeros((1, 1, *values[0].shape[2:]), np.float32), *values[1:5]]

    monkeypatch.setattr(OnnxNetwork, "__call__", call)
    size = (1080, 1920)
    _matting(f"rvm:{tiny_networks.recurrent(tmp_path / 'r.onnx')}", size=size).step(np.full((*size, 3), 255, np.uint8), None, BOX, False)
    assert seen == [((1, 3, 1080, 1920), pytest.approx(512 / 1920), 1.0)]


def test_background_matting_gets_the_clean_plate(tmp_path):
    plate = tmp_path / "plate.png"
    Image.fromarray(np.full((*SIZE, 3), (80, 0, 255), np.uint8)).save(plate)
    matting = _matting(f"bgm2:{tiny_networks.difference(tmp_path / 'b.onnx')}", plate)
    np.testing.assert_allclose(_step(matting), (200 - 80) / 255, atol=1 / 255)


def test_a_clean_plate_of_another_size_is_refused(tmp_path):
    plate = tmp_path / "plate.png"
    Image.fromarray(np.zeros((10, 10, 3), np.uint8)).save(plate)
    with pytest.raises(InputError, match=r"300×200.*10×10"):
        _matting(f"bgm2:{tiny_networks.difference(tmp_path / 'b.onnx')}", plate)


def test_background_matting_needs_a_clean_plate_and_nothing_else_takes_one(tmp_path):
    file = tiny_networks.difference(tmp_path / "b.onnx")
    for text, plate in ((f"bgm2:{file}", None), ("mediapipe", tmp_path / "p.png"), (f"modnet:{file}", tmp_path / "p.png")):
        with pytest.raises(ConfigError, match="bgm2"):
            _matting(text, plate)


def test_bisenet_sees_imagenet_colours_and_labels_return_to_their_places(tmp_path):
    """Red above its ImageNet mean of 0.485 is hair for this graph; 124 of 255 is just above it, 123 just below."""
    image = np.zeros((*SIZE, 3), np.uint8)
    image[:100, :150, 0], image[100:, :150, 0] = 125, 122
    image[60:140, 160:240, 1] = 255
    points = np.zeros((478, 2), np.float32)
    points[468], points[473] = (120, 100), (180, 100)
    labels, probability = FaceParser(NamedNetwork("bisenet", tiny_networks.chooser(tmp_path / "p.onnx")))(image, BOX, points)
    assert labels.shape == probability.shape == SIZE
    inside = np.s_[95:99, 100:145], np.s_[101:106, 100:145], np.s_[80:120, 165:200]
    assert (labels[inside[0]] == 17).all() and (labels[inside[1]] == 0).all() and set(np.unique(labels[inside[2]])) == {4}
    assert not labels[:20].any() and not probability[:20].any(), "outside of the crop nothing is known"


def test_sides_are_the_subjects_whatever_the_network_calls_left(tmp_path):
    image = np.zeros((*SIZE, 3), np.uint8)
    image[90:110, 100:130, 1] = image[90:110, 170:200, 1] = 255
    points = np.zeros((478, 2), np.float32)
    points[468], points[473] = (115, 100), (185, 100)
    labels, _ = FaceParser(NamedNetwork("bisenet", tiny_networks.chooser(tmp_path / "p.onnx")))(image, BOX, points)
    assert (labels[95:105, 105:125] == 5).all() and (labels[95:105, 175:195] == 4).all()


def test_normals_see_zero_to_one_and_come_in_camera_space(tmp_path):
    points = np.float32(BOX.center_px + np.random.default_rng(0).uniform(-40, 40, (478, 2)))
    normals = FaceNormals(NamedNetwork("face_normals", tiny_networks.direction(tmp_path / "n.onnx")))(IMAGE, points)
    expected = np.array(COLOR) * [1, -1, -1] / np.linalg.norm(COLOR)
    np.testing.assert_allclose(normals[100, 150], expected, atol=1e-3)
    assert not normals[:20].any() and np.allclose(np.linalg.norm(normals[70:130, 120:180], axis=-1), 1, atol=1e-3)


def test_another_network_is_refused_with_what_it_has(tmp_path):
    file = tiny_networks.weighted(tmp_path / "m.onnx", (1, 0, 0), 0)
    with pytest.raises(FormatError, match=r"'rvm' needs the input src of shape 1×3×any×any, found picture"):
        _matting(f"rvm:{file}")
    with pytest.raises(FormatError, match=r"number 1 of shape 1×19×512×512, found answer of shape any×1×any×any"):
        FaceParser(NamedNetwork("bisenet", file))
    with pytest.raises(FormatError, match=r"r2i"):
        _matting(f"rvm:{tiny_networks.recurrent(tmp_path / 'r.onnx', states=1)}")
    with pytest.raises(FormatError, match=r"has 1 inputs, found src .*, bgr"):
        _matting(f"modnet:{tiny_networks.difference(tmp_path / 'd.onnx')}")


def test_a_file_that_is_no_network_and_one_that_is_not_there(tmp_path):
    (tmp_path / "a.onnx").write_bytes(b"not a graph")
    with pytest.raises(FormatError, match="ONNX Runtime refuses"):
        _matting(f"modnet:{tmp_path / 'a.onnx'}")
    with pytest.raises(MissingAssetError, match=r"github.com/ZHKKKe/MODNet"):
        _matting(f"modnet:{tmp_path / 'b.onnx'}")


@pytest.mark.parametrize("text", ["rvm", "rvm:", "unet:file.onnx", "bisenet:file.onnx"])
def test_a_name_that_is_none_is_answered_with_those_that_are(text):
    with pytest.raises(ConfigError, match="rvm:FILE"):
        _matting(text)


def test_without_onnx_runtime_the_extra_is_named(tmp_path, monkeypatch):
    file = tiny_networks.weighted(tmp_path / "m.onnx", (1, 0, 0), 0)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match=r"headcast\[onnx\]"):
        _matting(f"modnet:{file}")
