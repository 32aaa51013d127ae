"""Recordings of known cameras in the layouts that people have them in, each read into `CameraFiles`."""

from headcast.capture.rigs.choice import RigChoice
from headcast.capture.rigs.groups import PicturesAre
from headcast.capture.rigs.recognise import LAYOUTS, open_cameras
from headcast.capture.rigs.subset import Division, Subset

__all__ = ["LAYOUTS", "Division", "PicturesAre", "RigChoice", "Subset", "open_cameras"]
