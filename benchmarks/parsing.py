"""Labels of rendered clips against their truth, flicker, and frames per second.

    python benchmarks/parsing.py --out FOLDER [--seeds 21 22 23] [--frames 40] [--clips VIDEO …]

Rendered heads have painted hair and no clothes; the truth of eyes, brows and lips is drawn by the true landmarks, that of hair by the painted hair
line (to 4 mm, how ragged it is). `--clips` are recordings without truth: only speed and flicker are measured there. Runs stay in the folder.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy import ndarray

from headcast.evaluate import Truth
from headcast.evaluate.synth import MotionConfig, SynthConfig, SyntheticClip, synthetic_clip, write_clip
from headcast.evaluate.synth.features import hair
from headcast.evaluate.synth.surface_map import surface_map
from headcast.geometry import Mesh
from headcast.heads import open_head
from headcast.parse import LABEL_OF, LABELS, parse, read_parsing
from headcast.parse.layers import SCALP, LayerPainter, PosedHead
from headcast.perceive import Window
from headcast.render import interpolate, rasterize, sample_texture
from headcast.solve.step import follow
from headcast.store import SyntheticPaths
from headcast.track.config import TrackConfig
from headcast.track.run import Run, RunRequest, track_recording

_HAIR_PX = 512
"""Side of the texture that says where hair is painted."""


def true_labels(clip: SyntheticClip, truth: Truth, run: Run) -> Iterator[ndarray]:
    """The labels of every frame, by the true head."""
    model, camera = clip.model, truth.camera
    surface = surface_map(model, _HAIR_PX)
    marks = model.landmarks["ibug_68"].points(model.template, model.faces).numpy().astype(np.float64)
    amount = hair(model, surface, marks, clip.look, np.random.default_rng(0))
    hairy = torch.from_numpy(surface.picture(np.repeat(amount[:, None], 3, 1).astype(np.float32)))
    painter = LayerPainter(replace(run.track, cameras=(camera,)), model)
    window = Window(0, 0, camera.size[1], camera.size[0])
    for idx in range(truth.frame_count):
        down = -truth.world_from_head.rotation[idx, :, 1].numpy()
        labels = painter.layers(PosedHead(idx, truth.vertices[idx], truth.landmarks[idx], down), window, camera.size[::-1]).labels.copy()
        seen = rasterize(Mesh(torch.from_numpy(truth.vertices[idx]), model.faces), camera)
        painted = sample_texture(hairy, interpolate(model.uv, seen, model.uv_faces), None, seen.face)[..., 0].numpy() > 0.5
        labels[painted & ((labels == SCALP) | (labels == LABEL_OF["skin"]))] = LABEL_OF["hair"]
        labels[labels == SCALP] = LABEL_OF["skin"]
        yield labels


def measured(run: Run) -> tuple[str, list[ndarray]]:
    """How fast labelling went, and the labels. Processor time also counts on a busy machine."""
    began, used = time.perf_counter(), time.process_time()
    parse(run, overwrite=True)
    count, wall, processor = run.capture.frame_count, time.perf_counter() - began, time.process_time() - used
    rate = f"{count / wall:.1f} frames/s, {1000 * processor / count:.0f} ms of processor time a frame"
    return rate, [read_parsing(run, idx).labels for idx in range(run.capture.frame_count)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="*", default=[21, 22, 23])
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--clips", type=Path, nargs="*", default=[])
    options = parser.parse_args()
    both, either = np.zeros(len(LABELS)), np.zeros(len(LABELS))
    changed = steady = 0
    for seed in options.seeds:
        folder = options.out / f"clip-{seed}"
        config = SynthConfig(seed=seed, frames=options.frames, size=(384, 384), motion=MotionConfig(yaw_deg=35.0))
        clip = synthetic_clip(open_head(), config)
        if not SyntheticPaths(folder).truth.is_file():
            follow(write_clip(clip, folder))
        run = track_recording(RunRequest(SyntheticPaths(folder).video, config=TrackConfig(mode="fast")), folder / "run", resume=True)
        rate, found = measured(run)
        truth = list(true_labels(clip, Truth.load(SyntheticPaths(folder).truth), run))
        for number in range(len(LABELS)):
            both[number] += sum(int(((a == number) & (b == number)).sum()) for a, b in zip(found, truth))
            either[number] += sum(int(((a == number) | (b == number)).sum()) for a, b in zip(found, truth))
        for before, after, was, now in zip(found, found[1:], truth, truth[1:]):
            still = (was == now) & (now > 0)
            changed, steady = changed + int((before != after)[still].sum()), steady + int(still.sum())
        print(f"seed {seed}: {rate}")
    if steady:
        rows = [f"{name} {both[n] / either[n]:.2f}" for n, name in enumerate(LABELS) if either[n]]
        print("intersection over union: " + ", ".join(rows))
        print(f"labels that change where the truth does not: {100 * changed / steady:.2f} % of the head's pixels per frame")
    for video in options.clips:
        run = track_recording(
            RunRequest(video, config=TrackConfig(mode="fast")), options.out / video.stem, resume=(options.out / video.stem).exists()
        )
        rate, found = measured(run)
        flicker = [float(((a != b) & (a > 0) & (b > 0)).sum() / max((b > 0).sum(), 1)) for a, b in pairwise(found)]
        size = f"{run.capture.size[1]}×{run.capture.size[0]}"
        print(f"{video.name}: {size}, {rate}, {100 * float(np.mean(flicker or [0])):.2f} % of the person's labels change per frame")


if __name__ == "__main__":
    main()
