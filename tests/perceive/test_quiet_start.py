import subprocess
import sys

SAYS_NOTHING = """
import numpy as np
from headcast.perceive import FaceFinder, FaceFollower, Matting, MediapipeMesh, FaceBox
picture = np.zeros((64, 64, 3), np.uint8)
FaceFollower(MediapipeMesh(), FaceFinder()).step(picture, 0.0)
Matting().step(picture, None, FaceBox(np.array([32.0, 32.0]), 30.0, 0.0), cut=False)
"""
SAYS_SOMETHING = """
import os
from headcast.perceive.graphs import quiet_start
with quiet_start():
    os.write(2, b"W0000 inference_feedback_manager.cc:114] chatter\\nE0000 something.cc:1] a real error\\n")
"""


def _stderr_of(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout == ""
    return done.stderr


def test_starting_the_networks_prints_nothing():
    assert _stderr_of(SAYS_NOTHING) == ""


def test_what_is_not_known_chatter_passes():
    assert _stderr_of(SAYS_SOMETHING) == "E0000 something.cc:1] a real error\n"
