"""Frames per second and peak memory of `headcast track` over a clip and over its beginning: memory must not grow with the clip.

python benchmarks/whole_clip.py VIDEO [--frames 200 0] [--mode fast]
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import av

from headcast.capture import open_source
from headcast.store import RunPaths, read_json


def beginning(video: Path, frame_count: int, out: Path) -> Path:
    """The first frames of a video as a video of its own."""
    source = open_source(video)
    with av.open(str(out), "w") as container:
        stream = container.add_stream("libx264", rate=round(source.metadata.fps or 25), options={"crf": "12"})
        stream.height, stream.width = source.size
        for frame in source.frames(0, frame_count):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame.image, "rgb24")))
        container.mux(stream.encode())
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", type=Path)
    parser.add_argument("--frames", type=int, nargs="+", default=(200, 0), help="lengths of clip; 0 is the whole")
    parser.add_argument("--mode", choices=("fast", "full"), default="fast")
    arguments = parser.parse_args()
    print("| clip | frames | wall s | processor s | frames/s | peak MB | seconds per stage |\n|---|---|---|---|---|---|---|")
    for frame_count in arguments.frames:
        with tempfile.TemporaryDirectory() as folder:
            clip = beginning(arguments.video, frame_count, Path(folder) / "clip.mp4") if frame_count else arguments.video
            command = [sys.executable, "-m", "headcast", "track", str(clip), "--mode", arguments.mode, "--out", f"{folder}/run"]
            wall, before = time.perf_counter(), os.times()
            subprocess.run(command, check=True, capture_output=True)
            wall, after = time.perf_counter() - wall, os.times()
            report = read_json(RunPaths(Path(folder) / "run").report_json)
        cpu = after.children_user + after.children_system - before.children_user - before.children_system
        stages = ", ".join(f"{name} {seconds:.1f}" for name, seconds in report["seconds"].items())
        frames, peak = report["frames"], report["peak_memory_mb"]
        print(f"| {arguments.video.name} | {frames} | {wall:.1f} | {cpu:.1f} | {frames / wall:.1f} | {peak:.0f} | {stages} |", flush=True)


if __name__ == "__main__":
    main()
