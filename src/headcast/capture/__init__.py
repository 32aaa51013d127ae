"""Recordings: decoding of videos and pictures, and the Capture folder that keeps what was perceived in them."""

from headcast.capture.capture import SCHEMA as CAPTURE_SCHEMA
from headcast.capture.capture import Capture
from headcast.capture.prepare import prepare, prepare_steps
from headcast.capture.prepare_config import PrepareConfig
from headcast.capture.rig import Calibration, Recorded, RigCapture
from headcast.capture.source import Source, SourceFrame, SourceMetadata, open_source

__all__ = [
    "CAPTURE_SCHEMA",
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
