"""Builds an avatar of a real clip, measures it on held-out frames beside the tracker's own head, and times its rendering at 512².

    python benchmarks/avatar.py ../shared/data/whitehouse_obama_256.mov --out DIR [--refit]

A run in DIR is used as it is. Of a busy machine believe the processor times.
"""

import argparse
import time
from pathlib import Path

import numpy as np

from headcast.avatars import load_avatar
from headcast.avatars.build import AvatarRequest, build_avatar
from headcast.evaluate.avatars import REGIONS, EvaluationConfig
from headcast.evaluate.compare import compare_avatar
from headcast.solve.step import follow
from headcast.store import AvatarPaths, read_json
from headcast.track.run import Run, RunRequest, track_recording

_SIDE_PX, _FRAMES = 512, 60


def rendering(folder: Path, run: Run) -> tuple[float, float]:
    """Median wall and mean processor time (ms) of a frame at 512², kernels compiled."""
    avatar = load_avatar(folder)
    camera = run.track.camera.resized((_SIDE_PX, _SIDE_PX))
    for frame in range(3):
        avatar.render(run.track.pose(frame), camera)
    walls, used = [], time.process_time()
    for frame in range(_FRAMES):
        began = time.perf_counter()
        avatar.render(run.track.pose(frame % run.track.frame_count), camera)
        walls.append(time.perf_counter() - began)
    return 1000 * float(np.median(walls)), 1000 * (time.process_time() - used) / _FRAMES


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--refit", action="store_true")
    options = parser.parse_args()
    run = track_recording(RunRequest(options.video), options.out / "run", resume=(options.out / "run").exists())
    folder = options.out / "avatar"
    build_avatar(AvatarRequest(run.paths.root), folder, overwrite=folder.exists())
    facts = read_json(AvatarPaths(folder).about)["details"]
    print(
        f"built from {facts['training_frames']} frames in {facts['seconds']:.0f} s wall, {facts['processor_seconds']:.0f} s processor, "
        f"{facts['peak_memory_mb']:.0f} MB"
    )
    evaluation, _ = follow(compare_avatar(folder, run.paths.root, config=EvaluationConfig(refit=options.refit)))
    for name, protocols in evaluation.means.items():
        for protocol, regions in protocols.items():
            for region in REGIONS:
                found = {measure: value for measure, value in regions[region].items() if value is not None}
                print(f"{name} {protocol} {region}: " + ", ".join(f"{measure} {value:.4f}" for measure, value in found.items()))
    wall, processor = rendering(folder, run)
    print(f"rendering {_SIDE_PX}²: {wall:.1f} ms wall (median), {processor:.1f} ms processor")


if __name__ == "__main__":
    main()
