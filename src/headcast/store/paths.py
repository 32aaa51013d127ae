"""Every file name that Headcast writes."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ParsingPaths:
    """Files of what each pixel shows: labels, their confidence, normals."""

    root: Path

    @property
    def about(self) -> Path:
        return self.root / "about.json"

    def labels(self, frame_idx: int) -> Path:
        return self.root / "labels" / f"{frame_idx:06d}.png"

    def confidence(self, frame_idx: int) -> Path:
        return self.root / "confidence" / f"{frame_idx:06d}.png"

    def normals(self, frame_idx: int) -> Path:
        return self.root / "normals" / f"{frame_idx:06d}.png"

    @property
    def preview(self) -> Path:
        return self.root / "preview.mp4"


@dataclass(frozen=True)
class CapturePaths:
    """Files of a Capture folder: what was recorded and what was perceived in it."""

    root: Path

    @property
    def about(self) -> Path:
        return self.root / "about.json"

    @property
    def landmarks(self) -> Path:
        return self.root / "landmarks.npz"

    @property
    def mattes(self) -> Path:
        return self.root / "mattes"

    def matte(self, frame_idx: int) -> Path:
        return self.mattes / f"{frame_idx:06d}.png"

    @property
    def parsing(self) -> ParsingPaths:
        return ParsingPaths(self.root / "parsing")

    def pictures(self, factor: int) -> Path:
        """Pictures of the frames, made smaller by a factor."""
        return self.root / ("images" if factor == 1 else f"images_{factor}")

    def picture(self, factor: int, frame_idx: int) -> Path:
        return self.pictures(factor) / f"{frame_idx:06d}.png"

    @property
    def preview(self) -> Path:
        """Video of landmarks and mattes."""
        return self.root / "preview.mp4"

    @property
    def parts(self) -> Path:
        """Pieces of an unfinished preparation."""
        return self.root / "parts"

    @property
    def unfinished(self) -> Path:
        """What is being prepared; gone when it is done."""
        return self.parts / "about.json"

    def part(self, start: int, stop: int) -> Path:
        """Frames `start` to `stop` (exclusive) and the state after them."""
        return self.parts / f"frames_{start:06d}_{stop:06d}.npz"


@dataclass(frozen=True)
class RunPaths:
    """Files of a tracking run."""

    root: Path

    @property
    def about(self) -> Path:
        return self.root / "about.json"

    @property
    def config(self) -> Path:
        return self.root / "config.json"

    @property
    def capture(self) -> CapturePaths:
        return CapturePaths(self.root / "capture")

    @property
    def cameras(self) -> Path:
        """The camera file of a recording of several cameras, or of known ones."""
        return self.root / "cameras.json"

    @property
    def camera_captures(self) -> Path:
        return self.root / "captures"

    def camera_capture(self, name: str) -> CapturePaths:
        """What one of these cameras recorded."""
        return CapturePaths(self.camera_captures / name)

    @property
    def overlays(self) -> Path:
        return self.root / "overlays"

    def camera_overlay(self, name: str) -> Path:
        """The overlay of any camera but the first."""
        return self.overlays / f"{name}.mp4"

    @property
    def parsing(self) -> ParsingPaths:
        return ParsingPaths(self.root / "parsing")

    @property
    def track(self) -> Path:
        return self.root / "track.npz"

    @property
    def albedo(self) -> Path:
        """Linear albedo in the model's UV atlas, as arrays."""
        return self.root / "albedo.npz"

    @property
    def albedo_picture(self) -> Path:
        return self.root / "albedo.png"

    @property
    def checkpoint(self) -> Path:
        return self.root / "checkpoint.npz"

    @property
    def steps(self) -> Path:
        return self.root / "steps.jsonl"

    @property
    def overlay(self) -> Path:
        return self.root / "overlay.mp4"

    @property
    def report_json(self) -> Path:
        return self.root / "report.json"

    @property
    def report_html(self) -> Path:
        return self.root / "report.html"

    @property
    def tensorboard(self) -> Path:
        return self.root / "tensorboard"

    @property
    def exports(self) -> Path:
        return self.root / "exports"

    @property
    def evaluation(self) -> Path:
        """How the run compares with the truth."""
        return self.root / "evaluation.json"


@dataclass(frozen=True)
class FitPaths(RunPaths):
    """Files of a static head's fit: those of a run of one frame, and what only a fit has."""

    @property
    def parameters(self) -> Path:
        """The head and where it lies in the scan, as arrays."""
        return self.root / "fit.npz"

    @property
    def registered(self) -> Path:
        """The head in the scan's own space and unit."""
        return self.root / "registered.obj"

    @property
    def material(self) -> Path:
        return self.root / "head.mtl"

    @property
    def registered_ply(self) -> Path:
        return self.root / "registered.ply"

    @property
    def flame_parameters(self) -> Path:
        """FLAME's numbers as flame_fitting writes them; only of FLAME models."""
        return self.root / "tracked_flame_params_0.npz"

    @property
    def heat_map(self) -> Path:
        return self.root / "heat_map.png"


@dataclass(frozen=True)
class AvatarPaths:
    """Files of an avatar."""

    root: Path

    @property
    def about(self) -> Path:
        return self.root / "about.json"

    @property
    def config(self) -> Path:
        return self.root / "config.json"

    @property
    def split(self) -> Path:
        """Which frames trained, and which were held out."""
        return self.root / "split.json"

    @property
    def arrays(self) -> Path:
        """Everything that is needed to show it, beside its head model."""
        return self.root / "avatar.npz"

    @property
    def rest(self) -> Path:
        """How the recorded head rests, and the camera that saw it."""
        return self.root / "rest.npz"

    @property
    def run(self) -> Path:
        """The track of a recording that the avatar was built from without one."""
        return self.root / "run"

    @property
    def exports(self) -> Path:
        """What `headcast export` writes where no other place is named."""
        return self.root / "exports"

    @property
    def steps(self) -> Path:
        return self.root / "steps.jsonl"

    @property
    def evaluation(self) -> "AvatarEvaluationPaths":
        return AvatarEvaluationPaths(self.root / "evaluation")


@dataclass(frozen=True)
class AvatarEvaluationPaths:
    """Files of an avatar's comparison with a recording."""

    root: Path

    @property
    def values(self) -> Path:
        return self.root / "evaluation.json"

    @property
    def page(self) -> Path:
        return self.root / "evaluation.html"

    @property
    def comparison(self) -> Path:
        """Video: recorded, avatar, error."""
        return self.root / "comparison.mp4"

    @property
    def novel_views(self) -> Path:
        return self.root / "novel_views.png"


@dataclass(frozen=True)
class SyntheticPaths:
    """Files of a rendered clip whose every parameter is known."""

    root: Path

    @property
    def about(self) -> Path:
        return self.root / "about.json"

    @property
    def video(self) -> Path:
        return self.root / "video.mp4"

    def camera_video(self, camera_idx: int) -> Path:
        """What one of several cameras recorded."""
        return self.root / f"video_{camera_idx:02d}.mp4" if camera_idx else self.video

    @property
    def cameras(self) -> Path:
        """Where several cameras stand."""
        return self.root / "cameras.json"

    @property
    def pictures(self) -> Path:
        return self.root / "frames"

    def picture(self, frame_idx: int) -> Path:
        return self.pictures / f"{frame_idx:06d}.png"

    @property
    def truth(self) -> Path:
        return self.root / "truth.npz"

    @property
    def albedo_picture(self) -> Path:
        return self.root / "albedo.png"
