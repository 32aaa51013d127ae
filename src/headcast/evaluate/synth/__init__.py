"""Videos of heads whose every parameter is known, to test trackers against."""

from headcast.evaluate.synth.clip import SyntheticClip, SyntheticFrame, draw_frames, synthetic_clip, truth_of
from headcast.evaluate.synth.config import SynthConfig
from headcast.evaluate.synth.motion import MotionConfig
from headcast.evaluate.synth.writing import prepare_folder, write_clip

__all__ = [
    "MotionConfig",
    "SynthConfig",
    "SyntheticClip",
    "SyntheticFrame",
    "draw_frames",
    "prepare_folder",
    "synthetic_clip",
    "truth_of",
    "write_clip",
]
