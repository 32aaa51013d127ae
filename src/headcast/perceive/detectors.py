"""The table of landmark back ends."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from headcast.perceive.mesh import Detector, MediapipeMesh
from headcast.perceive.tasks import MediapipeTasksMesh

DetectorName = Literal["mediapipe", "mediapipe_tasks"]

DETECTORS: dict[str, Callable[[Path | None], Detector]] = {
    "mediapipe": lambda bundle: MediapipeMesh(),
    "mediapipe_tasks": MediapipeTasksMesh,
}
"""Each makes a detector from the file of weights that the user named, or None."""
