"""Seconds, megabytes and peak memory of the exports of a finished run, each in a process of its own.

    python benchmarks/export.py RUN [--formats arrays glb nerf …]

Prints a Markdown table. "Decoding" is what reading all pictures of the recording alone takes.
"""

import argparse
import platform
import resource
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

from headcast.export import FORMATS

_FOR_FLAME = ("flashavatar", "imavatar", "vht")
"""Formats that a run with the shipped head has no numbers for."""
_CHILD = """
import resource, sys, time
start = time.perf_counter()
from headcast.cli.main import main
code = main(["export", sys.argv[1], "--to", sys.argv[2], "--out", sys.argv[3]])
print(code, time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--formats", nargs="+", default=[name for name in FORMATS if name not in _FOR_FLAME])
    arguments = parser.parse_args()
    print(f"{platform.machine()}, {platform.python_version()}, {date.today()}; {arguments.run}: {decoding(arguments.run)}\n")
    print("| format | s | MB | peak MB |\n|---|---|---|---|")
    for name in arguments.formats:
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / FORMATS[name].place
            command = [sys.executable, "-c", _CHILD, str(arguments.run), name, str(out)]
            lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
            code, seconds, peak = lines[-1].split()
            if code != "0":
                raise SystemExit(f"export to {name} failed: {lines}")
            size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
        print(f"| {name} | {float(seconds):.1f} | {size / 1e6:.1f} | {float(peak):.0f} |", flush=True)


def decoding(run: Path) -> str:
    from headcast.capture import Capture
    from headcast.store import RunPaths

    capture = Capture.open(RunPaths(run).capture.root)
    start = time.perf_counter()
    count = sum(1 for _ in capture.open_source().select(range(capture.frame_count)))
    return f"decoding {count} frames {time.perf_counter() - start:.1f} s, peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB"


if __name__ == "__main__":
    main()
