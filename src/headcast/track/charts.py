"""Curves over the frames of a clip as inline SVG: no script, no other file."""

from collections.abc import Mapping
from html import escape

import numpy as np
from jaxtyping import Bool, Float, Shaped
from numpy import ndarray

_WIDTH, _HEIGHT = 920, 150
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 8, 10, 22
_COLORS = ("#2f6fdf", "#d9822b", "#2a9d6f", "#b5476a", "#7a5cc7", "#8a8f98", "#3aa7b8", "#a08428")
_MOST_POINTS = 900


def line_chart(
    title: str,
    unit: str,
    series: Mapping[str, Float[ndarray, "frames"]],
    shown: Bool[ndarray, "frames"],
    cuts: Bool[ndarray, "frames"],
    flagged: Bool[ndarray, "frames"] | None = None,
    least: float = 0.0,
) -> str:
    """A figure with one line per series; gaps where `shown` is false, marks at cuts and under flagged frames.

    The vertical axis spans at least `least`, so that a steady curve looks steady.
    """
    values = [v[shown] for v in series.values()]
    together = np.concatenate(values) if values else np.zeros(0)
    together = together[np.isfinite(together)]
    low, high = (float(together.min()), float(together.max())) if len(together) else (0.0, 1.0)
    pad = max((high - low) * 0.08, (least - (high - low)) / 2, 1e-3 * max(abs(high), 1e-3))
    low, high = low - pad, high + pad
    parts = [_grid(low, high, len(shown))]
    parts += [
        f'<line class="cut" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{_HEIGHT - _BOTTOM}"/>' for x in _across(np.flatnonzero(cuts), len(shown))
    ]
    if flagged is not None:
        parts += [f'<circle class="flag" cx="{x:.1f}" cy="{_HEIGHT - _BOTTOM}" r="2.5"/>' for x in _across(np.flatnonzero(flagged), len(shown))]
    for k, value in enumerate(series.values()):
        color = _COLORS[k % len(_COLORS)]
        parts.append(f'<path d="{_path(value, shown, low, high)}" fill="none" stroke="{color}" stroke-width="1.4" stroke-linejoin="round"/>')
    legend = "" if len(series) < 2 else "".join(_key(name, _COLORS[k % len(_COLORS)]) for k, name in enumerate(series))
    return (
        f'<figure><figcaption><b>{escape(title)}</b> <span class="unit">{escape(unit)}</span>{legend}</figcaption>'
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)} over frames">{"".join(parts)}</svg></figure>'
    )


def _key(name: str, color: str) -> str:
    return f' <span class="key"><i style="background:{color}"></i>{escape(name)}</span>'


def _across(frames: Shaped[ndarray, "n"], count: int) -> Float[ndarray, "n"]:
    return _LEFT + np.asarray(frames, float) / max(count - 1, 1) * (_WIDTH - _LEFT - _RIGHT)


def _up(values: Float[ndarray, "n"], low: float, high: float) -> Float[ndarray, "n"]:
    return _HEIGHT - _BOTTOM - (values - low) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)


def _path(values: Float[ndarray, "frames"], shown: Bool[ndarray, "frames"], low: float, high: float) -> str:
    """SVG path commands. Of long clips, the extremes of each small run of frames are kept, so that no spike is lost."""
    frames = np.flatnonzero(shown & np.isfinite(values))
    if len(frames) > _MOST_POINTS:
        runs = np.array_split(frames, _MOST_POINTS // 2)
        frames = np.unique([pick for run in runs for pick in (run[values[run].argmin()], run[values[run].argmax()])])
    if not len(frames):
        return ""
    starts = np.ones(len(frames), bool)
    whole = np.concatenate([[0], np.cumsum(~shown)])
    starts[1:] = whole[frames[1:]] != whole[frames[:-1]]
    x, y = _across(frames, len(shown)), _up(values[frames], low, high)
    commands = [f"{'M' if start else 'L'}{a:.1f} {b:.1f}" for start, a, b in zip(starts, x, y, strict=True)]
    alone = starts & np.append(starts[1:], True)
    return " ".join(f"{command}h1" if single else command for command, single in zip(commands, alone, strict=True))


def _grid(low: float, high: float, count: int) -> str:
    """Round numbers on both axes."""
    lines = []
    for value in _round_numbers(low, high, 4):
        y = float(_up(np.array([value]), low, high)[0])
        lines.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        lines.append(f'<text class="tick" x="{_LEFT - 6}" y="{y + 3.5:.1f}" text-anchor="end">{value:g}</text>')
    for frame in _round_numbers(0.0, float(max(count - 1, 1)), 9):
        if frame == int(frame):
            x = float(_across(np.array([frame]), count)[0])
            lines.append(f'<text class="tick" x="{x:.1f}" y="{_HEIGHT - 6}" text-anchor="middle">{int(frame)}</text>')
    return "".join(lines)


def _round_numbers(low: float, high: float, about: int) -> list[float]:
    raw = (high - low) / about
    power = 10.0 ** np.floor(np.log10(raw))
    step = power * next(factor for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw * 0.999)
    return [round(float(value), 10) + 0.0 for value in np.arange(np.ceil(low / step), np.floor(high / step + 1e-9) + 1) * step]
