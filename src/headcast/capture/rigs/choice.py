"""What of a recording of known cameras is taken, and how it is read."""

from dataclasses import dataclass
from pathlib import Path

from headcast.capture.cameras import CameraFiles
from headcast.capture.rigs.groups import PicturesAre
from headcast.capture.rigs.recognise import LAYOUTS, open_cameras
from headcast.capture.rigs.subset import Subset
from headcast.errors import ConfigError


@dataclass(frozen=True)
class RigChoice(Subset):
    """A choice of cameras and frames, and what pictures are that could be either."""

    pictures_are: PicturesAre = "auto"
    """What pictures in one folder are (COLMAP, transforms.json): cameras at one moment, or frames of one camera that moves.
    auto: cameras where each has a lens of its own, frames where all share one; names such as 00012_03.png, which 'headcast export' gives
    to the pictures of a rig, say time step and camera."""

    def open(self, recording: Path) -> CameraFiles | None:
        """What is chosen of a recording of known cameras; None for a plain recording, of which there is nothing to choose.

        Raises:
            ConfigError: the choice says nothing known, or contradicts itself, or is of a plain recording, or of cameras or frames that are not there.
            InputError, FormatError: as `open_cameras`.
        """
        found = open_cameras(recording, self.pictures_are)
        if found is not None:
            return self.of(found)
        if self != RigChoice():
            raise ConfigError(
                "--cameras, --division, --subset and --pictures-are choose from recordings of known cameras "
                f"({'; '.join(LAYOUTS)}); found none of these at {recording}"
            )
        return None
