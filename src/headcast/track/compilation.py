"""The first run on a machine compiles the tracker's kernels in two processes at once, beside perception; later runs find them on disk."""

import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from headcast.compiled import compile_declared, completion_mark, declared
from headcast.solve.step import Step
from headcast.track import drawing, pipeline  # noqa: F401  (they import all the kernels that a run calls)


@dataclass(frozen=True)
class Compilation:
    """Kernels that are being compiled in another process."""

    claims: Path
    """A folder in which the processes agree on who compiles what."""
    other: subprocess.Popen
    mark: Path

    def finish_steps(self) -> Generator[Step, None, None]:
        """Compiles what the other process has not begun, and waits until all kernels are on disk."""
        total = len(declared())
        for _ in compile_declared(self.claims):
            yield self._step(total)
        self.other.wait()
        if self.other.returncode == 0:
            self.mark.touch()
        yield Step("compile", total, total)

    def _step(self, total: int) -> Step:
        return Step("compile", min(len(list(self.claims.iterdir())), total), total)


@contextmanager
def compiling() -> Iterator[Compilation | None]:
    """Kernels that are compiled from here on while the caller does something else; None where that is not needed or cannot help.

    They are on disk already, or there is no folder where they could be kept: then each is compiled when it is called.
    """
    mark = completion_mark()
    if mark is None or mark.exists():
        yield None
        return
    with tempfile.TemporaryDirectory() as claims:
        command = [sys.executable, "-m", __name__, claims]
        other = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            yield Compilation(Path(claims), other, mark)
        finally:
            other.kill()
            other.wait()


if __name__ == "__main__":
    for _ in compile_declared(Path(sys.argv[1])):
        pass
