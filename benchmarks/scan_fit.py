"""How well the open head's identities fit heads that it has never seen: a real scan, a scan-based model's people, an artist's head.

python benchmarks/scan_fit.py --data ../shared/data [--picture errors.png]

Each head is aligned by a similarity from landmarks (found by rendering it) and fitted by all identity modes under the model's own
prior: the minimum of Σ ρ((nᵀ(x − y))² / σ²) + |identity|², where x is a point of the scan, y the nearest point of the model, n the
model's normal there, σ the stated noise and ρ the loss of Geman and McClure. Measured is the distance from every scan point of the
face to the model's surface, in the model's millimetres.
"""

import argparse
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import trimesh
from jaxtyping import Float, Int
from PIL import Image
from scipy.spatial.transform import Rotation

from headcast.geometry import Mesh, similarity_from_points, vertex_normals
from headcast.geometry.closest import ClosestPointQuery, ClosestPoints
from headcast.heads import HeadModel, open_head
from headcast.perceive.around import landmarks_in_space
from headcast.render import linear_from_srgb

BAR_MM = 0.75
NOISE_M = 0.0006
"""Standard deviation of a scan point from the model, per point; about one point for every ten square millimetres is used."""
POINTS = 3000
REACH_M = 0.012
"""Scan points farther from the aligned mean head than this are not counted as face."""
BLINKS = ("eyeBlinkLeft", "eyeBlinkRight")


@dataclass(frozen=True)
class Scan:
    """A head to fit, upright, looking along +Z, about as large as a real one (m)."""

    name: str
    vertices: Float[np.ndarray, "vertices 3"]
    faces: Int[np.ndarray, "faces 3"]
    landmarks: Float[np.ndarray, "478 3"]
    eyes_closed: bool = False


@dataclass(frozen=True)
class Fit:
    """The result for one scan."""

    points: Float[np.ndarray, "n 3"]
    """All face points of the scan, in the model's space."""
    distance_m: Float[np.ndarray, "n"]
    vertices: Float[np.ndarray, "vertices 3"]
    """The fitted head."""
    identity: Float[np.ndarray, "identity"]
    seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the test data's folder")
    parser.add_argument("--people", type=int, default=4, help="random people of the scan-based model")
    parser.add_argument("--picture", type=Path, help="where to draw the real scan's errors")
    arguments = parser.parse_args()
    model = open_head()
    print(f"{model.identity_count} modes, noise {1000 * NOISE_M} mm; distances in mm; |id|²/n is about 1 for heads that the prior expects")
    print(f"{'head':24}{'mean':>7}{'median':>8}{'95 %':>7}{'|id|²/n':>9}{'points':>8}{'s':>6}")
    for scan in scans(arguments.data, arguments.people):
        fit = fitted(model, scan)
        distance = 1000 * fit.distance_m
        row = f"{distance.mean():7.3f}{np.median(distance):8.3f}{np.percentile(distance, 95):7.2f}"
        bar = f"   bar {BAR_MM} {'met' if distance.mean() <= BAR_MM else 'MISSED'}" if scan.eyes_closed else ""
        print(f"{scan.name:24}{row}{(fit.identity**2).mean():9.2f}{len(distance):8d}{fit.seconds:6.1f}{bar}", flush=True)
        if scan.eyes_closed and arguments.picture is not None:
            draw(fit, model, arguments.picture)


def scans(data: Path, people: int):
    """The heads of the test data, one after the other."""
    yield lee_perry_smith(data / "lee_perry_smith")
    yield face_cap(data / "facecap_plain.glb")
    yield ict(data / "models" / "ict_facekit_light_fp16.npz", None)
    for seed in range(people):
        yield ict(data / "models" / "ict_facekit_light_fp16.npz", seed)


def lee_perry_smith(folder: Path) -> Scan:
    """The real scan; its eyes are closed. Its file is in no unit; the factor makes its eyes as far apart as an average adult's."""
    geometry = trimesh.load(folder / "LeePerrySmith_plain.glb", force="mesh")
    vertices, faces = np.asarray(geometry.vertices) * 0.058, np.asarray(geometry.faces)
    albedo = linear_from_srgb(torch.from_numpy(np.array(Image.open(folder / "color.jpg").convert("RGB"))).float() / 255)
    uv = torch.from_numpy(np.asarray(geometry.visual.uv) * [1, -1] + [0, 1]).float()
    mesh = Mesh(torch.from_numpy(vertices).float(), torch.from_numpy(faces))
    found = landmarks_in_space(mesh, albedo, uv, mesh.faces, framed=(np.array([0, 0.035, 0.08]), 0.19))
    return Scan("Lee Perry-Smith (scan)", vertices, faces, found.points, eyes_closed=True)


def face_cap(path: Path) -> Scan:
    """An artist's neutral head."""
    scene = trimesh.load(path)
    node = next(name for name in scene.graph.nodes_geometry if len(scene.geometry[scene.graph[name][1]].vertices) > 2000)
    transform, geometry = scene.graph[node]
    mesh = scene.geometry[geometry].copy().apply_transform(transform)
    return _plain("Face Cap (artist)", np.asarray(mesh.vertices) * 0.1, np.asarray(mesh.faces), (np.array([0, 0, 0.03]), 0.19))


def ict(path: Path, seed: int | None) -> Scan:
    """The mean of the scan-based model, or a random person of it."""
    with np.load(path) as stored:
        vertices = stored["vertices"].astype(np.float64)
        if seed is not None:
            vertices += np.tensordot(np.random.default_rng(seed).standard_normal(100), stored["identity"].astype(np.float64), 1)
        quads = stored["quads"][stored["face_material"] < 2]
    faces = np.concatenate([quads[:, :3], quads[:, [0, 2, 3]]])
    name = "ICT mean" if seed is None else f"ICT person {seed}"
    return _plain(name, vertices / 100, faces, (np.array([0, 0.0, 0.09]), 0.19))


def _plain(name: str, vertices: np.ndarray, faces: np.ndarray, framed: tuple[np.ndarray, float]) -> Scan:
    mesh = Mesh(torch.from_numpy(vertices).float(), torch.from_numpy(faces.astype(np.int64)))
    found = landmarks_in_space(mesh, torch.tensor([0.50, 0.30, 0.22]).repeat(len(vertices), 1), framed=framed)
    return Scan(name, vertices, faces, found.points)


class Target:
    """The model's face as something that scan points are matched with."""

    def __init__(self, model: HeadModel, eyes_closed: bool):
        regions = {name: mask.numpy() for name, mask in model.regions.items()}
        self.faces = model.faces.numpy()
        self.template = model.template.double().numpy()
        other = np.logical_or.reduce([regions[name] for name in ("eyeballs", "mouth_interior", "teeth", "tongue", "eye_sockets")])
        self.skin = np.flatnonzero(~other[self.faces].any(1))
        self.face = regions["face"][self.faces].all(1)
        edges = np.sort(np.concatenate([self.faces[self.skin][:, pair] for pair in ([0, 1], [1, 2], [2, 0])]), axis=1)
        unique, counts = np.unique(edges, axis=0, return_counts=True)
        self.rim = np.isin(np.arange(len(self.template)), unique[counts == 1])
        self.identity_count = model.identity_count
        shapes = [model.identity_basis.double().numpy()]
        if eyes_closed:
            shapes.append(model.expression_basis[[model.expression_names.index(name) for name in BLINKS]].double().numpy())
        self.shapes = np.concatenate(shapes)
        self.landmarks = model.landmarks["mediapipe_478"].points(model.template, model.faces).double().numpy()

    def vertices(self, unknowns: np.ndarray) -> Float[np.ndarray, "vertices 3"]:
        return self.template + np.tensordot(unknowns, self.shapes, 1)

    def normals(self, vertices: np.ndarray) -> Float[np.ndarray, "vertices 3"]:
        return vertex_normals(torch.from_numpy(vertices), torch.from_numpy(self.faces)).numpy()

    def nearest(self, vertices: np.ndarray, points: np.ndarray) -> tuple[ClosestPoints, np.ndarray, np.ndarray]:
        """The nearest places on the skin, the corners of their faces, and whether they lie inside the skin's edges (lids, lips)."""
        found = ClosestPointQuery(vertices, self.faces[self.skin])(points, within=0.05)
        corners = self.faces[self.skin[found.faces]]
        return replace(found, faces=self.skin[found.faces]), corners, (found.barycentric * ~self.rim[corners]).sum(1) > 0.02


def fitted(model: HeadModel, scan: Scan, steps: int = 18) -> Fit:
    """Gauss–Newton on identity, blinks where the scan's eyes are closed, and a rigid motion; the scale stays that of the landmarks."""
    start = time.perf_counter()
    target = Target(model, scan.eyes_closed)
    scale, rotation, translation = (
        np.asarray(part) for part in similarity_from_points(torch.from_numpy(scan.landmarks[:468]), torch.from_numpy(target.landmarks[:468]))
    )
    candidates, candidate_normals = sampled(scan, 60000)
    aligned = scale * candidates @ rotation.T + translation
    found, corners, inside = target.nearest(target.template, aligned)
    facing = ((candidate_normals @ rotation.T) * target.normals(target.template)[corners].mean(1)).sum(1) > 0.4
    face = target.face[found.faces] & inside & facing & (found.distance < REACH_M)
    points, normals = scale * candidates[face], candidate_normals[face]
    chosen = np.random.default_rng(1).choice(len(points), min(POINTS, len(points)), replace=False)
    unknowns, count = np.zeros(len(target.shapes)), target.identity_count
    for step in range(steps):
        moved = points[chosen] @ rotation.T + translation
        rows, residual, weight = _equations(target, unknowns, moved, normals[chosen] @ rotation.T, max(0.0015, 0.02 * 0.7**step))
        weight = weight / NOISE_M**2
        prior = np.concatenate([np.full(6, 1e-6), np.ones(count), np.full(len(unknowns) - count, 1e-2)])
        slope = (rows * weight[:, None]).T @ residual + prior * np.concatenate([np.zeros(6), unknowns])
        change = -np.linalg.solve((rows * weight[:, None]).T @ rows + np.diag(prior), slope)
        turn = Rotation.from_rotvec(change[:3]).as_matrix()
        rotation, translation = turn @ rotation, turn @ translation + change[3:6]
        unknowns = unknowns + change[6:]
        unknowns[count:] = np.clip(unknowns[count:], 0, 1)
    vertices, moved = target.vertices(unknowns), points @ rotation.T + translation
    found, _, inside = target.nearest(vertices, moved)
    return Fit(moved[inside], found.distance[inside], vertices, unknowns[:count], time.perf_counter() - start)


def _equations(
    target: Target, unknowns: np.ndarray, points: np.ndarray, point_normals: np.ndarray, robust_m: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows (rigid motion of the scan, then shapes), residuals (m) and robust weights of the point-to-surface distances."""
    vertices = target.vertices(unknowns)
    found, corners, inside = target.nearest(vertices, points)
    weights = found.barycentric[..., None]
    normal = (target.normals(vertices)[corners] * weights).sum(1)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    residual = ((points - found.points) * normal).sum(1)
    shapes = -np.einsum("kncd,nc,nd->nk", target.shapes[:, corners], found.barycentric, normal, optimize=True)
    rows = np.concatenate([np.cross(points, normal), normal, shapes], 1)
    agrees = inside & ((point_normals * normal).sum(1) > 0.3)
    return rows, residual, agrees / (1 + (residual / robust_m) ** 2) ** 2


def sampled(scan: Scan, count: int) -> tuple[Float[np.ndarray, "count 3"], Float[np.ndarray, "count 3"]]:
    """Points spread evenly over a scan's surface, and their normals."""
    rng = np.random.default_rng(0)
    corners = scan.vertices[scan.faces]
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.linalg.norm(cross, axis=1)
    face = rng.choice(len(area), count, p=area / area.sum())
    first, second = np.sqrt(rng.random(count)), rng.random(count)
    weights = np.stack([1 - first, first * (1 - second), first * second], 1)
    return (corners[face] * weights[..., None]).sum(1), cross[face] / area[face, None]


def draw(fit: Fit, model: HeadModel, path: Path) -> None:
    """The scan's face points from three sides, coloured by their distance from the fitted head: blue none, red 2 mm."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(13, 5), constrained_layout=True)
    for axis, yaw in zip(axes, (-45, 0, 45)):
        turned = fit.points @ Rotation.from_euler("y", yaw, degrees=True).as_matrix().T
        order = np.argsort(turned[:, 2])
        shown = axis.scatter(*turned[order, :2].T, c=1000 * fit.distance_m[order], s=2, cmap="turbo", vmin=0, vmax=2)
        axis.set_aspect("equal")
        axis.set_axis_off()
    figure.colorbar(shown, ax=axes, label="mm")
    figure.savefig(path, dpi=80)


if __name__ == "__main__":
    main()
