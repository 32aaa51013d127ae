"""What a conversion says of itself: as JSON, and as a page that needs no network."""

from collections.abc import Sequence
from dataclasses import asdict
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from headcast.errors import ConfigError
from headcast.expressions.conversion import Conversion, ExpressionError
from headcast.store import write_json, write_text

_COLUMNS = ("expression", "mean, mm", "worst, mm", "motion, mm", "largest motion, mm", "gaze, °", "kept")
_STYLE = """
:root { color-scheme: light dark; } body { font: 15px/1.5 system-ui, sans-serif; max-width: 900px; margin: 32px auto; padding: 0 16px; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; width: 100%; }
th, td { text-align: right; padding: 3px 8px; border-bottom: 1px solid #8884; } th:first-child, td:first-child { text-align: left; }
tr.missing { color: #b4540a; }
"""


def report_values(conversion: Conversion) -> dict[str, Any]:
    """Everything measured, for `json.dumps`."""
    matched = conversion.transfer.correspondence
    return {
        "source": conversion.source.name,
        "target": conversion.target.name,
        "matched": matched.matched,
        "surfaces_apart_mm": 1e3 * matched.apart_m,
        "mean_mm": float(np.mean([error.mean_mm for error in conversion.errors])),
        "worst": conversion.worst.name,
        "missing": list(conversion.missing),
        "expressions": [asdict(error) for error in conversion.errors],
    }


def report_page(conversion: Conversion) -> str:
    """A table of all expressions, the worst first."""
    values = report_values(conversion)
    head = "".join(f"<th>{escape(name)}</th>" for name in _COLUMNS)
    rows = "".join(
        f"<tr{' class=missing' if error.missing else ''}>" + "".join(f"<td>{escape(cell)}</td>" for cell in report_row(error)) + "</tr>"
        for error in worst_first(conversion.errors)
    )
    title = f"{values['source']} → {values['target']}"
    matched, apart, mean = values["matched"], values["surfaces_apart_mm"], values["mean_mm"]
    said = (
        f"{matched:.0%} of the target's face has a counterpart on the source; the surfaces lie {apart:.2f} mm apart there (median). "
        f"Each expression alone, converted, is {mean:.2f} mm off on average; worst is {values['worst']}. "
        f"Missing in the target: {', '.join(values['missing']) or 'none'}."
    )
    return (
        f'<!doctype html><meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style><h1>{escape(title)}</h1>'
        f"<p>{escape(said)}</p><table><tr>{head}</tr>{rows}</table>\n"
    )


def report_row(error: ExpressionError) -> tuple[str, ...]:
    """Name and numbers of one expression as text, in the order of a report's columns."""
    lengths = (error.mean_mm, error.worst_mm, error.motion_mm, error.largest_motion_mm)
    return (
        error.name,
        *(f"{value:.2f}" for value in lengths),
        f"{error.gaze_deg:.1f}",
        f"{max(error.kept, 0.0):.0%}" if not error.missing else "missing",
    )


def worst_first(errors: Sequence[ExpressionError]) -> list[ExpressionError]:
    return sorted(errors, key=lambda error: -error.mean_mm)


def write_report(conversion: Conversion, path: Path) -> None:
    """Writes the report as the suffix says, .html or .json."""
    if path.suffix == ".json":
        write_json(path, report_values(conversion))
    elif path.suffix == ".html":
        write_text(path, report_page(conversion))
    else:
        raise ConfigError(f"expected a report's name to end in .html or .json, found {path.name!r}")
