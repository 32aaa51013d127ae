"""How much longer the first run on a machine takes than the second: both with a fresh folder for compiled kernels.

    python benchmarks/first_run.py track PICTURE_OR_VIDEO [--repeats 3]
    python benchmarks/first_run.py demo

Prints wall time and processor time (all processes) of each, as rows of a table.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def timed(command: list[str], kernels: Path) -> tuple[float, float]:
    """Wall and processor seconds of a command whose compiled kernels are kept in a folder."""
    wall, before = time.perf_counter(), os.times()
    subprocess.run(command, env={**os.environ, "NUMBA_CACHE_DIR": str(kernels)}, check=True, capture_output=True)
    after = os.times()
    return time.perf_counter() - wall, after.children_user + after.children_system - before.children_user - before.children_system


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("verb", choices=("track", "demo"))
    parser.add_argument("source", type=Path, nargs="?", help="what `track` tracks")
    parser.add_argument("--repeats", type=int, default=1)
    arguments = parser.parse_args()
    if arguments.verb == "track" and arguments.source is None:
        parser.error("track needs a picture or a video")
    asked = [] if arguments.verb == "demo" else [str(arguments.source)]
    print("| command | first run, s | its processor time | second run, s | its processor time | more, s |\n|---|---|---|---|---|---|")
    for _ in range(arguments.repeats):
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "headcast", arguments.verb, *asked, "--out", f"{folder}/run", "--overwrite"]
            first, first_cpu = timed(command, Path(folder) / "kernels")
            second, second_cpu = timed(command, Path(folder) / "kernels")
        name = " ".join([arguments.verb, *(Path(one).name for one in asked)])
        print(f"| {name} | {first:.1f} | {first_cpu:.1f} | {second:.1f} | {second_cpu:.1f} | {first - second:.1f} |", flush=True)


if __name__ == "__main__":
    main()
