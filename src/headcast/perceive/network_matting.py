"""Mattes from networks that the user brings, in place of MediaPipe's; they see the whole frame, as their authors mean them to."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image, ImageOps, UnidentifiedImageError

from headcast.errors import ConfigError, InputError
from headcast.perceive.faces import FaceBox
from headcast.perceive.matting import Matte, MatteConfig, MatteState, Window, own_alpha, steady_window
from headcast.perceive.networks import NamedNetwork, OnnxNetwork, resized

MATTING_NETWORKS = ("rvm", "modnet", "bgm2")
_RVM_PX = 512
"""RVM looks first at a picture whose longer side is this, and refines at full size."""
_MODNET_PX, _MODNET_STEP = 512, 32
_BGM2_STEP = 4


@dataclass(frozen=True)
class MattingChoice:
    """Which back end mattes, and with what."""

    matting: str
    """"mediapipe" or NAME:FILE."""
    clean_plate: Path | None

    def network(self, config: MatteConfig, size: tuple[int, int]) -> "NetworkMatting | None":
        """The network for frames of `size` (height, width), with everything the user named checked; None for MediaPipe's.

        Raises `ConfigError` where choice and clean plate do not go together, and as `OnnxNetwork`.
        """
        if self.matting == "mediapipe":
            if self.clean_plate is not None:
                raise ConfigError(f"a clean plate is for --matting bgm2:FILE, found --matting mediapipe and {self.clean_plate}")
            return None
        if ":" not in self.matting:
            raise ConfigError(f"--matting expects mediapipe, {', '.join(f'{name}:FILE' for name in MATTING_NETWORKS)}, found {self.matting!r}")
        named = NamedNetwork.of(self.matting, MATTING_NETWORKS, "--matting")
        if (named.name == "bgm2") != (self.clean_plate is not None):
            found = "none" if self.clean_plate is None else f"{self.clean_plate} for {named.name}"
            raise ConfigError(f"bgm2 needs --clean-plate, a picture of the scene without the person, and nothing else does; found {found}")
        plate = None if self.clean_plate is None else _plate(self.clean_plate, size)
        return NetworkMatting(named, config, plate)


class NetworkMatting:
    """A matting network with the same interface as `Matting`."""

    def __init__(self, named: NamedNetwork, config: MatteConfig, plate: UInt8[ndarray, "height width 3"] | None):
        self.config = config
        self.state: MatteState | None = None
        self._graph = OnnxNetwork(named)
        self._predict = {"rvm": self._rvm, "modnet": self._modnet, "bgm2": self._bgm2}[named.name]
        self._plate = plate

    def step(self, image: UInt8[ndarray, "height width 3"], alpha: UInt8[ndarray, "height width"] | None, box: FaceBox, cut: bool) -> Matte:
        """The matte in a window around the face; other people in it are matted as well. The recording's own alpha is used where it has one."""
        last = None if cut else self.state
        window = steady_window(last, Window.around(box, self.config.window, image.shape[:2]))
        if alpha is not None:
            self.state = None
            return own_alpha(alpha, window, self.config)
        opacity, memory = self._predict(image, () if last is None else last.memory)
        size = window.size_at(self.config.largest_px)
        whole = resized(opacity, image.shape[:2])
        stored = resized(window.cut(whole), size[::-1])
        values = np.clip(np.round(stored * 255), 0, 255).astype(np.uint8)
        self.state = MatteState(window, values, memory)
        return Matte(window, values)

    def _rvm(self, image, memory):
        if not memory:
            memory = tuple(np.zeros((1, 1, 1, 1), np.float32) for _ in range(4))
        picture = self._fitted(image, image.shape[:2])
        ratio = np.array([min(1.0, _RVM_PX / max(picture.shape[:2]))], np.float32)
        opacity, *later = self._graph(self._graph.network.tensor(picture), *memory, ratio)
        return opacity[0, 0], tuple(later)

    def _modnet(self, image, _):
        height, width = image.shape[:2]
        scale = _MODNET_PX / min(height, width) if max(height, width) < _MODNET_PX or min(height, width) > _MODNET_PX else 1.0
        wanted = tuple(max(int(n * scale) // _MODNET_STEP * _MODNET_STEP, _MODNET_STEP) for n in (height, width))
        return self._graph(self._graph.network.tensor(self._fitted(image, wanted)))[0][0, 0], ()

    def _bgm2(self, image, _):
        wanted = tuple(max(n // _BGM2_STEP * _BGM2_STEP, _BGM2_STEP) for n in image.shape[:2])
        tensors = [self._graph.network.tensor(self._fitted(picture, wanted)) for picture in (image, self._plate)]
        return self._graph(*tensors)[0][0, 0], ()

    def _fitted(self, image: UInt8[ndarray, "height width 3"], wanted: tuple[int, int]) -> UInt8[ndarray, "new_height new_width 3"]:
        """At the size that the graph is fixed to, otherwise at the wanted one."""
        return resized(image, self._graph.size or wanted)


def _plate(path: Path, size: tuple[int, int]) -> UInt8[ndarray, "height width 3"]:
    if not path.is_file():
        raise InputError(f"expected a picture of the scene without the person, found nothing at {path}")
    try:
        plate = np.asarray(ImageOps.exif_transpose(Image.open(path)).convert("RGB"))
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise InputError(f"expected a picture of the scene without the person, found a file that cannot be read ({error}), at {path}") from error
    if plate.shape[:2] != size:
        raise InputError(
            f"expected a clean plate of the frames' size {size[1]}×{size[0]}, found {plate.shape[1]}×{plate.shape[0]}. "
            f"Take it with the same camera, or cut one from the same recording: {path}"
        )
    return plate
