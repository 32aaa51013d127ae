"""Makes docs/images: frames of real overlays, from sources that may be shown to anyone.

    python tools/readme_pictures.py FOLDER_WITH_TEST_DATA

Sources: official White House footage (a work of the US government), a NASA portrait of Eileen Collins and the official Navy portrait of
Grace Hopper (both public domain).
"""

import sys
import tempfile
from pathlib import Path

import av
import cv2
import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image

from headcast.cli.demo import portrait
from headcast.track.config import TrackConfig
from headcast.track.run import Run, RunRequest, track_recording

IMAGES = Path(__file__).parents[1] / "docs" / "images"
PANEL_PX = 256


def main(data: Path) -> None:
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        photo = Path(folder) / "grace_hopper.png"
        Image.fromarray(portrait()).save(photo)
        rows = []
        for source, frame_idx in ((data / "whitehouse_obama_256.mov", 640), (data / "astronaut.png", 0), (photo, 0)):
            run = track_recording(RunRequest(source, config=TrackConfig(mode="full")), Path(folder) / source.stem)
            rows.append(_at_one_height(_overlay_frame(run, frame_idx)))
    Image.fromarray(np.concatenate(rows)).save(IMAGES / "overlay.jpg", quality=88)


def _overlay_frame(run: Run, frame_idx: int) -> UInt8[ndarray, "height width 3"]:
    with av.open(str(run.paths.overlay)) as container:
        for idx, frame in enumerate(container.decode(video=0)):
            if idx == frame_idx:
                return frame.to_ndarray(format="rgb24")
    raise SystemExit(f"the overlay ends before frame {frame_idx}: {run.paths.overlay}")


def _at_one_height(picture: UInt8[ndarray, "height width 3"]) -> UInt8[ndarray, "256 1024 3"]:
    return cv2.resize(picture, (4 * PANEL_PX, PANEL_PX), interpolation=cv2.INTER_AREA)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
