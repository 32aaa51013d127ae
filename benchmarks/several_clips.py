"""Renders two clips of each of some people, with other light, camera and motion, and compares shapes solved from each alone and from both."""

import argparse
import time
from dataclasses import replace
from pathlib import Path

import torch

from headcast.evaluate.synth import SynthConfig, prepare_folder, synthetic_clip, write_clip
from headcast.evaluate.synth.clip import SyntheticClip
from headcast.geometry.mesh import similarity_from_points
from headcast.heads import open_head
from headcast.solve.step import follow
from headcast.store import SyntheticPaths
from headcast.track.clip_runs import track_recordings
from headcast.track.config import TrackConfig
from headcast.track.run import Run, RunRequest, track_recording

_OTHER_DAY = 1000
"""Added to a person's seed for the second clip's light, camera and motion."""


def clips_of(seed: int, frames: int, size: int) -> tuple[SyntheticClip, SyntheticClip]:
    """One person in two clips."""
    first, second = (synthetic_clip(open_head(), SynthConfig(seed=each, frames=frames, size=(size, size))) for each in (seed, seed + _OTHER_DAY))
    return first, replace(second, identity=first.identity, look=first.look, albedo=first.albedo)


def drawn(clip: SyntheticClip, folder: Path) -> Path:
    """The clip's video, called as its folder; drawn where it is not there yet."""
    video = folder / f"{folder.name}.mp4"
    if not video.is_file():
        prepare_folder(folder, overwrite=True)
        follow(write_clip(clip, folder))
        SyntheticPaths(folder).video.rename(video)
    return video


def shape_error_mm(run: Run, truth: torch.Tensor) -> float:
    """Median distance of the face's vertices at rest, after the best rigid motion and scale: one camera leaves both open."""
    model = run.model
    face = model.regions["face"].numpy()
    found, right = (model.shaped(identity).vertices.double()[face] for identity in (run.track.identity, truth))
    scale, turn, shift = similarity_from_points(found, right)
    return 1000 * float((scale * found @ turn.T + shift - right).norm(dim=1).median())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[40, 41, 42])
    parser.add_argument("--frames", type=int, default=50)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--mode", choices=("fast", "full"), default="full")
    arguments = parser.parse_args()
    config = TrackConfig(mode=arguments.mode)
    print("| person | first clip alone (mm) | second alone | both together | s of processor time alone | together |\n|---|---|---|---|---|---|")
    for seed in arguments.seeds:
        clips = clips_of(seed, arguments.frames, arguments.size)
        sources = [drawn(clip, arguments.out / f"{seed}" / name) for name, clip in zip(("first", "second"), clips, strict=True)]
        began = time.process_time()
        alone = [track_recording(RunRequest(one, config=config), one.parent / "run", overwrite=True) for one in sources]
        middle = time.process_time()
        both = track_recordings(sources, RunRequest(sources[0], config=config), arguments.out / f"{seed}" / "both", overwrite=True)
        errors = [shape_error_mm(run, clips[0].identity) for run in (*alone, both["first"])]
        assert torch.equal(both["first"].track.identity, both["second"].track.identity)
        cells = [f"{error:.2f}" for error in errors] + [f"{middle - began:.0f}", f"{time.process_time() - middle:.0f}"]
        print(f"| {seed} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
