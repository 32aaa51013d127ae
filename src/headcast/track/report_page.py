"""The report as one HTML page that needs no other file and no network; the overlay video beside it is linked where it exists."""

import base64
from collections.abc import Mapping
from html import escape
from io import BytesIO
from typing import Any

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image

from headcast.capture import Capture
from headcast.track.charts import line_chart
from headcast.track.statistics import Statistics, Summary, angles_deg
from headcast.track.track import Track

STYLE = """
:root { color-scheme: light dark; --ink: #1d2128; --soft: #616977; --line: #e1e4ea; --card: #f6f7f9; --page: #ffffff;
  --warn: #b4540a; --good: #1d7f4e; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8eaee; --soft: #9aa3b2; --line: #343a45; --card: #22262e; --page: #181b21; --warn: #f0a35e; --good: #63c995; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1000px; padding: 32px 20px 64px; font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page); }
h1 { font-size: 24px; margin: 0 0 2px; overflow-wrap: anywhere; } h2 { font-size: 17px; margin: 36px 0 10px; }
.soft, figcaption, .unit, small { color: var(--soft); } .verdict { font-size: 17px; margin: 14px 0 0; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(210px, 1fr)); gap: 10px; margin-top: 18px; }
.card { background: var(--card); border-radius: 8px; padding: 10px 12px; }
.card b { display: block; font-size: 21px; font-weight: 600; font-variant-numeric: tabular-nums; } .card span { color: var(--soft); font-size: 13px; }
ul.warnings { padding: 0; list-style: none; }
ul.warnings li { border-left: 3px solid var(--warn); padding: 4px 10px; margin: 6px 0; background: var(--card); }
.none { color: var(--good); }
figure { margin: 14px 0; } figure img, video { width: 100%; height: auto; border-radius: 6px; display: block; background: #181a1e; }
figure.panels figcaption { font-size: 13px; margin-top: 3px; }
svg { width: 100%; height: auto; display: block; } .grid { stroke: var(--line); } .cut { stroke: var(--soft); stroke-dasharray: 3 3; }
.tick { font: 10.5px system-ui, sans-serif; fill: var(--soft); } .flag { fill: var(--warn); }
.key { margin-left: 10px; font-size: 13px; color: var(--ink); white-space: nowrap; }
.key i { display: inline-block; width: 10px; height: 3px; margin-right: 4px; vertical-align: 4px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; } td, th { text-align: left; padding: 4px 8px 4px 0; }
td { border-top: 1px solid var(--line); } th { color: var(--soft); font-weight: normal; } td.bar { width: 45%; }
td.bar i { display: block; height: 9px; border-radius: 3px; background: #2f6fdf; }
footer { margin-top: 48px; color: var(--soft); font-size: 13px; }
"""
_MOST_EXPRESSIONS = 8


def page(
    track: Track,
    capture: Capture,
    found: Statistics,
    values: Mapping[str, Any],
    pictures: Mapping[int, tuple[str, UInt8[ndarray, "height width 3"]]],
    has_overlay: bool,
) -> str:
    """The whole document. `values` is what report.json holds; `pictures` are (reason, picture) by frame."""
    name = capture.source_path.name
    facts = f"{_count(track.frame_count, 'frame')}, {capture.size[1]}×{capture.size[0]}" + (f", {capture.fps:.4g} frames/s" if capture.fps else "")
    body = [
        f"<h1>{escape(name)}</h1>",
        f'<div class="soft">{facts} · head model: {escape(track.model_name)} · mode: {escape(str(values["mode"]))}</div>',
        f'<p class="verdict">{_verdict(track, found)}</p>',
        _cards(found, values),
        "<h2>Look at these</h2>",
        _warnings(found),
        "<h2>Pictures</h2>",
        '<div class="soft">From left to right: the recording; the fitted head over it, with the detected landmarks as green dots; '
        "its shape from −45°; and from +45° with the colours and the light that were found. The model is bald: hair is seen as colour only.</div>",
        *[_picture(frame, reason, picture) for frame, (reason, picture) in pictures.items()],
        '<video controls muted loop preload="metadata" src="overlay.mp4"></video>' if has_overlay and track.frame_count > 1 else "",
        *_over_time(track, capture, found),
        "<h2>Time</h2>",
        _seconds(values),
        _footer(values),
    ]
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(name)}: tracked head</title><style>{STYLE}</style></head><body>\n" + "\n".join(body) + "\n</body></html>\n"
    )


def _verdict(track: Track, found: Statistics) -> str:
    valid = int(track.valid.sum())
    shown = "shows the face and was tracked" if valid == 1 else "show the face and were tracked"
    share = f"{valid} of {_count(track.frame_count, 'frame')} {shown}"
    if found.landmark_error_percent is None:
        return f"{share}."
    away = f"{found.landmark_error_percent.median:.2g} % of the distance between the outer eye corners"
    return f"{share}. The head's landmarks lie {away} from where they were detected (mean over landmarks, median over frames)."


def _count(number: int, name: str) -> str:
    return f"{number} {name}" if number == 1 else f"{number} {name}s"


def _cards(found: Statistics, values: Mapping[str, Any]) -> str:
    fps = values["frames_per_second"]
    focal = f"±{found.focal_sigma_px:.0f} px, {found.focal_confidence}" if found.focal_sigma_px else found.focal_confidence
    cards = [
        (f"{values['valid_frames']}/{values['frames']}", "valid frames"),
        (_number(found.landmark_error_percent, "{:.2f} %"), "landmark error, share of the eye distance"),
        (_number(found.landmark_error_px, "{:.2f} px"), "landmark error"),
        (_number(found.psnr_db, "{:.1f} dB"), "rendered face against picture (PSNR)"),
        (_number(found.silhouette_iou, "{:.3f}"), "overlap of outlines (IoU); hair keeps it below 1"),
        (f"{found.focal_px:.0f} px", f"focal length, {focal}"),
        ("–" if fps is None else f"{fps:.1f}/s", "frames per second, everything included"),
        (f"{values['peak_memory_mb'] / 1024:.2f} GB", "peak memory"),
    ]
    return '<div class="cards">' + "".join(f'<div class="card"><b>{a}</b><span>{escape(b)}</span></div>' for a, b in cards) + "</div>"


def _number(summary: Summary | None, form: str) -> str:
    return "–" if summary is None else form.format(summary.median)


def _warnings(found: Statistics) -> str:
    if not found.warnings:
        return '<p class="none">Nothing stands out.</p>'
    return '<ul class="warnings">' + "".join(f"<li>{escape(warned.message)}</li>" for warned in found.warnings) + "</ul>"


def _picture(frame: int, reason: str, picture: UInt8[ndarray, "height width 3"]) -> str:
    return picture_element(f"Frame {frame}" + (f": {reason}" if reason else ""), picture, f"frame {frame}")


def picture_element(caption: str, picture: UInt8[ndarray, "height width 3"], name: str = "") -> str:
    """A figure that carries the picture in itself; `name` is read out in its place, the caption by default."""
    stream = BytesIO()
    Image.fromarray(picture).save(stream, "JPEG", quality=88)
    data = base64.b64encode(stream.getvalue()).decode()
    alt = escape(name or caption)
    return f'<figure class="panels"><img alt="{alt}" src="data:image/jpeg;base64,{data}"><figcaption>{escape(caption)}</figcaption></figure>'


def _over_time(track: Track, capture: Capture, found: Statistics) -> list[str]:
    """Curves and steadiness, which a single picture does not have."""
    if track.frame_count < 2:
        return []
    said = "Frames run from left to right; gaps have no face. Dots under the curves mark frames that a warning names, dashed lines mark cuts."
    return ["<h2>Frame by frame</h2>", f'<div class="soft">{said}</div>', *_charts(track, capture, found), "<h2>Steadiness</h2>", _jitter(found)]


def _charts(track: Track, capture: Capture, found: Statistics) -> list[str]:
    valid, cuts = track.valid.numpy(), np.asarray(capture.cuts, bool)
    flagged = np.zeros(track.frame_count, bool)
    for warned in found.warnings:
        flagged[list(warned.frames)] = True
    percent = 100 * track.landmark_error_px.numpy() / np.maximum(track.interocular_px.numpy(), 1e-6)
    psnr, iou = track.psnr_db.numpy(), track.silhouette_iou.numpy()
    angles = angles_deg(track)
    place = 100 * track.camera.camera_from_world.points(track.world_from_head.translation).numpy()
    place = place - place[valid].mean(0) if valid.any() else place
    charts = [
        line_chart("Landmark error", "% of the eye distance", {"error": percent}, valid, cuts, flagged, least=1.0),
        line_chart("Rendered face against picture", "PSNR, dB", {"PSNR": psnr}, valid & (psnr > 0), cuts, flagged, least=4.0),
        line_chart("Overlap of outlines", "IoU", {"IoU": iou}, valid & (iou > 0), cuts, flagged, least=0.1),
        line_chart("Head turn", "degrees", {"yaw": angles[:, 0], "pitch": angles[:, 1], "roll": angles[:, 2]}, valid, cuts, flagged, least=4.0),
        line_chart(
            "Head position about its mean", "cm", {"right": place[:, 0], "down": place[:, 1], "away": place[:, 2]}, valid, cuts, flagged, least=1.0
        ),
    ]
    joints = {name: np.degrees(track.joint_rotations[:, k].norm(dim=-1).numpy()) for k, name in enumerate(track.joint_names)}
    joints = {name.replace("_", " "): turn for name, turn in joints.items() if turn.any()}
    charts.append(line_chart("Joints", "degrees away from rest", joints, valid, cuts, flagged, least=4.0))
    expression = track.expression.numpy()
    liveliest = np.argsort(-expression[valid].std(0))[:_MOST_EXPRESSIONS] if valid.any() else []
    curves = {track.expression_names[k]: expression[:, k] for k in liveliest}
    charts.append(line_chart("Expressions that move most", "coefficient", curves, valid, cuts, flagged, least=0.5))
    return charts


def _jitter(found: Statistics) -> str:
    if not found.jitter:
        return '<p class="soft">The clip is too short to say.</p>'
    units = {"deg": "°", "mm": " mm"}
    moving = [(*name.rpartition("_")[::2], value) for name, value in found.jitter.items() if value > 0]
    rows = "".join(
        f"<tr><td>{escape((name or unit).replace('_', ' '))}</td><td>{value:.2g}{units.get(unit, '')}</td></tr>" for name, unit, value in moving
    )
    said = "How far a frame lies from the middle of its two neighbours, root mean square. True motion counts too; a jump between frames counts most."
    return f'<div class="soft">{said}</div><table><tr><th>channel</th><th>jitter</th></tr>{rows}</table>'


def _seconds(values: Mapping[str, Any]) -> str:
    longest = max(values["seconds"].values(), default=0.0) or 1.0
    rows = "".join(
        f'<tr><td>{escape(stage)}</td><td>{seconds:.1f} s</td><td class="bar"><i style="width:{100 * seconds / longest:.1f}%"></i></td></tr>'
        for stage, seconds in values["seconds"].items()
    )
    stages = f"Stages, and how often each went round: {' '.join(values['stages'])}"
    total = f"{values['total_seconds']:.1f} s in all on {values['cores']} cores. {escape(stages)}"
    return f'<div class="soft">{total}</div><table><tr><th>stage</th><th>time</th><th></th></tr>{rows}</table>'


def _footer(values: Mapping[str, Any]) -> str:
    return (
        f"<footer>Made by headcast {escape(str(values['headcast']))}. The same numbers for programs: report.json. "
        "What each of them means: docs/formats.md of Headcast.</footer>"
    )
