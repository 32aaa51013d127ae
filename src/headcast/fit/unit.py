"""The unit of a file: scans are written in metres, millimetres or nothing in particular, and a head says which."""

from dataclasses import dataclass

UNITS = {"metres": 1.0, "decimetres": 0.1, "centimetres": 0.01, "millimetres": 0.001, "inches": 0.0254}
_HEADS_DIFFER = 1.2
"""Heads, and the landmarks on them, differ in size by less than this factor."""


@dataclass(frozen=True)
class Unit:
    """Of a scan."""

    name: str
    metres: float
    """Metres per unit."""
    known: bool
    """One of the usual units, or the user's; otherwise the head was made as large as the mean one."""

    @property
    def words(self) -> str:
        return self.name if self.known else f"no usual unit: 1 unit is {self.metres:.4g} m if the head is of mean size"


def unit_of(metres: float, given: float | None = None) -> Unit:
    """The unit in which a head has a usual size.

    Args:
        metres: metres per unit if the head were of mean size.
        given: metres per unit as the user says; always believed.
    """
    if given is not None:
        name = next((name for name, size in UNITS.items() if size == given), f"{given:g} m")
        return Unit(name, given, True)
    near = [name for name, size in UNITS.items() if 1 / _HEADS_DIFFER < metres / size < _HEADS_DIFFER]
    if near:
        return Unit(near[0], UNITS[near[0]], True)
    return Unit("unknown", metres, False)
