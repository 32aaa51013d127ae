"""Frames named for a person: runs of neighbours as "3–7, 12"."""

from jaxtyping import Bool
from numpy import concatenate, diff, flatnonzero, int8, ndarray


def frame_spans(flags: Bool[ndarray, "frames"], most: int = 12) -> str:
    """The frames with a true flag, as runs; after `most` runs only how many more there are."""
    edges = flatnonzero(diff(concatenate([[0], flags.astype(int8), [0]])))
    runs = [f"{a}" if a == b - 1 else f"{a}–{b - 1}" for a, b in zip(edges[::2], edges[1::2], strict=True)]
    return ", ".join(runs[:most]) + (f" and {len(runs) - most} more" if len(runs) > most else "")
