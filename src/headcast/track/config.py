"""Settings of the tracker, each with what it does and in what unit."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from headcast.errors import ConfigError
from headcast.track.regions import Regions
from headcast.track.stages import UNKNOWNS, Stage, check_order, planned, usual_stages

_MOST_LEVELS = 3
"""Of the pictures, see `headcast.track.frame.ROBUST`."""


@dataclass(frozen=True)
class Sigmas:
    """Standard deviations: how far each quantity is expected to stray. Smaller means trusted more."""

    landmark: float = 0.016
    """Detected landmarks on the lips, as a fraction of the distance between the outer eye corners; eyelids are seen better, the rest worse."""
    relative: float = 0.012
    """Opening of lips and eyelids, and irises between the corners of the eyes, same unit."""
    color: float = 0.035
    """Picture against model, gamma space 0–1."""
    log_gain: float = 0.2
    """Natural logarithm of a view's gain per channel of linear light, where gains are solved."""
    depth: float = 0.002
    """Measured depth, metres."""
    offset: float = 0.002
    """Offset of a person's skin from the identity, metres."""
    dynamic_offset: float = 0.006
    """What the skin adds to that in a frame, metres."""
    expression: float = 0.6
    """Expression coefficients of models without bounds are taken as unit variance times this; ARKit ones as a width around zero."""
    activation: float = 0.35
    """Mean activation of an expression that cannot be negative: smaller makes fewer expressions active."""
    neck_deg: float = 6.0
    """Neck against torso."""
    jaw_deg: float = 8.0
    """Jaw of models whose expressions do not turn it."""
    eye_deg: float = 15.0
    """Eyes of models whose expressions do not turn them."""
    driven_joint_deg: float = 1.5
    """Joints that expressions already turn."""
    log_focal: float = 0.2
    """Natural logarithm of the focal length around its guess, where nothing better is known."""
    log_focal_hint: float = 0.05
    """The same where the recording's tags state a focal length."""
    log_size: float = 0.01
    """Natural logarithm of the head's size: one camera cannot see it, so this holds it at the mean person's."""
    log_size_measured: float = 0.05
    """The same where cameras at known places see it."""
    landmark_offset: float = 0.0025
    """Offset of a person's landmarks from the model's, metres."""


@dataclass(frozen=True)
class Motion:
    """How fast things are expected to change, per square root of a second: the temporal terms."""

    rotation_deg: float = 40.0
    translation: float = 0.08
    """Metres."""
    neck_deg: float = 20.0
    jaw_deg: float = 60.0
    eye_deg: float = 400.0
    expression: float = 2.5
    """Coefficients; eyelids move fastest and set the pace."""
    offset: float = 0.02
    """Metres, of skin that moves by itself."""


@dataclass(frozen=True)
class TrackConfig:
    """How to track a clip."""

    mode: Literal["fast", "full"] = "full"
    """fast: person from keyframes, then one pass over the frames. full: then refine person and every frame together."""
    stages: tuple[str, ...] | None = None
    """Stages in order, out of landmarks, rigid, all, texture, offsets, sequential, global, dynamic; with how often each goes round, as in all:4,
    where not as usual. Left away, those of the mode. With --resume the list may go on behind that of the run."""
    hold: tuple[str, ...] = ()
    """What stays as given, or where it starts, out of identity, focal_px, cameras (their poses), light, texture, landmark_offsets, rotation,
    translation, neck, jaw, eyes, expression."""
    focal_px: float | None = None
    """Focal length in pixels of the source where it is known; solved otherwise."""
    given: Path | None = None
    """An npz with values to keep as they are: any of identity, focal_px, center_px, light, albedo (with certainty), landmark_offsets."""
    side_px: int = 256
    """Longest side of the working picture of the head."""
    texture_px: int = 512
    """Side of the albedo texture."""
    keyframes: int = 20
    """How many frames the person is solved from; fewer where the clip shows little."""
    rounds: int = 8
    """Steps per level of the pictures in which the person is solved, each with texture and light painted anew; a third as many in fast mode.
    After all frames are known, full mode takes one and a half times as many on the finest level."""
    offsets: Literal["auto", "on", "off"] = "auto"
    """Solve what the skin adds to the identity, vertex by vertex; auto: where several cameras or measured depth can see it. Full mode only."""
    dynamic_offsets: Literal["auto", "on", "off"] = "off"
    """Also solve what the skin adds in each frame, beyond shapes and expressions; auto: where several cameras or measured depth can see it.
    Full mode only, where no stages are named; otherwise the stage `dynamic` says so."""
    occlusions: Literal["off", "report", "leave-out"] = "report"
    """What covers the face (hands, microphones, hair): not looked for; named in the report; or also left out of shape, pose and texture once the
    frames were followed. A run that is resumed looks for it anew."""
    gains: Literal["auto", "on", "off"] = "auto"
    """Solve a gain per view and colour channel, for what exposure and white balance change from camera to camera and from frame to frame; auto: where
    there are several cameras, or one that moves on a known path."""
    light: Literal["auto", "room", "camera"] = "auto"
    """What the light stays with where a camera moves on a known path: the room, or the camera, as that of a lamp on it does; auto: whichever explains
    the pictures better."""
    photometric: bool = True
    """Compare colours; without it only landmarks are used."""
    temporal: bool = True
    """Use the temporal terms of `motion`."""
    landmark_share: float = 0.3
    """Share of the landmarks' evidence that counts beside colours: detectors err alike in many points and many frames."""
    color_information: float = 0.2
    """Share of a pixel's colour evidence that counts in a working picture of 256 px: neighbouring pixels err alike. In smaller pictures it is less by
    the share of the area, because compression and dithering spoil as many pixels of a small face as of a large one. Once the person is found, it
    goes up or down with how alike neighbours really err."""
    depth_share: float = 0.3
    """Share of the evidence of measured depth that counts: neighbouring points err alike."""
    regions: Regions = field(default_factory=Regions)
    sigmas: Sigmas = field(default_factory=Sigmas)
    motion: Motion = field(default_factory=Motion)

    def __post_init__(self) -> None:
        if self.side_px < 64 or self.side_px % 4:
            raise ConfigError(f"side_px must be a multiple of 4 and at least 64, found {self.side_px}")
        if self.focal_px is not None and not self.focal_px > 0:
            raise ConfigError(f"focal_px must be positive, found {self.focal_px}")
        if self.keyframes < 1:
            raise ConfigError(f"keyframes must be at least 1, found {self.keyframes}")
        if self.dynamic_offsets == "on" and self.stages is None and (self.mode == "fast" or not self.photometric):
            raise ConfigError(f"--dynamic-offsets on needs --mode full and colours, found mode {self.mode!r} and photometric {self.photometric}")
        strange = [name for name in self.hold if name not in UNKNOWNS]
        if strange:
            raise ConfigError(f"expected what to hold out of {', '.join(UNKNOWNS)}, found {strange[0]!r}")
        stages = self.stage_list(sees_height=True)
        check_order(stages, self.photometric, painted=self.given is not None)
        if self.offsets == "off" and any(stage.name == "offsets" for stage in stages):
            raise ConfigError("expected stage 'offsets' or --offsets off, found both")

    def stage_list(self, sees_height: bool) -> tuple[Stage, ...]:
        """The stages of a track; `sees_height` says whether several cameras or measured depth can see how far skin stands out."""
        offsets = self.offsets == "on" or (self.offsets == "auto" and sees_height)
        rounds = self.rounds if self.mode == "full" else -(-self.rounds // 3)
        moving = self.dynamic_offsets == "on" or (self.dynamic_offsets == "auto" and sees_height)
        asked = usual_stages(self.mode, self.photometric, offsets, moving) if self.stages is None else self.stages
        return planned(asked, rounds, _MOST_LEVELS)
