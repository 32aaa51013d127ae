"""Networks that the user brings as ONNX files: which are known, what each wants and gives, and how one is opened and checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, Float32, Shaped, UInt8
from numpy import ndarray

from headcast.errors import ConfigError, FormatError, MissingAssetError, MissingExtraError

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Mean and standard deviation of red, green and blue (0–1)."""


@dataclass(frozen=True)
class Port:
    """An input or output of a graph."""

    name: str | None
    """None where exports differ in it: then the place in the list counts."""
    shape: tuple[int | None, ...]
    """Axes; None is any length."""
    last: bool = False
    """Of those without a name the last one counts: refined answers come after rough ones."""


def _picture(name: str | None, channels: int, size: int | None = None) -> Port:
    return Port(name, (1, channels, size, size))


_STATES = tuple(Port(f"r{k}i", (None, None, None, None)) for k in range(1, 5))
_NEXT_STATES = tuple(Port(f"r{k}o", (None, None, None, None)) for k in range(1, 5))


@dataclass(frozen=True)
class Network:
    """A published network. Pictures are batch × channel × height × width, red first but where it is said; input = (colour 0–1 − mean) / deviation."""

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    """Those that are used; a graph may have more."""
    source: str
    """Where it comes from, and its licence as stated there."""
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    deviation: tuple[float, float, float] = (1.0, 1.0, 1.0)
    blue_first: bool = False

    def tensor(self, picture: UInt8[ndarray, "height width 3"]) -> Float32[ndarray, "1 3 height width"]:
        """An sRGB picture as the network wants it, at the picture's size."""
        values = (picture.astype(np.float32) / 255 - np.float32(self.mean)) / np.float32(self.deviation)
        return np.ascontiguousarray((values[..., ::-1] if self.blue_first else values).transpose(2, 0, 1))[None]


NETWORKS: Mapping[str, Network] = {
    "rvm": Network(
        (_picture("src", 3), *_STATES, Port("downsample_ratio", (1,))),
        (_picture("pha", 1), *_NEXT_STATES),
        "Robust Video Matting, rvm_mobilenetv3 or rvm_resnet50 as ONNX, GPL-3.0, github.com/PeterL1n/RobustVideoMatting",
    ),
    "modnet": Network(
        (_picture(None, 3),),
        (_picture(None, 1),),
        "MODNet photographic portrait matting as ONNX, Apache-2.0, github.com/ZHKKKe/MODNet",
        (0.5, 0.5, 0.5),
        (0.5, 0.5, 0.5),
    ),
    "bgm2": Network(
        (_picture("src", 3), _picture("bgr", 3)),
        (_picture("pha", 1),),
        "BackgroundMattingV2 as ONNX, MIT, github.com/PeterL1n/BackgroundMattingV2",
    ),
    "bisenet": Network(
        (_picture(None, 3, 512),),
        (_picture(None, 19, 512),),
        "BiSeNet trained on CelebAMask-HQ (79999_iter.pth) as ONNX, code MIT, data for research only, github.com/zllrunning/face-parsing.PyTorch",
        *IMAGENET,
    ),
    "face_normals": Network(
        (_picture(None, 3, 256),),
        (_picture(None, 3, 256),),
        "Cross-modal face normals (Abrevaya et al. 2020) as ONNX, for research only, github.com/boukhayma/face_normals",
    ),
    "lpips": Network(
        (_picture(None, 3), _picture(None, 3)),
        (Port(None, (None, None, None, None)),),
        "LPIPS (Zhang et al. 2018) with both pictures as inputs, exported to ONNX, BSD 2-Clause, github.com/richzhang/PerceptualSimilarity",
    ),
    "arcface": Network(
        (_picture(None, 3, 112),),
        (Port(None, (None, None)),),
        "a face recognition network of the ArcFace family (Deng et al. 2019) as ONNX; those of InsightFace are for research only",
        (0.5, 0.5, 0.5),
        (0.5, 0.5, 0.5),
    ),
    "fan": Network(
        (_picture(None, 3, 256),),
        (Port(None, (1, 68, 64, 64), last=True),),
        "2DFAN-4 of face-alignment (Bulat and Tzimiropoulos 2017) as ONNX, BSD-3-Clause, github.com/1adrianb/face-alignment",
    ),
    "hrnet": Network(
        (_picture(None, 3, 256),),
        (Port(None, (1, 98, 64, 64), last=True),),
        "HRNet-W18 trained on WFLW as ONNX, MIT, github.com/HRNet/HRNet-Facial-Landmark-Detection",
        *IMAGENET,
    ),
    "star": Network(
        (_picture(None, 3, 256),),
        (Port(None, (1, 98, 2), last=True),),
        "STAR loss (Zhou et al. 2023) trained on WFLW as ONNX, github.com/ZhenglinZhou/STAR",
        (0.5, 0.5, 0.5),
        (0.5, 0.5, 0.5),
        blue_first=True,
    ),
    "insightface": Network(
        (_picture(None, 3, 192),),
        (Port(None, (1, 212), last=True),),
        "InsightFace's 2d106det.onnx, for research only, github.com/deepinsight/insightface",
        deviation=(1 / 255, 1 / 255, 1 / 255),
    ),
}
"""Every network that can be named, as documented by its authors."""


@dataclass(frozen=True)
class NamedNetwork:
    """What the user wrote as NAME:FILE."""

    name: str
    file: Path

    @classmethod
    def of(cls, text: str, allowed: tuple[str, ...], option: str) -> "NamedNetwork":
        """Raises `ConfigError` where the text is not NAME:FILE with one of the allowed names."""
        name, colon, file = text.partition(":")
        if not colon or name not in allowed or not file:
            choices = " or ".join(f"{one}:FILE" for one in allowed)
            raise ConfigError(f"{option} expects {choices} with the path of an ONNX file, found {text!r}")
        return cls(name, Path(file))


class OnnxNetwork:
    """A network in ONNX Runtime, on the processor, checked against what is known of it."""

    def __init__(self, named: NamedNetwork):
        """Raises `MissingAssetError` where there is no file, `FormatError` where it is no such network, `MissingExtraError` without ONNX Runtime."""
        self.network = NETWORKS[named.name]
        if not named.file.is_file():
            raise MissingAssetError(f"expected an ONNX file, found none. {named.name!r} is {self.network.source}. Path: {named.file}")
        try:
            import onnxruntime
        except ImportError as error:
            raise MissingExtraError(f"the network {named.name!r}", "onnxruntime", "onnx") from error
        try:
            self._session = onnxruntime.InferenceSession(str(named.file), providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime has no public type for a file that it cannot read.
            reason = str(error).splitlines()[0][:200]
            raise FormatError(f"expected an ONNX file, found one that ONNX Runtime refuses ({reason}), at {named.file}") from error
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        self._inputs = _matched(self.network.inputs, inputs, "input", named)
        self._outputs = _matched(self.network.outputs, outputs, "output", named)
        extra = {one.name for one in inputs} - {one.name for one in self._inputs}
        if extra:
            raise FormatError(f"{named.name!r} has {len(self._inputs)} inputs, found {_listed(inputs)}, at {named.file}")
        self._types = [np.float16 if one.type == "tensor(float16)" else np.float32 for one in self._inputs]

    @property
    def size(self) -> tuple[int, int] | None:
        """Height and width that the graph is fixed to; None where it takes any."""
        height, width = self._inputs[0].shape[2:]
        return (height, width) if isinstance(height, int) and isinstance(width, int) else None

    def __call__(self, *values: Float[ndarray, "..."]) -> list[Float32[ndarray, "..."]]:
        """The outputs in the order of the network's table."""
        feeds = {one.name: value.astype(kind) for one, value, kind in zip(self._inputs, values, self._types, strict=True)}
        return [np.asarray(value, np.float32) for value in self._session.run([one.name for one in self._outputs], feeds)]


def resized(picture: Shaped[ndarray, "height width *channels"], size: tuple[int, int]) -> Shaped[ndarray, "new_height new_width *channels"]:
    """The picture at another (height, width)."""
    if picture.shape[:2] == size:
        return picture
    shrinking = size[0] * size[1] < picture.shape[0] * picture.shape[1]
    return cv2.resize(picture, size[::-1], interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR)


def _matched(ports: tuple[Port, ...], found: list, kind: str, named: NamedNetwork) -> list:
    """The graph's own inputs or outputs in the table's order."""
    by_name = {one.name: one for one in found}
    matched = []
    for place, port in enumerate(ports):
        at = len(found) - 1 if port.last else place
        one = found[at] if port.name is None and 0 <= at < len(found) else by_name.get(port.name)
        if one is None or not _fits(port.shape, one.shape):
            wanted = f"{port.name or ('last' if port.last else f'number {place + 1}')} of shape {_shape(port.shape)}"
            raise FormatError(f"{named.name!r} needs the {kind} {wanted}, found {_listed(found)}, at {named.file}")
        matched.append(one)
    return matched


def _fits(wanted: tuple[int | None, ...], found: list) -> bool:
    """Whether the axes agree wherever both are fixed."""
    return len(wanted) == len(found) and all(a is None or not isinstance(b, int) or a == b for a, b in zip(wanted, found))


def _shape(axes) -> str:
    return "×".join(str(axis) if isinstance(axis, int) else "any" for axis in axes)


def _listed(found: list) -> str:
    return ", ".join(f"{one.name} of shape {_shape(one.shape)}" for one in found) or "none"
