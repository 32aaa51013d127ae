"""Settings of a synthetic clip."""

from dataclasses import dataclass, field
from typing import Literal

from headcast.errors import ConfigError
from headcast.evaluate.synth.motion import MotionConfig
from headcast.evaluate.synth.occluders import OccluderKind


@dataclass(frozen=True)
class SynthConfig:
    """What to render. Everything that is not said here is drawn from the seed."""

    seed: int = 0
    """Another number is another person, another light, another camera."""
    frames: int = 200
    fps: float = 25.0
    size: tuple[int, int] = (512, 512)
    """Height and width in pixels."""
    cameras: int = 1
    """How many cameras record it at once; with more than one, a camera file says where they stand."""
    arc_deg: float = 120.0
    """How far around the head they stand, the first one in the middle."""
    fill: float = 0.7
    """Share of the image's height that the head takes up."""
    identity_scale: float = 1.3
    """How much wider than the model's prior people are drawn; 0 is the mean head."""
    motion: MotionConfig = field(default_factory=MotionConfig)
    swelling_m: float = 0.0
    """Height of a swelling on one cheek that comes and goes; no expression makes it."""
    light: float = 0.7
    """Share of lamps in the light; 0 is even light from everywhere."""
    background: Literal["plain", "noise", "room"] = "room"
    occluders: tuple[OccluderKind, ...] = ()
    """What gets in the way."""
    noise: float = 1.5
    """Standard deviation of the sensor's noise, in steps of 1/255 at mid grey."""
    blur_px: float = 0.5
    """Standard deviation of the lens's blur."""
    crf: int = 14
    """Quality of the H.264 video: 0 is lossless, 23 is usual, 40 is bad."""
    png: bool = False
    """Write numbered pictures instead of a video."""
    texture_px: int = 1024
    """Side of the painted texture."""
    supersampling: int = 2
    """Rays per pixel along each axis."""

    def __post_init__(self) -> None:
        for name, low, high in (
            ("frames", 1, 100_000),
            ("fps", 1, 1000),
            ("cameras", 1, 64),
            ("arc_deg", 0, 340),
            ("fill", 0.05, 2.0),
            ("identity_scale", 0, 5),
            ("swelling_m", 0, 0.02),
            ("light", 0, 1),
            ("noise", 0, 50),
            ("blur_px", 0, 20),
            ("crf", 0, 51),
            ("texture_px", 64, 8192),
            ("supersampling", 1, 4),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ConfigError(f"expected {name} between {low} and {high}, found {value!r}")
        if self.png and self.cameras > 1:
            raise ConfigError("expected videos of several cameras, found --png with more than one")
        if min(self.size) < 16 or max(self.size) > 8192:
            raise ConfigError(f"expected an image size between 16 and 8192 pixels, found {self.size!r}")
