"""Compiled functions are on disk after the first run, whoever compiled them, and are compiled once each."""

import os
import subprocess
import sys

import pytest
from portrait_clips import FAST

from headcast.track.compilation import compiling

SCRIPT = """
import tempfile
from pathlib import Path
import numpy as np
from headcast.compiled import completion_mark, compile_declared, compiled

@compiled("f4[::1]")
def half(values):
    for i in range(len(values)):
        values[i] /= 2

values = np.ones(2, np.float32)
half(values)
assert values.tolist() == [0.5, 0.5]
claims = Path(tempfile.mkdtemp())
print(completion_mark(), list(compile_declared(claims)), list(compile_declared(claims)), sep="|")
"""


def run_script(folder, environment):
    """Runs the script above as a file of its own: only such functions are kept on disk."""
    (folder / "script.py").write_text(SCRIPT)
    found = subprocess.run([sys.executable, folder / "script.py"], env={**os.environ, **environment}, capture_output=True, text=True, check=True)
    return found.stdout.strip().split("|")


def test_a_function_is_compiled_by_the_process_that_claims_it_first(tmp_path):
    mark, first, second = run_script(tmp_path, {"NUMBA_CACHE_DIR": str(tmp_path / "kept")})
    assert mark.startswith(str(tmp_path / "kept"))
    assert first == "['__main__.half']" and second == "[]"


def test_functions_work_where_nothing_can_be_kept(tmp_path):
    mark, _, _ = run_script(tmp_path, {"NUMBA_CACHE_DIR": "", "NUMBA_CACHE_LOCATOR_CLASSES": "UserProvidedCacheLocator"})
    assert mark == "None"


def test_a_run_calls_its_kernels_with_the_types_that_they_declare(portrait_clip, tmp_path):
    """In a process of its own: other tests call kernels with other types."""
    code = (
        "import sys\n"
        "from headcast.cli.main import main\n"
        "from headcast.compiled import declared\n"
        "assert main(sys.argv[1:]) == 0\n"
        "called = {name: pair for name, pair in declared().items() if pair[0].signatures}\n"
        "print(len(called), [name for name, (dispatcher, types) in called.items() if dispatcher.signatures != [types]])\n"
    )
    command = [sys.executable, "-c", code, "track", portrait_clip, "--out", tmp_path / "run", *FAST]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    count, others = found.stdout.splitlines()[-1].split(maxsplit=1)
    assert int(count) > 15
    assert others == "[]"


@pytest.mark.slow
def test_two_processes_leave_all_kernels_on_disk_and_say_so(tmp_path):
    code = (
        "from headcast.track.compilation import compiling\n"
        "from headcast.compiled import declared\n"
        "with compiling() as compilation:\n"
        "    steps = list(compilation.finish_steps())\n"
        "print(steps[-1].done, len(declared()), compilation.mark.exists(), compilation.other.returncode)\n"
        "with compiling() as again:\n"
        "    print(again)\n"
    )
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    found = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    done, total, marked, returned, again = found.stdout.split()
    assert done == total and (marked, returned, again) == ("True", "0", "None")


def test_nothing_is_compiled_ahead_where_all_is_on_disk(portrait_run):
    with compiling() as compilation:
        assert compilation is None
