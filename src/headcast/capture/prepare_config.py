"""Settings of a preparation: which frames, which part of them, who detects and who cuts out."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from jaxtyping import Int
from numpy import ndarray

from headcast.capture.chosen import choose_frames
from headcast.capture.copies import check_downscales
from headcast.capture.source import Source
from headcast.errors import ConfigError
from headcast.perceive import DetectorName, FollowConfig, LandmarkSources, MatteConfig, MattingChoice, NetworkMatting
from headcast.store import InputFile

_SINCE = {"landmarks": ("mediapipe",), "matting": "mediapipe", "clean_plate": None, "every": 1, "fps": None, "frames": None, "crop": False}
"""Settings that earlier versions did not have, with what they did: left out of `PrepareConfig.key` so that older captures still count."""


@dataclass(frozen=True)
class PrepareConfig:
    """How a recording is prepared."""

    detector: DetectorName = "mediapipe"
    """Landmark back end: the network inside MediaPipe's wheel, or MediaPipe Tasks with a bundle that you bring."""
    detector_file: Path | None = None
    """The bundle (face_landmarker.task) for `mediapipe_tasks`."""
    landmarks: tuple[str, ...] = ("mediapipe",)
    """Which landmarks are kept, one or several: mediapipe (478 points with irises), or those of networks that you bring as ONNX files: fan:FILE
    (68 points), hrnet:FILE or star:FILE (98), insightface:FILE (106). Tracking goes by them alone; MediaPipe follows the face in any case."""
    matting: str = "mediapipe"
    """Who cuts out the person: mediapipe, or a network that you bring as an ONNX file: rvm:FILE, modnet:FILE or bgm2:FILE."""
    clean_plate: Path | None = None
    """For bgm2: a picture of the scene without the person, of the frames' size."""
    folder_fps: float = 25.0
    """Frames per second of a folder of pictures, which has no clock of its own."""
    follow: FollowConfig = field(default_factory=FollowConfig)
    """How the face is followed from frame to frame."""
    matte: MatteConfig = field(default_factory=MatteConfig)
    """How the person is cut out."""
    every: int = 1
    """Take one frame out of so many."""
    fps: float | None = None
    """Take the frames nearest to this even rate, at most the recording's own."""
    frames: str | None = None
    """Take frames A to B (exclusive) of the recording, as A:B; either may be left out, negative ones count from the end."""
    crop: bool = False
    """Cut all frames to one window around the head; the capture keeps where it lies, and tracking knows where the middle of the whole frame is."""
    downscales: tuple[int, ...] = ()
    """Also write pictures of the frames, made smaller by these factors: 1 to images/, 2 to images_2/ and so on."""
    preview: bool = False
    """Also write preview.mp4: recording, landmarks, matte."""
    part_frames: int = 100
    """Frames between two points from which an interrupted preparation can go on."""

    def network_matting(self, size: tuple[int, int]) -> NetworkMatting | None:
        """The matting network for frames of `size` (height, width), None for MediaPipe's; raises where what the user named cannot be used."""
        return MattingChoice(self.matting, self.clean_plate).network(self.matte, size)

    def landmark_sources(self) -> LandmarkSources:
        """What finds the landmarks that are kept; raises where what the user named cannot be used."""
        return LandmarkSources(self.landmarks)

    def chosen(self, source: Source) -> Int[ndarray, "chosen"]:
        """The frames of a recording that are taken; raises `ConfigError` where the settings choose none or contradict each other."""
        return choose_frames(source.frame_count, source.metadata.fps, self.every, self.fps, self.frames)

    def check(self, source: Source) -> None:
        """Raises where these settings cannot be used with a recording, before anything is written."""
        self.chosen(source)
        check_downscales(self.downscales)
        self.landmark_sources()
        if not self.crop or self.clean_plate is None:
            self.network_matting(source.size)
        else:
            raise ConfigError(f"a clean plate shows whole frames: expected --crop or --clean-plate, found both, with {self.clean_plate}")

    def key(self) -> str:
        """The settings that change the result, as text."""
        settings = {
            name: value for name, value in asdict(self).items() if name not in ("part_frames", "detector_file", "downscales", "preview", *_SINCE)
        }
        settings |= {name: _contents(getattr(self, name)) for name, usual in _SINCE.items() if getattr(self, name) != usual}
        return json.dumps(settings, sort_keys=True, default=str)


def _contents(value: object) -> object:
    """A setting by what it says; of NAME:FILE and of files, what the file holds, wherever it lies."""
    if isinstance(value, tuple):
        return [_contents(one) for one in value]
    name, _, file = str(value).rpartition(":")
    return f"{name}:{InputFile.of(Path(file)).sha256}" if Path(file).is_file() else value
