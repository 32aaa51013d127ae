"""Recordings: decoding of videos and pictures, and the Capture folder that keeps what was perceived in them."""

from headcast.capture.capture import Capture
from headcast.capture.prepare import PrepareConfig, prepare, prepare_steps
from headcast.capture.rig import Calibration, Recorded, RigCapture
from headcast.capture.source import Source, SourceFrame, SourceMetadata, open_source

__all__ = [
    "Calibration",
    "Capture",
    "PrepareConfig",
    "Recorded",
    "RigCapture",
    "Source",
    "SourceFrame",
    "SourceMetadata",
    "open_source",
    "prepare",
    "prepare_steps",
]
