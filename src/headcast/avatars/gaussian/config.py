"""Settings of training a Gaussian avatar."""

from dataclasses import dataclass
from typing import Literal

from headcast.errors import ConfigError


@dataclass(frozen=True)
class GaussianConfig:
    """How an avatar of splats is built."""

    steps: int = 3000
    """Steps of training, one picture each."""
    minutes: float | None = None
    """Time after which training ends; rates fall as if it had been planned so. With it, two builds differ."""
    most_splats: int = 20_000
    """Bound on the number of splats."""
    shows: Literal["head", "person"] = "head"
    """Head with hair and neck, or all of the person that pictures show."""
    motions: int = 8
    """Combinations of expressions and joints that move and tint splats beyond what the mesh does, beside those of the head's own motion."""
    most_frames: int = 600
    """Training frames, spread over all, that are kept in memory."""
    seed: int = 0
    """Of all chance."""
    dissimilarity: float = 0.2
    """Weight of structural dissimilarity beside the absolute difference of colours."""
    opacity: float = 0.2
    """Weight of the absolute difference to the matte."""
    stay: float = 0.02
    """Weight of the squared distance, in sizes of its triangle beyond one, of a splat from where it began."""
    small: float = 1.0
    """Weight of the squared size of a splat beyond what it may have."""
    round: float = 0.05
    """Weight of the squared logarithm by which a splat is longer than eight times its thickness."""
    tone: float = 0.03
    """Weight of the squared distance of a colour from where it began: background that shines through at the outline does not stain the sides."""
    calm: float = 0.0005
    """Weight of squared motions and tints."""

    def __post_init__(self) -> None:
        counts = {"steps": self.steps, "most_splats": self.most_splats, "most_frames": self.most_frames}
        for name, value in counts.items():
            if value < 1:
                raise ConfigError(f"{name} must be at least 1, found {value}")
        if self.motions < 0 or (self.minutes is not None and self.minutes <= 0):
            raise ConfigError(f"motions must not be negative and minutes must be positive, found {self.motions} and {self.minutes}")
