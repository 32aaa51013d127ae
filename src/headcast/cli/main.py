"""The `headcast` command: finds the verb, runs it, and shows what a person can act on as one short panel."""

import difflib
import errno
import importlib
import os
import sys
from collections.abc import Sequence

import headcast
from headcast.errors import ConfigError, HeadcastError

VERBS = {
    "track": "Track the head through a video: pose, expression, shape, looks and camera, with a report.",
    "fit": "Lay a head model onto a static head: scan, cloud, 3D Gaussians, posed pictures, depth map.",
    "prepare": "Detect landmarks and mattes in a recording and keep them in a folder.",
    "parse": "Label what each pixel of a finished run shows (skin, eyes, hair, cloth …) and which way its surface faces.",
    "cameras": "Show what is known of the cameras of a recording, and write it as a camera file.",
    "avatar": "Build a photoreal head that can be posed, from a finished run or a recording.",
    "animate": "Drive an avatar and write the video.",
    "export": "Write a finished run, or an avatar, in another format.",
    "combine": "Combine data sets of one person into one to train on.",
    "convert": "Turn the expressions of one head model into those of another.",
    "view": "Show a finished run in the browser.",
    "synth": "Render a video of a head whose every parameter is known.",
    "evaluate": "Compare a run with the truth, or an avatar with a recording.",
    "demo": "Run the whole chain on a photo and on a video that it renders itself.",
    "doctor": "Say what is installed, which back ends work, what is missing and how to get it.",
}
"""Every verb and the first line of its help. Verbs are imported when they are run, so that `--help` is instant."""

OPENCV_WITHOUT_WINDOWS = "pip install --no-deps --force-reinstall opencv-contrib-python-headless==4.11.0.86"
"""Replaces the files of the OpenCV that MediaPipe brings by those of the same version without windows."""

EXIT_TROUBLE = 2
EXIT_INTERRUPTED = 130
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code: 0 done, 2 something the user can act on, 130 interrupted."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = _run(arguments)
        sys.stdout.flush()
        return code
    except HeadcastError as error:
        return _trouble(arguments, str(error))
    except KeyboardInterrupt:
        _say(
            "Stopped. What was finished is kept; run the same command with --resume to go on."
            if {"track", "avatar"} & set(arguments[:1])
            else "Stopped."
        )
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output (such as `head`) has gone; nothing is wrong, but Python would complain when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.errno not in _DISK_FULL:
            raise
        where = f" while writing {error.filename}" if error.filename else ""
        return _trouble(arguments, f"{error.strerror}{where}. Free some disk space or choose another folder.")
    except ImportError as error:
        missing = _missing_system_library(error)
        if missing is None:
            raise
        return _trouble(arguments, missing)


def _run(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        _print_help()
        return 0
    if arguments[0] in ("-V", "--version"):
        sys.stdout.write(f"headcast {headcast.__version__}\n")
        return 0
    verb, rest = arguments[0], arguments[1:]
    if verb not in VERBS:
        near = difflib.get_close_matches(verb, VERBS, n=1)
        hint = f"Did you mean 'headcast {near[0]}'?" if near else "See 'headcast --help'."
        raise ConfigError(f"expected one of {', '.join(VERBS)}; found {verb!r}. {hint}")
    import tyro

    function = getattr(importlib.import_module(f"headcast.cli.{verb}"), verb)
    code = tyro.cli(function, prog=f"headcast {verb}", args=rest, config=(tyro.conf.FlagCreatePairsOff,))
    return int(code or 0)


def _print_help() -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table.grid(padding=(0, 3))
    for verb, summary in VERBS.items():
        table.add_row(f"[bold]{verb}[/bold]", summary)
    console = Console(highlight=False)
    console.print(f"[bold]headcast[/bold] {headcast.__version__}: 3D heads from ordinary recordings\n")
    console.print("usage: headcast VERB …      headcast VERB --help      headcast --version\n")
    console.print(table)
    console.print("\nStart with: headcast demo", highlight=False)


def _trouble(arguments: Sequence[str], message: str) -> int:
    from rich.console import Console
    from rich.panel import Panel
    from rich.text import Text

    title = f"headcast {arguments[0]}" if arguments and arguments[0] in VERBS else "headcast"
    Console(stderr=True, highlight=False).print(Panel(Text(message), title=title, title_align="left", border_style="red", expand=False))
    return EXIT_TROUBLE


def _say(message: str) -> None:
    sys.stderr.write(f"\n{message}\n")


def _missing_system_library(error: ImportError) -> str | None:
    """What to do where OpenCV, which MediaPipe brings, asks for graphics libraries that bare Linux servers do not have."""
    text = str(error)
    if not any(library in text for library in ("libGL.so", "libgthread-2.0", "libglib-2.0")):
        return None
    return f"OpenCV needs a graphics library that is not on this system ({text}). Its build without windows does not; run: {OPENCV_WITHOUT_WINDOWS}"
