"""How well the open head's own shapes fit heads that it has never seen: a real scan, a scan-based model's people, an artist's head.

python benchmarks/scan_fit.py --data ../shared/data [--picture errors.png]

Each head is fitted as `headcast fit --no-offsets` does it: identity, expression and joints under the model's own prior, the size that of the
landmarks. Measured is the distance from points of the scan's face, none of which the fit used, to the head's surface, in millimetres.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from headcast.fit import FitConfig, FitResult, Scan, fit_steps
from headcast.fit.read_mesh import read_mesh
from headcast.fit.target import Target
from headcast.fit.views import comparison
from headcast.heads import HeadModel, open_head
from headcast.solve.step import follow

BAR_MM = 0.75
SCAN_UNIT_M = 0.058
"""Makes the real scan's eyes as far apart as an average adult's; its file is in no unit."""
SHAPES_ALONE = FitConfig(offsets=False, texture_px=64)


@dataclass(frozen=True)
class Head:
    """A head to fit."""

    name: str
    scan: Scan
    config: FitConfig = field(default_factory=lambda: SHAPES_ALONE)
    real: bool = False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the test data's folder")
    parser.add_argument("--people", type=int, default=4, help="random people of the scan-based model")
    parser.add_argument("--picture", type=Path, help="where to draw the real scan's errors")
    arguments = parser.parse_args()
    model = open_head()
    print(f"{model.identity_count} modes; distances in mm; |id|²/n is about 1 for heads that the prior expects")
    print(f"{'head':24}{'mean':>7}{'median':>8}{'95 %':>7}{'|id|²/n':>9}{'points':>8}{'s':>6}")
    for head in heads(arguments.data, arguments.people):
        start = time.perf_counter()
        fit = fitted(model, head)
        face, seconds = fit.errors.scan_to_head["face"], time.perf_counter() - start
        row = f"{face.mean_mm:7.3f}{face.median_mm:8.3f}{face.p95_mm:7.2f}{(fit.state.identity**2).mean():9.2f}{face.count:8d}{seconds:6.1f}"
        bar = f"   bar {BAR_MM} {'met' if face.mean_mm <= BAR_MM else 'MISSED'}" if head.real else ""
        print(f"{head.name:24}{row}{bar}", flush=True)
        if head.real and arguments.picture is not None:
            errors = comparison(Target(model), fit.vertices, fit.scan, fit.state.head_from_scan, fit.errors.per_vertex_mm, None)
            Image.fromarray(errors).save(arguments.picture)


def heads(data: Path, people: int) -> Iterator[Head]:
    """The heads of the test data, one after the other."""
    yield lee_perry_smith(data / "lee_perry_smith")
    yield Head("Face Cap (artist)", read_mesh(data / "facecap_plain.glb"))
    for seed in (None, *range(people)):
        yield ict(data / "models" / "ict_facekit_light_fp16.npz", seed)


def lee_perry_smith(folder: Path) -> Head:
    """The real scan; its eyes are closed."""
    texture = folder / "color.jpg"
    config = FitConfig(offsets=False, texture=texture, unit_m=SCAN_UNIT_M, texture_px=64)
    return Head("Lee Perry-Smith (scan)", read_mesh(folder / "LeePerrySmith_plain.glb", texture), config, real=True)


def ict(path: Path, seed: int | None) -> Head:
    """The mean of the scan-based model, or a random person of it."""
    with np.load(path) as stored:
        vertices = stored["vertices"].astype(np.float64)
        if seed is not None:
            vertices += np.tensordot(np.random.default_rng(seed).standard_normal(100), stored["identity"].astype(np.float64), 1)
        quads = stored["quads"][stored["face_material"] < 2]
    name = "ICT mean" if seed is None else f"ICT person {seed}"
    return Head(name, Scan(name, vertices, np.concatenate([quads[:, :3], quads[:, [0, 2, 3]]]).astype(np.int64)))


def fitted(model: HeadModel, head: Head) -> FitResult:
    """The model's shapes laid onto a head."""
    return follow(fit_steps(head.scan, model, head.config))


if __name__ == "__main__":
    main()
