"""`headcast view`."""

from pathlib import Path

import tyro
from rich.console import Console

from headcast.track.run import Run
from headcast.viewer import RunView


def view(run: tyro.conf.Positional[Path], port: int = 8080, host: str = "127.0.0.1") -> None:
    """Show a finished run in the browser.

    Args:
        run: Folder of a finished run.
        port: Where to serve; if it is taken, the next free one.
        host: Which network to serve to: 127.0.0.1 is this machine only, 0.0.0.0 is everyone who can reach it.
    """
    shown = RunView(Run.open(run), host, port)
    Console(highlight=False, soft_wrap=True).print(f"open {shown.url} in a browser; stop with Ctrl+C", markup=False)
    try:
        shown.serve()
    except KeyboardInterrupt:
        shown.close()
