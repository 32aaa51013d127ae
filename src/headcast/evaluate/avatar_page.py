"""The comparison of avatars with a recording as one HTML page that needs no network; the video beside it is linked."""

from collections.abc import Mapping, Sequence
from html import escape

from jaxtyping import UInt8
from numpy import ndarray

from headcast.evaluate.avatars import REGIONS, AvatarEvaluation
from headcast.track.report_page import STYLE, picture_element

_PROTOCOLS = {
    "reconstruction": ("Frames that trained", "How well the avatar remembers what it was built from."),
    "drive": ("Held out", "Frames that the avatar never saw, in the poses of the track. This is the number to compare."),
    "refit": ("Held out, pose found anew", "The same frames, with the pose of each changed until the picture fits best. Not a measure of driving."),
}
_REGIONS = {"head": "head on white", "shoulders": "person on white", "inside": "inside the head only"}
_MEASURES = {
    "psnr_db": ("PSNR, dB", "{:.2f}"), "l1": ("L1", "{:.4f}"), "l2": ("L2", "{:.5f}"), "ssim": ("SSIM", "{:.4f}"), "ms_ssim": ("MS-SSIM", "{:.4f}"),
    "lpips": ("LPIPS", "{:.4f}"), "identity": ("identity", "{:.3f}"), "landmarks_px": ("landmarks, px", "{:.2f}"), "flicker": ("flicker", "{:.4f}"),
}  # fmt: skip


def evaluation_page(
    title: str,
    evaluation: AvatarEvaluation,
    shown: Sequence[tuple[str, UInt8[ndarray, "height row_width 3"]]],
    views: UInt8[ndarray, "strip_height strip_width 3"],
    video: str,
) -> str:
    """The whole document.

    Args:
        shown: captions and pictures of frames side by side.
        views: the strip of views that nobody recorded.
        video: name of the video beside the page.
    """
    names = list(evaluation.means)
    panels = "recorded; then for each of " + ", ".join(names) + ": shown, and the error (brightest where channels differ by a quarter or more)"
    body = [
        f"<h1>{escape(title)}</h1>",
        '<div class="soft">Means over frames; colours 0–1. The recorded picture shows head, hair and neck on white, clothes and background removed '
        "by the run's labels.</div>",
        *[_protocol(protocol, evaluation) for protocol in evaluation.frames],
        "<h2>Held-out frames</h2>",
        f'<div class="soft">From left to right: {escape(panels)}.</div>',
        *[picture_element(caption, picture) for caption, picture in shown],
        f'<video controls muted loop preload="metadata" src="{escape(video)}"></video>',
        "<h2>Views that were not recorded</h2>",
        picture_element("above: yaw −75° to 75°; below: pitch −30° to 30°", views),
        "<footer>" + "; ".join(f"{escape(name)}: {value:.1f} ms a frame" for name, value in evaluation.milliseconds.items()) + "</footer>",
    ]
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>\n" + "\n".join(body) + "\n</body></html>\n"
    )


def _protocol(protocol: str, evaluation: AvatarEvaluation) -> str:
    heading, meaning = _PROTOCOLS[protocol]
    count = len(evaluation.frames[protocol])
    means = {name: of[protocol] for name, of in evaluation.means.items()}
    return f'<h2>{heading}</h2><div class="soft">{count} frames. {meaning}</div>' + _table(means)


def _table(means: Mapping[str, Mapping[str, Mapping[str, float | None]]]) -> str:
    measures = [name for name in _MEASURES if any(of.get("head", {}).get(name) is not None for of in means.values())]
    head = "<tr><th>avatar</th><th>region</th>" + "".join(f"<th>{_MEASURES[name][0]}</th>" for name in measures) + "</tr>"
    rows = [_row(name, region, of[region], measures) for name, of in means.items() for region in REGIONS if region in of]
    return f"<table>{head}{''.join(rows)}</table>"


def _row(name: str, region: str, found: Mapping[str, float | None], measures: Sequence[str]) -> str:
    cells = "".join(f"<td>{_cell(found.get(measure), measure)}</td>" for measure in measures)
    return f"<tr><td>{escape(name)}</td><td>{_REGIONS[region]}</td>{cells}</tr>"


def _cell(value: float | None, measure: str) -> str:
    return "" if value is None else _MEASURES[measure][1].format(value)
