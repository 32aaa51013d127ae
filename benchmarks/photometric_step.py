"""Milliseconds of one dense photometric Gauss–Newton step at 256² with all unknowns of a frame, and of its parts.

    python benchmarks/photometric_step.py VIDEO [--frames 20] [--repeats 20]

The clip is tracked up to the asked frame, which gives the person, the texture and the states; then the steps of these frames are timed. The head
fills the 256² window, whatever its size in the video.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import numba
import numpy as np
from threadpoolctl import threadpool_limits

from headcast.capture import Capture, prepare
from headcast.heads import open_head
from headcast.render import rasterize_arrays
from headcast.track import TrackConfig, sequence
from headcast.track.frame import colour_equations, colour_sums, landmark_equations, prior_equations, step_frame
from headcast.track.light import gamma_shading
from headcast.track.observation import Picture, observe
from headcast.track.person import Person
from headcast.track.pipeline import track_steps
from headcast.track.points import FrameState, move_points
from headcast.track.surface import surface_normals
from headcast.track.view import view_of

SIDE_PX = 256
CONFIG = TrackConfig(mode="fast")


def first_fits(capture: Capture, count: int) -> list[tuple]:
    """Person, the camera's view and state before the colours are compared, of the first frames of a clip."""
    fits: list[tuple] = []
    original = sequence.fit_frame

    def recorded(person, moment, state, *rest, **named):
        fits.append((person, moment.views[0], state))
        return original(person, moment, state, *rest, **named)

    with patch.object(sequence, "fit_frame", recorded):
        for _ in track_steps(capture, open_head(), CONFIG):
            if len(fits) == count:
                break
    return fits


class Parts:
    """Adds up what the parts of a step take."""

    def __init__(self) -> None:
        self.wall: dict[str, list[float]] = {}
        self.cpu: dict[str, list[float]] = {}

    def __call__(self, name: str, function: Callable, *arguments, **named):
        cpu, wall = time.process_time(), time.perf_counter()
        result = function(*arguments, **named)
        self.wall.setdefault(name, []).append(time.perf_counter() - wall)
        self.cpu.setdefault(name, []).append(time.process_time() - cpu)
        return result

    def rows(self) -> list[str]:
        return [f"| {name} | {np.median(self.wall[name]) * 1e3:.2f} | {np.median(self.cpu[name]) * 1e3:.2f} |" for name in self.wall]


def whole_step(person: Person, state: FrameState, picture: Picture) -> FrameState:
    """What the tracker does per iteration, colours only (landmarks are measured apart)."""
    view = view_of(person, state, picture.window)
    equations = colour_equations(person, view, colour_sums(person, view, picture), CONFIG)
    return step_frame(person, state, equations + prior_equations(person, state))[0]


@threadpool_limits.wrap(limits=1, user_api="blas")  # as the tracker does
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("video", type=Path)
    parser.add_argument("--frames", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=20)
    arguments = parser.parse_args()
    parts = Parts()
    with tempfile.TemporaryDirectory() as folder:
        capture = prepare(arguments.video, folder)
        fits = first_fits(capture, arguments.frames)
        pictures = {idx: (rgb, matte) for idx, rgb, matte in capture.frames([observation.frame_idx for _, observation, _ in fits])}
    covered = []
    for person, seen, state in fits:
        size = np.ptp(seen.landmarks, axis=0).max()
        observation = observe(seen.frame_idx, *pictures[seen.frame_idx], seen.landmarks, seen.confidence, round(1.3 * size), SIDE_PX)
        picture, surface = observation.levels[0], person.tracked.surface
        window = picture.window
        focal, center = window.focal(person.focal_px), window.center(person.center_px)
        for _ in range(arguments.repeats):
            moved = (surface.basis, person.rest, person.skeleton, person.tracked.unknowns, state, focal, center)
            motion = parts("move points", move_points, *moved)
            positions = np.concatenate([motion.pixels, motion.camera_points[:, 2:]], 1)
            parts("rasterise", rasterize_arrays, positions, surface.faces, *window.size)
            normals = parts("normals", surface_normals, motion.camera_points, surface.faces, surface.incident_start, surface.incident_face)
            parts("shade", gamma_shading, normals, person.world_from_camera, person.light)
            view = view_of(person, state, window)
            sums = parts("compare colours", colour_sums, person, view, picture)
            equations = parts("normal equations", colour_equations, person, view, sums, CONFIG)
            total = equations + prior_equations(person, state)
            parts("solve within bounds", step_frame, person, state, total)
            parts("**whole step**", whole_step, person, state, picture)
            parts("landmarks (besides)", landmark_equations, person, state, observation, CONFIG, shared=False)
        covered.append(int((view.face >= 0).sum()))
    unknowns = fits[0][0].tracked.unknowns.count
    pixels = f"{int(np.median(covered))} of {SIDE_PX**2} pixels"
    print(f"{arguments.video.name}, {len(fits)} frames, {unknowns} unknowns, {len(surface.faces)} faces, {pixels},")
    print(f"{numba.get_num_threads()} threads; medians\n\n| part | ms | processor ms |\n|---|---|---|")
    print("\n".join(parts.rows()))


if __name__ == "__main__":
    main()
