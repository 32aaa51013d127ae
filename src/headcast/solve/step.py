"""What a loop says while it works: one value per unit of progress, for whoever listens."""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

Result = TypeVar("Result")


@dataclass(frozen=True)
class Step:
    """One unit of progress. Progress bar, event log and curves are readers of a stream of these; a loop imports none of them."""

    stage: str
    """Name of the part of the work, such as "perceive" or "photometric"; the same for all its steps."""
    done: int
    """Units finished in this stage."""
    total: int
    """Units in this stage; 0 where it cannot be known."""
    terms: Mapping[str, float] = field(default_factory=dict)
    """Numbers worth a curve: error terms, damping, seconds."""
    frame_idx: int | None = None
    """The frame that was worked on, where it was one."""
    message: str = ""
    """A sentence for a person, shown once; empty for most steps."""
    checkpoint: object = None
    """What the work could go on from after this step, for a reader that keeps it; None for most steps."""


def follow(steps: Generator[Step, None, Result], *readers: Callable[[Step], None]) -> Result:
    """Runs a loop to its end, shows every step to every reader, and returns the loop's result."""
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            return end.value
        for reader in readers:
            reader(step)
