"""Tracks every real clip of the test data through the command line's own path and prints what the reports say.

python benchmarks/real_clips.py --data ../shared/data --out DIR [--mode full] [--only NAME ...]
"""

import argparse
import multiprocessing
import platform
import time
from functools import partial
from pathlib import Path

import numpy as np

from headcast.capture import PrepareConfig
from headcast.store import read_json
from headcast.track import TrackConfig
from headcast.track.run import RunRequest, track_recording

CLIPS = {
    "whitehouse": "whitehouse_obama_256.mov",
    "grid_bbaf2n": "grid_bbaf2n.mpg",
    "grid_swiz3n": "grid_swiz3n.mpg",
    "intel": "intel_turning_female.gif",
    "echomimic": "echomimic_a.mp4",
    "liveportrait": "liveportrait_d9.mp4",
    "astronaut": "astronaut.png",
    "mannequin": "sven_rgbd/color_*.png",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--mode", choices=("fast", "full"), default="full")
    parser.add_argument("--only", nargs="*", choices=tuple(CLIPS), default=tuple(CLIPS))
    arguments = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {platform.python_version()}, {time.strftime('%Y-%m-%d')}, mode {arguments.mode}\n")
    print("| clip | frames | valid | landmark error, % of eye distance | without personal offsets | face PSNR, dB | IoU | frames/s | peak MB |")
    print("|---|---|---|---|---|---|---|---|---|", flush=True)
    # A process of its own for each clip: peak memory is the process's.
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as processes:
        work = partial(row, data=arguments.data, out=arguments.out, mode=arguments.mode)
        for line in processes.imap(work, arguments.only):
            print(line, flush=True)


def row(name: str, data: Path, out: Path, mode: str) -> str:
    """Tracks a clip and gives its line of the table."""
    request = RunRequest(data / CLIPS[name], "open", TrackConfig(mode=mode), PrepareConfig())
    run = track_recording(request, out / f"{name}-{mode}", overwrite=True)
    report = read_json(run.paths.report_json)
    return (
        f"| {name} | {report['frames']} | {report['valid_frames']} | {report['landmark_error_percent_of_interocular']['median']:.2f} "
        f"| {plain_landmark_error(run):.2f} | {report['psnr_db']['median']:.1f} | {report['silhouette_iou']['median']:.2f} "
        f"| {report['frames_per_second']:.1f} | {report['peak_memory_mb']:.0f} |"
    )


def plain_landmark_error(run) -> float:
    """Median landmark error, % of the eye distance, with the model's own landmarks instead of the person's."""
    track, model, capture = run.track, run.model, run.capture
    errors = []
    for idx in track.valid.nonzero().flatten().tolist():
        mesh = track.head(model).posed(track.pose(idx))
        pixels = track.camera.project(model.landmarks["mediapipe_478"].points(mesh.vertices, model.faces)).numpy()
        errors.append(np.linalg.norm(pixels - capture.landmarks_px[idx], axis=1).mean() / float(track.interocular_px[idx]))
    return 100 * float(np.median(errors))


if __name__ == "__main__":
    main()
