"""Short videos for tests of the whole chain, made from the public-domain portrait that Matplotlib carries."""

from pathlib import Path

import av
import cv2
import numpy as np
from jaxtyping import UInt8
from matplotlib import cbook
from numpy import ndarray
from PIL import Image

FAST = ("--mode", "fast", "--keyframes", "4", "--rounds", "1", "--texture-px", "128")
"""Options that make tracking quick; every stage still runs."""

FASTEST = (*FAST, "--no-photometric", "--side-px", "64")
"""Without colours: for tests that ask what goes in and what comes out, not how well it fits."""


def portrait(size: tuple[int, int] = (256, 256), shift_px: float = 0.0, zoom: float = 1.0) -> UInt8[ndarray, "height width 3"]:
    """Head and shoulders of Grace Hopper, moved and enlarged a little."""
    picture = np.asarray(Image.open(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)).convert("RGB"))[:512]
    height, width = size
    scale = min(height, width) / 512 * zoom
    matrix = np.array([[scale, 0, width / 2 - 256 * scale + shift_px], [0, scale, height / 2 - 256 * scale]])
    return cv2.warpAffine(picture, matrix, (width, height), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)


def moving_portrait(frame_count: int = 12, size: tuple[int, int] = (256, 256)) -> list[UInt8[ndarray, "height width 3"]]:
    """The portrait swaying from side to side and coming nearer."""
    swing = np.sin(np.linspace(0, 2 * np.pi, frame_count))
    return [portrait(size, 6 * s, 1 + 0.02 * k / max(frame_count - 1, 1)) for k, s in enumerate(swing)]


def write_video(path: Path, pictures: list[UInt8[ndarray, "height width 3"]], fps: int = 25) -> Path:
    """H.264; full colour resolution, so that sizes may be odd."""
    height, width = pictures[0].shape[:2]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps, options={"crf": "12", "preset": "ultrafast"})
        stream.width, stream.height = width, height
        stream.pix_fmt = "yuv420p" if height % 2 == 0 and width % 2 == 0 else "yuv444p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), "rgb24")))
        container.mux(stream.encode())
    return path
