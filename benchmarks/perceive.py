"""Milliseconds per frame of each stage of perception, one after another on one thread, and of the whole preparation.

    python benchmarks/perceive.py VIDEO [--frames 200]

Prints CPU time (all threads of this process) beside wall time: on a busy machine the first says more.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from headcast.capture import open_source, prepare
from headcast.perceive import FaceFinder, FaceFollower, Matting, MediapipeMesh
from headcast.perceive.faces import crop


class Stage:
    """Adds up the time that calls of one stage take."""

    def __init__(self, name: str):
        self.name, self.cpu, self.wall, self.calls = name, 0.0, 0.0, 0

    def __call__(self, function: Callable, *arguments):
        cpu, wall = time.process_time(), time.perf_counter()
        result = function(*arguments)
        self.cpu += time.process_time() - cpu
        self.wall += time.perf_counter() - wall
        self.calls += 1
        return result

    def __str__(self) -> str:
        return f"{self.name:<42} {self.cpu / self.calls * 1e3:8.2f} {self.wall / self.calls * 1e3:8.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("video", type=Path)
    parser.add_argument("--frames", type=int, default=200)
    arguments = parser.parse_args()
    decode, cut, mesh, find, follow, matte, write = (
        Stage(name)
        for name in (
            "decode",
            "  cut a crop",
            "  one pass of the mesh network",
            "  search the whole picture",
            "follow (crops, passes, confidence)",
            "matte",
            "write the matte",
        )
    )
    source = open_source(arguments.video)
    finder, detector = FaceFinder(), MediapipeMesh()
    follower, matting = FaceFollower(detector, finder), Matting()
    frames = source.frames(0, arguments.frames)
    count = 0
    with tempfile.TemporaryDirectory() as folder:
        while (frame := decode(next, frames, None)) is not None:
            count += 1
            seen = follow(follower.step, frame.image, frame.time_s).landmarks
            find(finder.find, frame.image, False)
            if seen is None:
                continue
            upright = cut(crop, frame.image, seen.box, detector.crop_px)
            mesh(detector, upright)
            made = matte(matting.step, frame.image, frame.alpha, seen.box, False)
            write(cv2.imwrite, f"{folder}/matte.png", made.alpha, [cv2.IMWRITE_PNG_COMPRESSION, 1])
        print(f"{arguments.video.name}, {source.size[1]}×{source.size[0]}, {count} frames\n{'ms per call':<42} {'CPU':>8} {'wall':>8}")
        print(*(decode, follow, cut, mesh, find, matte, write), sep="\n")
        whole = Stage("prepare, all of the clip, per frame")
        capture = whole(prepare, arguments.video, Path(folder) / "capture")
        whole.calls = capture.frame_count
        print(whole)
        print(f"{'frames per second':<42} {'':>8} {capture.frame_count / whole.wall:8.1f}")
        print(f"{'faces found':<42} {int(np.sum(capture.found)):>8} of {capture.frame_count}")


if __name__ == "__main__":
    main()
