"""A real head that nobody made the open head for is within its reach."""

import importlib.util
import os
import sys
from pathlib import Path

import pytest

from headcast.heads import open_head

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("HEADCAST_TEST_DATA") or ROOT.parent / "shared" / "data") / "lee_perry_smith"


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason=f"the scan is not in the test data ({DATA})")
def test_the_real_scan_fits_within_three_quarters_of_a_millimetre(monkeypatch):
    spec = importlib.util.spec_from_file_location("scan_fit", ROOT / "benchmarks" / "scan_fit.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "scan_fit", module)
    spec.loader.exec_module(module)
    fit = module.fitted(open_head(), module.lee_perry_smith(DATA))
    face = fit.errors.scan_to_head["face"]
    assert face is not None and face.count > 4000
    assert face.mean_mm < module.BAR_MM
    # The prior calls this person usual: coefficients have about the size that it expects.
    assert (fit.state.identity**2).mean() < 2.0
