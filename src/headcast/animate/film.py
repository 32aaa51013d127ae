"""An avatar's pictures along a performance, as a video and, where wanted, layer by layer."""

from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8, UInt16
from numpy import ndarray
from torch import Tensor

from headcast.avatars import Portrait
from headcast.capture.movie import Movie
from headcast.errors import InputError
from headcast.geometry import Camera
from headcast.heads import HeadPose
from headcast.solve.step import Step
from headcast.store import replace_file

Layer = Literal["color", "alpha", "depth"]
DEPTH_UNIT_M = 0.0001
"""Of the depth layer's 16-bit pictures; farther than 6.5 m is cut off."""
_CHECKER_PX = 16


@dataclass(frozen=True)
class Shot:
    """One picture to be made: who stands how before what camera, when."""

    time_s: float
    pose: HeadPose
    camera: Camera


def film_steps(
    render: Callable[[HeadPose, Camera], Portrait],
    shots: Sequence[Shot],
    out: Path,
    background: Float[Tensor, "*background 3"],
    sound: Path | None = None,
    layers: Sequence[Layer] = (),
    layer_folder: Path | None = None,
) -> Generator[Step, None, None]:
    """Writes the video, one `Step` per picture; a killed one leaves no half video.

    Args:
        render: An avatar's, or anything that shows poses to cameras.
        background: sRGB 0–1, one colour or one picture of the camera's size.
        sound: A recording whose sound goes along.
        layers: Also written as PNG, one folder per layer: color (sRGB with alpha, not multiplied by it), alpha (8 bit), depth (16 bit, in units of
            `DEPTH_UNIT_M`).
        layer_folder: Where to.

    Raises:
        InputError: there is nothing to show.
    """
    if not shots:
        raise InputError("expected at least one moment to show, found none")
    height, width = shots[0].camera.size
    frames_per_s = (len(shots) - 1) / (shots[-1].time_s - shots[0].time_s) if len(shots) > 1 else None
    writers = {layer: _LAYERS[layer] for layer in layers}
    for layer in writers:
        assert layer_folder is not None
        (layer_folder / layer).mkdir(parents=True, exist_ok=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    with (
        replace_file(out) as temporary,
        Movie(temporary, frames_per_s, (height + height % 2, width + width % 2), sound) as movie,
        ThreadPoolExecutor(1) as disk,
    ):
        waiting = []
        for number, shot in enumerate(shots):
            portrait = render(shot.pose, shot.camera)
            movie.add(_even(_bytes(portrait.over(background))), shot.time_s)
            for job in waiting:
                job.result()
            waiting = [disk.submit(_write, make(portrait), layer_folder / layer / f"{number:05d}.png") for layer, make in writers.items()]
            yield Step("animate", number + 1, len(shots), frame_idx=number)
        for job in waiting:
            job.result()


def checkerboard(size: tuple[int, int]) -> Float[Tensor, "height width 3"]:
    """Light and dark grey squares, as picture editors show what is transparent."""
    rows, columns = (torch.arange(side) // _CHECKER_PX for side in size)
    shade = torch.where((rows[:, None] + columns[None]) % 2 == 0, 0.8, 0.65)
    return shade[..., None].expand(*size, 3)


def _bytes(color: Float[Tensor, "height width *channels"]) -> UInt8[ndarray, "height width *channels"]:
    return (color.detach().clamp(0, 1) * 255).round().byte().cpu().numpy()


def _even(picture: UInt8[ndarray, "height width 3"]) -> UInt8[ndarray, "even_height even_width 3"]:
    """With the last row and column repeated where a side is odd: videos have even sides."""
    height, width = picture.shape[:2]
    return np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


def _color(portrait: Portrait) -> UInt8[ndarray, "height width 4"]:
    alpha = portrait.alpha[..., None]
    plain = torch.where(alpha > 1e-4, portrait.color / alpha.clamp(min=1e-4), 0.0)
    return _bytes(torch.cat([plain, alpha], -1))


def _alpha(portrait: Portrait) -> UInt8[ndarray, "height width"]:
    return _bytes(portrait.alpha)


def _depth(portrait: Portrait) -> UInt16[ndarray, "height width"]:
    return (portrait.depth.detach() / DEPTH_UNIT_M).round().clamp(0, 65535).cpu().numpy().astype(np.uint16)


_LAYERS: dict[str, Callable[[Portrait], ndarray]] = {"color": _color, "alpha": _alpha, "depth": _depth}


def _write(picture: ndarray, path: Path) -> None:
    """A PNG; OpenCV wants blue first."""
    if picture.ndim == 3:
        picture = cv2.cvtColor(picture, cv2.COLOR_RGBA2BGRA)
    with replace_file(path) as temporary:
        if not cv2.imwrite(str(temporary), picture):
            raise OSError(f"could not write {path}")
