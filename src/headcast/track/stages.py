"""Stages of a track as data: which there are, what each may change, how often it goes round, and in which order they make sense."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from headcast.errors import ConfigError

StageName = Literal["landmarks", "rigid", "all", "texture", "offsets", "sequential", "global", "dynamic"]
STAGES: tuple[StageName, ...] = get_args(StageName)
UNKNOWNS = (
    "identity", "focal_px", "cameras", "light", "texture", "landmark_offsets", "rotation", "translation", "neck", "jaw", "eyes", "expression",
)  # fmt: skip
"""What may be held. `cameras` are the poses of a rig's cameras, where these are solved."""
POSE = frozenset({"rotation", "translation"})
OF_FRAMES = POSE | {"neck", "jaw", "eyes", "expression"}
"""Unknowns that every frame has for itself."""
_CAMERAS = frozenset({"focal_px", "cameras"})
_LOOKS = frozenset({"light", "texture"})
_FREE: dict[StageName, frozenset[str]] = {
    "landmarks": OF_FRAMES | _CAMERAS | {"identity"},
    "rigid": POSE | _CAMERAS,
    "all": OF_FRAMES | _CAMERAS | _LOOKS | {"identity", "landmark_offsets"},
    "texture": _LOOKS,
    "offsets": _LOOKS | {"offsets"},
    "sequential": OF_FRAMES,
    # The light stays what the keyframes say: frames from all over the clip show less turning, and light that turning does not show runs off.
    "global": OF_FRAMES | {"texture"},
    "dynamic": OF_FRAMES | {"texture"},
}
EVERYTHING = frozenset().union(*_FREE.values())
"""That any stage may change."""
_TIMES: dict[StageName, int] = {"landmarks": 15, "rigid": 15, "texture": 2, "offsets": 4, "sequential": 1, "global": 2, "dynamic": 2}
"""How often each goes round where nobody says; `all` goes by the settings' rounds."""
_FROM_NOTHING = ("landmarks", "rigid")
_BY_COLOURS = ("all", "texture", "dynamic")
_PAINTERS = ("all", "texture", "offsets")


@dataclass(frozen=True)
class Stage:
    """One stage of a track."""

    name: StageName
    times: int
    """Steps of landmarks and rigid, rounds of all (on each level of the pictures) and offsets, paintings of texture, epochs of global and dynamic."""
    levels: int
    """Of the pictures, that `all` goes through, the coarsest first; 1 is the finest alone."""
    label: str
    """The name, with a number where the list has the stage more than once."""

    @property
    def free(self) -> frozenset[str]:
        """Unknowns that it may change."""
        return _FREE[self.name]

    @property
    def parts(self) -> tuple[str, ...]:
        """What the log calls its parts: the epochs of global, otherwise the stage itself."""
        return tuple(f"{self.label} epoch {epoch}" for epoch in range(1, self.times + 1)) if self.name == "global" else (self.label,)

    @property
    def spec(self) -> str:
        """As the command line takes it."""
        return f"{self.name}:{self.times}"


def usual_stages(mode: str, photometric: bool, offsets: bool, dynamic: bool = False) -> tuple[str, ...]:
    """The list of a mode."""
    if not photometric:
        return ("landmarks", "sequential")
    if mode == "fast":
        return ("landmarks", "all", "sequential")
    return ("landmarks", "all", "sequential", "all", *(("offsets",) if offsets else ()), "global", *(("dynamic",) if dynamic else ()))


def planned(specs: Sequence[str], rounds: int, most_levels: int) -> tuple[Stage, ...]:
    """The stages of a list such as `landmarks all:4 sequential`.

    The first `all` goes through all levels of the pictures, later ones through the finest alone, one and a half times as often.

    Raises:
        ConfigError: a name or number that cannot be meant.
    """
    stages: list[Stage] = []
    for spec in specs:
        name, times = _read(spec)
        earlier = sum(stage.name == name for stage in stages)
        usual = (rounds * 3 // 2 if earlier else rounds) if name == "all" else _TIMES[name]
        label = f"{name} {earlier + 1}" if earlier else name
        stages.append(Stage(name, usual if times is None else times, 1 if earlier else most_levels, label))
    return tuple(stages)


def _read(spec: str) -> tuple[StageName, int | None]:
    name, colon, times = spec.partition(":")
    if name not in STAGES:
        raise ConfigError(f"expected stages out of {', '.join(STAGES)}, found {spec!r}")
    if not colon:
        return name, None
    if not times.isdecimal() or int(times) < 1:
        raise ConfigError(f"expected a whole number from 1 on after '{name}:', found {spec!r}")
    if name == "sequential" and int(times) > 1:
        raise ConfigError(f"expected 'sequential', which follows the frames once, found {spec!r}")
    return name, int(times)


def check_order(stages: Sequence[Stage], photometric: bool, painted: bool) -> None:
    """Raises `ConfigError` where a stage lacks what only an earlier one could give; `painted` says whether a texture is given beforehand."""
    if not stages:
        raise ConfigError(f"expected at least one stage out of {', '.join(STAGES)}, found none")
    given = " ".join(stage.name for stage in stages)
    before: set[str] = set()
    for stage in stages:
        if not before and stage.name not in _FROM_NOTHING:
            raise ConfigError(f"stage {stage.name!r} needs poses to start from: put 'landmarks' or 'rigid' before it, found {given!r}")
        if stage.name in _BY_COLOURS and not photometric:
            raise ConfigError(f"stage {stage.name!r} compares colours, and --no-photometric leaves them out: take one of them away, found {given!r}")
        if stage.name in ("global", "dynamic") and "sequential" not in before:
            raise ConfigError(f"stage {stage.name!r} refines all frames together: put 'sequential' before it, found {given!r}")
        if stage.name == "global" and photometric and not painted and before.isdisjoint(_PAINTERS):
            raise ConfigError(
                f"stage 'global' compares colours with a texture that nothing has painted: put 'all' or 'texture' before it, "
                f"or leave colours out with --no-photometric, found {given!r}"
            )
        before.add(stage.name)


def check_continued(begun: Sequence[str], asked: Sequence[str]) -> None:
    """Raises `ConfigError` unless the list that is asked for begins with the stages that a run has begun."""
    if tuple(asked[: len(begun)]) != tuple(begun):
        raise ConfigError(
            f"expected stages that go on from those of the run, {' '.join(begun)!r}, found {' '.join(asked)!r}. "
            "Put more behind the run's own, or use --overwrite or another folder"
        )
