"""Tracks the RGB-D recording of a mannequin, its camera's path known and unknown, and compares head and path with the fused cloud and ICP's path."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import trimesh
from scipy.spatial import cKDTree

from headcast.capture.rigs import open_cameras
from headcast.geometry import Transform, angle_between, nearest_rotation
from headcast.geometry.closest import ClosestPointQuery
from headcast.track.config import TrackConfig
from headcast.track.run import Run, RunRequest, track_recording

BARS_MM = {"known": 1.0, "unknown": 1.5}
_NO_SURFACE = ("eyeballs", "mouth_interior", "teeth", "tongue")
_NEAR_M = 0.006
"""Points of the cloud farther from the model's face are hair, cloth and table."""


def face_error_mm(run: Run, cloud: np.ndarray, world_from_tracked: list[np.ndarray], frames: list[int]) -> float:
    """Median distance from the cloud's points near the face to the tracked surface, median over frames; no alignment."""
    model = run.model
    face = model.regions["face"].numpy() & ~np.logical_or.reduce([model.regions[name].numpy() for name in _NO_SURFACE])
    faces, head, found = model.faces.numpy(), run.track.head(run.model), []
    for frame in frames:
        matrix = world_from_tracked[frame]
        vertices = head.posed(run.track.pose(frame)).vertices.double().numpy() @ matrix[:3, :3].T + matrix[:3, 3]
        near = cloud[cKDTree(vertices[face]).query(cloud, distance_upper_bound=_NEAR_M)[0] < _NEAR_M]
        nearest = ClosestPointQuery(vertices, faces)(near)
        found.append(1000 * float(np.median(nearest.distance[face[faces[nearest.faces]].all(1)])))
    return float(np.median(found))


def path_error(run: Run, poses: np.ndarray) -> tuple[float, float]:
    """Median angle (deg) and distance (mm) between the camera's path about the head and ICP's, after the best rigid motion of all of it."""
    camera_from_head = (run.track.camera.camera_from_world @ run.track.world_from_head).matrix().double().numpy()
    shown = run.track.valid.numpy()
    icp_from_head = poses[shown] @ camera_from_head[shown]
    turn = nearest_rotation(torch.from_numpy(icp_from_head[:, :3, :3].mean(0))).numpy()
    whole = np.eye(4)
    whole[:3, :3], whole[:3, 3] = turn, np.median(icp_from_head[:, :3, 3], axis=0)
    found = whole @ np.linalg.inv(camera_from_head[shown])
    angle = angle_between(torch.from_numpy(found[:, :3, :3]), torch.from_numpy(poses[shown][:, :3, :3]))
    return float(torch.rad2deg(angle).median()), 1000 * float(np.median(np.linalg.norm(found[:, :3, 3] - poses[shown][:, :3, 3], axis=1)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder sven_rgbd")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--offsets", choices=("auto", "off"), default="auto")
    parser.add_argument("--gains", choices=("auto", "on", "off"), default="auto")
    arguments = parser.parse_args()
    files = open_cameras(arguments.data)
    camera = files.cameras[0]
    poses = np.linalg.inv(camera.camera_from_world)
    cloud = np.asarray(trimesh.load(arguments.data / "fused_expected.ply").vertices)
    met = True
    for name, bar in BARS_MM.items():
        known = files if name == "known" else replace(files, cameras=(replace(camera, camera_from_world=None),))
        arguments.out.mkdir(parents=True, exist_ok=True)
        source = arguments.out / f"{name}.json"
        known.save(source)
        run = track_recording(
            RunRequest(source, config=TrackConfig(offsets=arguments.offsets, gains=arguments.gains)), arguments.out / name, overwrite=True
        )
        frames = np.flatnonzero(run.track.valid.numpy())[::4].tolist()
        if name == "known":
            world_from_tracked = [np.eye(4)] * run.track.frame_count
        else:
            still: Transform = run.track.camera.camera_from_world
            world_from_tracked = list(poses @ still.matrix().double().numpy())
        error = face_error_mm(run, cloud, world_from_tracked, frames)
        met &= error <= bar
        print(f"camera's path {name}: cloud to head, median on the face {error:.2f} mm (bar {bar} mm: {'met' if error <= bar else 'not met'})")
        if name == "unknown":
            angle, distance = path_error(run, poses)
            met &= angle <= 1 and distance <= 5
            print(f"camera's path against ICP's: median {angle:.2f}° (bar 1), {distance:.1f} mm (bar 5)")
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
