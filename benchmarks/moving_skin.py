"""Tracks rigs around a synthetic head whose cheek swells now and then, and around one whose does not, with and without dynamic offsets."""

import argparse
import time
from pathlib import Path

import numpy as np
from rig import novel_views_db, vertex_errors_mm, without

from headcast.evaluate.synth import SynthConfig, prepare_folder, synthetic_clip, write_clip
from headcast.evaluate.synth.swelling import swelling
from headcast.evaluate.truth import Truth
from headcast.heads import open_head
from headcast.solve.step import follow
from headcast.store import SyntheticPaths
from headcast.track.config import TrackConfig
from headcast.track.run import Run, RunRequest, track_recording

_MM = 1000
_SWELLING_M = 0.004


def clip_of(out: Path, config: SynthConfig) -> SyntheticPaths:
    """A rig that was rendered before, or a new one."""
    if not (out / "truth.npz").is_file():
        prepare_folder(out, overwrite=True)
        follow(write_clip(synthetic_clip(open_head(), config), out))
    return SyntheticPaths(out)


def heights_mm(run: Run, truth: Truth, config: SynthConfig) -> tuple[float, float]:
    """Share of the swelling that dynamic offsets hold where it is seen, and what they hold where there is none (RMS)."""
    model, track = run.model, run.track
    moved = swelling(model, track.identity.new_tensor(truth.identity), config)
    assert moved is not None
    true = moved.vertices().numpy()
    size = np.linalg.norm(true, axis=-1)
    found = np.zeros_like(true) if track.pose().moving_offsets is None else track.pose().moving_offsets.vertices().numpy()
    swollen = size > 0.5 * size.max()
    along = (found * true).sum(-1)[swollen] / size[swollen]
    still = (size < 0.02 * size.max()) & truth.face_region
    return float(along.sum() / size[swollen].sum()), float(_MM * np.sqrt((found[still] ** 2).sum(-1).mean()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cameras", type=int, default=7)
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--seed", type=int, default=40)
    arguments = parser.parse_args()
    held_out = ("camera_02",) if arguments.cameras > 1 else ()
    print("| swelling | dynamic offsets | share found | elsewhere, RMS (mm) | visible (mm) | along the normal | held-out camera (dB) | s |")
    print("|---|---|---|---|---|---|---|---|")
    for height in (_SWELLING_M, 0.0):
        size = (arguments.side, arguments.side)
        config = SynthConfig(seed=arguments.seed, frames=arguments.frames, fps=25.0, size=size, cameras=arguments.cameras, swelling_m=height)
        clip = clip_of(arguments.out / f"{arguments.seed}_{arguments.cameras}_{arguments.frames}_{arguments.side}_{height:g}", config)
        truth = Truth.load(clip.truth)
        source = without(clip, held_out) if held_out else clip.video
        for mode in ("off", "on"):
            start = time.perf_counter()
            run = track_recording(RunRequest(source, config=TrackConfig(dynamic_offsets=mode)), clip.root / f"run_{mode}", overwrite=True)
            seconds = time.perf_counter() - start
            share, still = heights_mm(run, truth, SynthConfig(seed=arguments.seed, frames=arguments.frames, swelling_m=_SWELLING_M))
            whole, along, _ = vertex_errors_mm(run, truth)
            seen = f"{novel_views_db(run, clip, held_out, list(range(0, arguments.frames, 2))):.2f}" if held_out else "–"
            found = f"{share:.2f}" if height else "–"
            print(f"| {_MM * height:.0f} mm | {mode} | {found} | {still:.2f} | {whole:.2f} | {along:.2f} | {seen} | {seconds:.0f} |", flush=True)


if __name__ == "__main__":
    main()
