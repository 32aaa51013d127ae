"""The real mannequin: tracks its colour frames as a video, without depth, and measures the mesh against the cloud fused from depth.

python benchmarks/mannequin.py --data ../shared/data/sven_rgbd [--run RUN]
"""

import argparse
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import trimesh
from PIL import Image

from headcast.evaluate import CloudError, compare_with_cloud
from headcast.geometry import Similarity
from headcast.heads import HeadModel
from headcast.track.run import Run, RunRequest, track_recording

BAR_MM = 2.5
_NO_SURFACE = ("eyeballs", "mouth_interior", "teeth", "tongue")


@dataclass(frozen=True)
class Recording:
    """What the test data says about one frame."""

    depth_m: np.ndarray
    focal_px: float
    center_px: np.ndarray
    cloud_from_camera: np.ndarray
    """4 × 4, OpenCV axes."""

    @classmethod
    def load(cls, data: Path, number: int) -> "Recording":
        """Frame `number` of the original recording, of which the data holds every second."""
        cameras = json.loads((data / "cameras.json").read_text())
        camera = next(frame for frame in cameras["frames"] if frame["frame"] == number)
        depth = np.asarray(Image.open(data / f"depth_{number:03d}.png"), np.float64) * cameras["depth_unit_m"]
        poses = np.load(data / "icp_camera_to_expected.npy", allow_pickle=False)
        return cls(depth, camera["fx"], np.array([camera["cx"], camera["cy"]]), poses[number])

    def cloud_points(self, pixels: np.ndarray) -> np.ndarray:
        """Where the surface at these pixels of the stored picture lies in the cloud; NaN where depth is missing."""
        column, row = np.floor(pixels).astype(int).T
        height, width = self.depth_m.shape
        inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        depth = np.full(len(pixels), np.nan)
        depth[inside] = self.depth_m[row[inside], column[inside]]
        depth[depth < 0.1] = np.nan
        points = np.concatenate([(pixels - self.center_px) / self.focal_px, np.ones((len(pixels), 1))], 1) * depth[:, None]
        return points @ self.cloud_from_camera[:3, :3].T + self.cloud_from_camera[:3, 3]


def start_from_depth(run: Run, frame: int, recording: Recording) -> Similarity:
    """Cloud from the mesh of one frame, from its landmarks and their depth.

    The tracker may have turned the sideways pictures upright; of the four quarter turns the right one fits best.
    """
    height, width = run.track.camera.size
    landmarks = run.track.landmarks(run.model, frame)
    pixels = run.track.camera.project(landmarks).numpy().astype(np.float64)
    stored_height, stored_width = recording.depth_m.shape
    stored = {
        0: pixels,
        1: np.stack([pixels[:, 1], stored_height - pixels[:, 0]], 1),
        2: np.stack([stored_width - pixels[:, 0], stored_height - pixels[:, 1]], 1),
        3: np.stack([stored_width - pixels[:, 1], pixels[:, 0]], 1),
    }
    best, best_error = None, np.inf
    for turns, places in stored.items():
        if (height, width) != ((stored_height, stored_width) if turns % 2 == 0 else (stored_width, stored_height)):
            continue
        cloud = recording.cloud_points(places)
        known = np.isfinite(cloud).all(1)
        if known.sum() < 100:
            continue
        similarity = Similarity.of_points(landmarks.numpy()[known], cloud[known])
        error = float(np.median(np.linalg.norm(similarity.points(landmarks.numpy()[known]) - cloud[known], axis=1)))
        if error < best_error:
            best, best_error = similarity, error
    assert best is not None, "no frame of the recording fits the track's picture size"
    return best


def measure(run: Run, data: Path, frames: list[int]) -> list[tuple[int, CloudError]]:
    """Each frame's mesh against the cloud: the person is still, so that every frame should agree."""
    cloud = np.asarray(trimesh.load(data / "fused_expected.ply").vertices, np.float64)
    region = skin_of_face(run.model)
    head, found = run.track.head(run.model), []
    for frame in frames:
        vertices = head.posed(run.track.pose(frame)).vertices.numpy().astype(np.float64)
        start = start_from_depth(run, frame, Recording.load(data, 2 * frame))
        found.append((frame, compare_with_cloud(vertices, run.model.faces.numpy(), region, cloud, start)))
    return found


def skin_of_face(model: HeadModel) -> np.ndarray:
    other = torch.stack([model.regions[name] for name in _NO_SURFACE]).any(0)
    return (model.regions["face"] & ~other).numpy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with color_NNN.png, depth_NNN.png and fused_expected.ply")
    parser.add_argument("--run", type=Path, help="a finished run of these pictures; made in a temporary folder if absent")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.run or Path(temporary) / "run"
        if arguments.run is None:
            track_recording(RunRequest(arguments.data / "color_*.png"), folder)
        run = Run.open(folder)
        valid = np.flatnonzero(run.track.valid.numpy())
        chosen = [int(frame) for frame in valid[np.unique(np.linspace(0, len(valid) - 1, 9).astype(int))]]
        results = measure(run, arguments.data, chosen)
    print(f"{len(valid)} of {run.track.frame_count} frames valid, focal length {run.track.camera.focal_px.mean():.0f} px")
    for frame, error in results:
        print(f"frame {frame:2d}: median {error.median_mm:.2f} mm, 90 % below {error.p90_mm:.2f} mm, coverage {error.coverage:.0%}")
    middle = float(np.median([error.median_mm for _, error in results]))
    print(f"median over frames: {middle:.2f} mm (bar {BAR_MM} mm: {'met' if middle <= BAR_MM else 'not met'})")


if __name__ == "__main__":
    main()
