"""How near `headcast fit` comes to static heads of every kind, in what time and memory.

python benchmarks/fit.py --data ../shared/data [--out DIR] [--only NAME …]

Each head is fitted in a process of its own, so that memory and time are its own. Made from the real scan: a cloud of a million points in millimetres, +Z up, with noise of 0.2 mm and one per cent outliers.
"""  # noqa: E501

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import trimesh
from scipy.spatial.transform import Rotation

from headcast.fit.read_mesh import read_mesh
from headcast.fit.scan import places_on_mesh

SCAN_UNIT_M = 0.058
"""Makes the scan's eyes as far apart as an average adult's; its file is in no unit."""
CLOUD_POINTS, CLOUD_NOISE_MM, CLOUD_OUTLIERS = 1_000_000, 0.2, 0.01


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the test data's folder")
    parser.add_argument("--out", type=Path, help="where to keep inputs and fits")
    parser.add_argument("--only", nargs="+", help="heads to fit; all if not given")
    arguments = parser.parse_args()
    out = arguments.out or Path(tempfile.mkdtemp())
    print(f"{'head':14}{'face':>7}{'alone':>7}{'ears':>7}{'lips':>7}{'crossings':>11}{'s':>7}{'cpu s':>7}{'MB':>7}   unit")
    for name, source, options in heads(arguments.data, out):
        if arguments.only and name not in arguments.only:
            continue
        command = [sys.executable, "-m", "headcast", "fit", str(source), "--out", str(out / f"fit_{name}"), "--overwrite", *options]
        before = _processor_s()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"{name:14}{done.stderr[-300:]}")
            continue
        report = json.loads((out / f"fit_{name}" / "report.json").read_text())
        there, alone = report["distances_mm"]["scan_to_head"], report["distances_of_shapes_alone_mm"]["scan_to_head"]
        means = [found["mean_mm"] if found else float("nan") for found in (there["face"], alone["face"], there["ears"], there["lips"])]
        crossed = "/".join(str(count) for count in report["crossings"].values())
        row = "".join(f"{mean:7.2f}" for mean in means) + f"{crossed:>11}"
        times = f"{report['total_seconds']:7.1f}{_processor_s() - before:7.1f}"
        print(f"{name:14}{row}{times}{report['peak_memory_mb']:7.0f}   {report['unit']}", flush=True)


def _processor_s() -> float:
    """Of all processes that were started here and have ended, their imports included."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def heads(data: Path, out: Path):
    """Name, file and options of every head; what is made is written to `out`."""
    scan, texture = data / "lee_perry_smith" / "LeePerrySmith_plain.glb", data / "lee_perry_smith" / "color.jpg"
    yield "scan", scan, ["--texture", str(texture), "--unit-m", str(SCAN_UNIT_M)]
    yield "cloud", cloud_of(scan, texture, out / "cloud.ply"), []
    for seed in (None, 7):
        yield f"ict_{'mean' if seed is None else seed}", ict(data / "models" / "ict_facekit_light_fp16.npz", seed, out / f"ict_{seed}.stl"), []
    yield "face_cap", data / "facecap_plain.glb", []
    mannequin = data / "sven_rgbd"
    yield "mannequin", mannequin / "fused_expected.ply", []
    camera = ["--focal-px", "298.565", "--center-px", "159.23", "119.10", "--depth-unit-m", "0.0001"]
    yield "depth_map", mannequin / "depth_044.png", [*camera, "--texture", str(mannequin / "color_044.png")]


def cloud_of(scan: Path, texture: Path, path: Path) -> Path:
    """A million points of the scan's surface with noise, outliers and colours, in millimetres, +Z up."""
    rng, mesh = np.random.default_rng(0), read_mesh(scan, texture).with_texture_turned()
    face, weights = places_on_mesh(mesh.vertices, mesh.faces, CLOUD_POINTS, rng)
    points = (mesh.vertices[mesh.faces[face]] * weights[..., None]).sum(1) * 1000 * SCAN_UNIT_M
    points = points @ np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]]) + CLOUD_NOISE_MM * rng.standard_normal(points.shape)
    stray = rng.random(len(points)) < CLOUD_OUTLIERS
    points[stray] = rng.uniform(points.min(0), points.max(0), (int(stray.sum()), 3))
    path.parent.mkdir(parents=True, exist_ok=True)
    trimesh.PointCloud(points, (255 * mesh.color_at(face, weights)).astype(np.uint8)).export(path)
    return path


def ict(model: Path, seed: int | None, path: Path) -> Path:
    """The mean of the scan-based model, or a random person of it with a random expression; eyes, teeth and gums included, turned any way."""
    rng = np.random.default_rng(seed)
    with np.load(model) as stored:
        vertices = stored["vertices"].astype(np.float64)
        if seed is not None:
            vertices += np.tensordot(rng.standard_normal(100), stored["identity"].astype(np.float64), 1)
            strength = np.zeros(len(stored["expression"]))
            strength[rng.choice(len(strength), 4, replace=False)] = 0.6
            vertices += np.tensordot(strength, stored["expression"].astype(np.float64), 1)
            vertices = 10 * vertices @ Rotation.from_euler("xyz", [-70, 25, 130], degrees=True).as_matrix().T
        quads = stored["quads"]
    path.parent.mkdir(parents=True, exist_ok=True)
    trimesh.Trimesh(vertices, np.concatenate([quads[:, :3], quads[:, [0, 2, 3]]]), process=False).export(path)
    return path


if __name__ == "__main__":
    main()
