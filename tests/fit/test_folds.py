"""Lids and lips laid free of themselves."""

import numpy as np
from made_heads import HEAD_FROM_SCAN, TARGET

from headcast.fit.folds import crossings, still_vertices, unfolded
from headcast.fit.offsets import vertex_laplacian
from headcast.fit.target import HeadState
from headcast.heads import open_head


def _blinking(strength: float) -> np.ndarray:
    model = open_head()
    expression = np.zeros(model.expression_count)
    expression[[model.expression_names.index(f"eyeBlink{side}") for side in ("Left", "Right")]] = strength
    return TARGET.vertices(HeadState(np.zeros(model.identity_count), expression, np.zeros((model.joint_count, 3)), HEAD_FROM_SCAN))


def test_lids_that_the_models_own_blink_folds_are_laid_flat_by_small_motions():
    start = _blinking(0.75)
    offsets = unfolded(TARGET, start, np.zeros_like(start), vertex_laplacian(TARGET))
    assert crossings(TARGET, start)["eyelids"] > 0
    assert crossings(TARGET, start + offsets) == {"lips": 0, "eyelids": 0}
    moved = np.linalg.norm(offsets, axis=1)
    assert moved.max() < 0.004 and np.median(moved) == 0
    assert not moved[still_vertices(TARGET)].any()
