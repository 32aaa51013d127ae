"""How far dark lines across the bridge of the nose and below the eyes tell glasses from bare faces: what labels of glasses would have to rest on.

    python benchmarks/glasses.py VIDEO … [--frames 14]

Per clip and over its frames: how much one place on the line down the bridge, and on the lesser of the lines below the eyes, stands out of its smooth
brightness, as a share of the mean. Each frame is looked at on its own.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy import ndarray

from headcast.capture.source import open_source
from headcast.perceive import FaceFinder, FaceFollower, Landmarks, MediapipeMesh

_BRIDGE, _BELOW_EYES = (9, 5), ((145, 50), (374, 280))
_SAMPLES, _WIDTH = 48, 0.06


def standing_out(grey: ndarray, marks: Landmarks, ends: tuple[int, int]) -> float:
    """Most that brightness along a band between two landmarks departs from a smooth course."""
    points = marks.points_px.astype(np.float64)
    start, along = points[ends[0]], points[ends[1]] - points[ends[0]]
    across = np.array([-along[1], along[0]]) / np.linalg.norm(along)
    half = _WIDTH / 2 * np.linalg.norm(points[263] - points[33])
    line = start + np.linspace(0, 1, _SAMPLES)[:, None] * along
    bands = [(line + shift * across - 0.5).astype(np.float32) for shift in np.linspace(-half, half, 5)]
    course = np.mean([cv2.remap(grey, band[:, :1], band[:, 1:], cv2.INTER_LINEAR)[:, 0] for band in bands], axis=0)
    smooth = cv2.GaussianBlur(course[:, None], (1, 31), 0, borderType=cv2.BORDER_REPLICATE)[:, 0]
    return float(np.abs(course - smooth)[6:-6].max() / max(course.mean(), 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", type=Path, nargs="+")
    parser.add_argument("--frames", type=int, default=14)
    arguments = parser.parse_args()
    follower = FaceFollower(MediapipeMesh(), FaceFinder())
    for video in arguments.videos:
        source, found = open_source(video), []
        for frame in source.select(np.unique(np.linspace(0, source.frame_count - 1, arguments.frames).astype(int)).tolist()):
            follower.state = type(follower.state)()
            marks = follower.step(frame.image, frame.time_s).landmarks
            if marks is not None:
                grey = cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY).astype(np.float32)
                found.append((standing_out(grey, marks, _BRIDGE), min(standing_out(grey, marks, ends) for ends in _BELOW_EYES)))
        ranges = ["{:.3f} ({:.3f} to {:.3f})".format(*(f(column) for f in (np.median, np.min, np.max))) for column in np.array(found).T]
        print(f"{video.name}: {len(found)} frames, bridge {ranges[0]}, below the eyes {ranges[1]}")


if __name__ == "__main__":
    main()
