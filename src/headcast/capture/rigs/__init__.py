"""Recordings of known cameras in the layouts that people have them in, each read into `CameraFiles`."""

from headcast.capture.rigs.recognise import open_cameras

__all__ = ["open_cameras"]
