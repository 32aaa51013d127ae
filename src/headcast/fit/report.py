"""`report.json` and `report.html` of a fit: how near the head lies, in what unit the scan was, and what a person should look at."""

import base64
from collections.abc import Mapping, Sequence
from html import escape
from io import BytesIO
from typing import Any

from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image

from headcast.fit.measure import Distances, FitErrors
from headcast.track.report_page import STYLE


def page(values: Mapping[str, Any], errors: FitErrors, picture: bytes, notes: Sequence[str]) -> str:
    """One HTML page that needs no other file and no network. `values` is what report.json holds, `picture` a PNG file."""
    face, back = errors.scan_to_head["face"], errors.head_to_scan["face"]
    cards = [
        (_millimetres(face, "mean_mm"), "mean distance of the scan's face from the head"),
        (_millimetres(back, "mean_mm"), "mean distance of the head's face from the scan"),
        (_millimetres(face, "p95_mm"), "95 % of the scan's face are nearer"),
        (_millimetres(errors.landmarks, "median_mm"), "median distance of the landmarks"),
        (escape(values["unit"]), "unit of the scan"),
        (f"{values['total_seconds']:.1f} s", "wall time"),
    ]
    body = [
        f"<h1>{escape(values['source'])}</h1>",
        f'<div class="soft">static head, {escape(values["what"])}, head model {escape(values["model"])}</div>',
        '<div class="cards">' + "".join(f'<div class="card"><b>{a}</b><span>{escape(b)}</span></div>' for a, b in cards) + "</div>",
        "<h2>Worth a look</h2>",
        '<ul class="warnings">' + "".join(f"<li>{escape(note)}</li>" for note in notes) + "</ul>" if notes else '<p class="none">Nothing.</p>',
        "<h2>Scan and head</h2>",
        f'<figure><img alt="scan, head and distances from three sides" src="data:image/png;base64,{base64.b64encode(picture).decode()}"></figure>',
        "<h2>Distances, mm</h2>",
        _table(errors),
        f"<footer>Headcast {escape(values['headcast'])}</footer>",
    ]
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(values["source"])}</title>'
    return f'<!doctype html><html lang="en"><head>{head}<style>{STYLE}</style></head><body>{"".join(body)}</body></html>\n'


def _table(errors: FitErrors) -> str:
    rows = ["<tr><th>region</th>" + "<th>mean</th><th>median</th><th>95 %</th><th>count</th>" * 2 + "</tr>"]
    for name in errors.scan_to_head:
        rows.append(f"<tr><td>{escape(name)}</td>{_cells(errors.scan_to_head[name])}{_cells(errors.head_to_scan[name])}</tr>")
    said = (
        "First four columns: from points of the scan to the head. Last four: from the head's vertices to the scan. Farther than 15 mm is not counted."
    )
    return f'<table>{"".join(rows)}</table><p class="soft">{said}</p>'


def _cells(found: Distances | None) -> str:
    if found is None:
        return '<td class="soft">not shown</td><td></td><td></td><td></td>'
    return f"<td>{found.mean_mm:.2f}</td><td>{found.median_mm:.2f}</td><td>{found.p95_mm:.2f}</td><td>{found.count}</td>"


def _millimetres(found: Distances | None, field: str) -> str:
    return "–" if found is None else f"{getattr(found, field):.2f} mm"


def png_bytes(picture: UInt8[ndarray, "height width 3"]) -> bytes:
    """A PNG file."""
    stream = BytesIO()
    Image.fromarray(picture).save(stream, "PNG")
    return stream.getvalue()
