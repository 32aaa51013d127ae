"""ONNX files of a few nodes that have the inputs and outputs of known networks and give back what reached them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save

from headcast.heads import open_head
from headcast.perceive import MEDIAPIPE, FaceBox, Landmarks, layout_of

FLOAT = TensorProto.FLOAT


def _save(path: Path, nodes: list, inputs: dict, outputs: dict, constants: dict | None = None) -> Path:
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(name, FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, FLOAT, shape) for name, shape in outputs.items()],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in (constants or {}).items()],
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(path))
    return path


def weighted(path: Path, weights: Sequence[float], shift: float, channels: int = 1, size: int | None = None) -> Path:
    """Every output channel is a weighted sum of the input's channels plus a shift, at each pixel."""
    shape = ["n", 3, size or "h", size or "w"]
    kernel = np.tile(np.asarray(weights, np.float32).reshape(1, 3, 1, 1), (channels, 1, 1, 1))
    nodes = [helper.make_node("Conv", ["picture", "kernel", "shift"], ["answer"])]
    constants = {"kernel": kernel, "shift": np.full(channels, shift, np.float32)}
    return _save(path, nodes, {"picture": shape}, {"answer": ["n", channels, *shape[2:]]}, constants)


def recurrent(path: Path, states: int = 4) -> Path:
    """Inputs and outputs of RVM; opacity = 0.1 · state 1 + 0.001 · downsample_ratio everywhere; each state grows by one from call to call."""
    state = {f"r{k}i": [f"a{k}", f"b{k}", f"c{k}", f"d{k}"] for k in range(1, states + 1)}
    nodes = [
        helper.make_node("ReduceMax", ["src"], ["most"], axes=[1], keepdims=1),
        helper.make_node("Mul", ["most", "zero"], ["blank"]),
        helper.make_node("ReduceMean", ["r1i"], ["remembered"], axes=[0, 1, 2, 3], keepdims=1),
        helper.make_node("Mul", ["remembered", "tenth"], ["part"]),
        helper.make_node("Mul", ["downsample_ratio", "thousandth"], ["ratio"]),
        helper.make_node("Add", ["blank", "part"], ["sum"]),
        helper.make_node("Add", ["sum", "ratio"], ["pha"]),
        *(helper.make_node("Add", [f"r{k}i", "one"], [f"r{k}o"]) for k in range(1, states + 1)),
    ]
    constants = {name: np.full(1, value, np.float32) for name, value in (("zero", 0), ("one", 1), ("tenth", 0.1), ("thousandth", 0.001))}
    inputs = {"src": ["n", 3, "h", "w"], **state, "downsample_ratio": [1]}
    outputs = {"pha": ["n", 1, "h", "w"], **{f"r{k}o": None for k in range(1, states + 1)}}
    return _save(path, nodes, inputs, outputs, constants)


def difference(path: Path) -> Path:
    """Inputs and outputs of BackgroundMattingV2: opacity = red of the picture − red of the clean plate."""
    nodes = [helper.make_node("Sub", ["src", "bgr"], ["all"]), helper.make_node("Conv", ["all", "kernel"], ["pha"])]
    shape = ["n", 3, "h", "w"]
    return _save(path, nodes, {"src": shape, "bgr": shape}, {"pha": ["n", 1, "h", "w"]}, {"kernel": np.float32([[[[1]], [[0]], [[0]]]])})


def chooser(path: Path) -> Path:
    """Inputs and outputs of BiSeNet: label 17 (hair) where normalised red is above 0, 4 (an eye) where green is, otherwise background."""
    kernel = np.zeros((19, 3, 1, 1), np.float32)
    kernel[17, 0], kernel[4, 1] = 10, 10
    nodes = [helper.make_node("Conv", ["x", "kernel"], ["scores"])]
    return _save(path, nodes, {"x": [1, 3, 512, 512]}, {"scores": [1, 19, 512, 512]}, {"kernel": kernel})


def direction(path: Path) -> Path:
    """Inputs and outputs of the normals network: twice the colours are the normal."""
    nodes = [helper.make_node("Mul", ["x", "two"], ["normals"])]
    return _save(path, nodes, {"x": [1, 3, 256, 256]}, {"normals": [1, 3, 256, 256]}, {"two": np.full(1, 2, np.float32)})


_PICKED = np.float32([[[[1]], [[0]], [[0]]]])


def bright_maps(path: Path, points: int, size: int = 256) -> Path:
    """Inputs and outputs of a heat-map network: every map is the input's first channel, four times smaller; a rough answer comes first."""
    nodes = [
        helper.make_node("Conv", ["picture", "kernel"], ["first"]),
        helper.make_node("AveragePool", ["first"], ["small"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Conv", ["small", "copies"], ["refined"]),
        helper.make_node("Neg", ["refined"], ["rough"]),
    ]
    shape = [1, points, size // 4, size // 4]
    constants = {"kernel": _PICKED, "copies": np.ones((points, 1, 1, 1), np.float32)}
    return _save(path, nodes, {"picture": [1, 3, size, size]}, {"rough": shape, "refined": shape}, constants)


def bright_places(path: Path, points: int, size: int, black: float, flat: bool = False) -> Path:
    """Inputs and outputs of a network of coordinates (−1 to 1): every point is the middle of the input's first channel above `black`."""
    line = ((np.arange(size) + 0.5) / size * 2 - 1).astype(np.float32)
    grid = np.stack([np.broadcast_to(line, (size, size)), np.broadcast_to(line[:, None], (size, size))])[None]
    nodes = [
        helper.make_node("Conv", ["picture", "kernel"], ["first"]),
        helper.make_node("Sub", ["first", "black"], ["light"]),
        helper.make_node("Mul", ["light", "grid"], ["levers"]),
        helper.make_node("ReduceSum", ["levers", "axes"], ["lever"], keepdims=0),
        helper.make_node("ReduceSum", ["light", "axes"], ["weight"], keepdims=0),
        helper.make_node("Div", ["lever", "weight"], ["place"]),
        helper.make_node("Tile", ["place", "times"], ["row"]),
        helper.make_node("Reshape", ["row", "shape"], ["places"]),
    ]
    shape = [1, 2 * points] if flat else [1, points, 2]
    constants = {
        "kernel": _PICKED, "black": np.float32([black]), "grid": np.ascontiguousarray(grid), "axes": np.int64([2, 3]),
        "times": np.int64([1, points]), "shape": np.int64(shape),
    }  # fmt: skip
    return _save(path, nodes, {"picture": [1, 3, size, size]}, {"places": shape}, constants)


def a_face(roll: float = 0.0) -> Landmarks:
    """The mean head's landmarks, seen from in front, turned in the picture."""
    model = open_head()
    flat = model.landmarks[MEDIAPIPE].points(model.template, model.faces).numpy()[:, :2] * [1000, -1000]
    cos, sin = np.cos(roll), np.sin(roll)
    points = (flat - flat.mean(0)) @ np.array([[cos, sin], [-sin, cos]]) + [200, 150]
    ones = np.ones(478, np.float32)
    return Landmarks(points.astype(np.float32), ones, ones, ones, FaceBox(np.array([200.0, 150.0]), 240.0, roll))


def mean_face(path: Path, face: Landmarks) -> Path:
    """Inputs and outputs of FAN: whatever the picture, 68 maps with a hill each where such an upright face has the point in FAN's crop."""
    points = face.points_px[layout_of(("ibug_68",)).kin].astype(np.float64)
    low, high = face.points_px[:468].min(0), face.points_px[:468].max(0)
    side = float((high - low).sum()) * 200 / 195
    corner = (low + high) / 2 - [0, 0.12 * (high - low)[1]] - side / 2
    places = (points - corner) / side * 64 - 0.5
    across, down = np.meshgrid(np.arange(64), np.arange(64))
    maps = np.stack([np.exp(-((across - x) ** 2 + (down - y) ** 2) / 2) for x, y in places]).astype(np.float32)[None]
    nodes = [
        helper.make_node("ReduceMean", ["picture"], ["mean"], axes=[1, 2, 3], keepdims=1),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
        helper.make_node("Add", ["hills", "nothing"], ["maps"]),
    ]
    return _save(path, nodes, {"picture": [1, 3, 256, 256]}, {"maps": [1, 68, 64, 64]}, {"zero": np.zeros(1, np.float32), "hills": maps})
