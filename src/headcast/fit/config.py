"""Settings of the static fit, each with what it does and in what unit."""

from dataclasses import dataclass
from pathlib import Path

from headcast.errors import ConfigError


@dataclass(frozen=True)
class FitConfig:
    """How to fit a static head."""

    points: Path | None = None
    """Landmarks by hand, a CSV or JSON file: name or number and position in the scan; then no face is looked for."""
    texture: Path | None = None
    """Picture for a mesh whose file names none, or of the same camera as a depth map."""
    unit_m: float | None = None
    """Metres per unit of the file where it is known; found from the face otherwise."""
    focal_px: float | None = None
    """Focal length of a depth map's camera, pixels."""
    center_px: tuple[float, float] | None = None
    """Principal point of a depth map's camera (x, y), pixels; the middle of the picture if not given."""
    depth_unit_m: float | None = None
    """Metres per unit of a depth map: 0.001 for PNG and 1 for npy if not given."""
    expression: bool = True
    """Solve expression, jaw and eyes as well; without it the head is taken to be at rest."""
    offsets: bool = True
    """After the head model's own shapes, move single vertices onto the scan."""
    noise_m: float = 0.0006
    """Standard deviation of a point of the scan from the model's shapes, for about one point every ten square millimetres."""
    stiffness: float = 1.0
    """How much offsets of neighbours keep alike: larger is smoother and farther from the scan."""
    texture_px: int = 1024
    """Side of the albedo texture."""

    def __post_init__(self) -> None:
        for name in ("unit_m", "depth_unit_m"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ConfigError(f"{name} must be positive, found {value}")
        if not self.noise_m > 0 or not self.stiffness > 0:
            raise ConfigError(f"noise_m and stiffness must be positive, found {self.noise_m} and {self.stiffness}")
        if not 64 <= self.texture_px <= 8192:
            raise ConfigError(f"texture_px must lie between 64 and 8192, found {self.texture_px}")
