"""Splats are added where the picture pulls at them, and taken away where nobody sees them (after Kerbl et al. 2023, section 5.2)."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from headcast.avatars.gaussian.bound import BoundSplats
from headcast.avatars.gaussian.columns import OPACITY, POSITION, ROTATION, SCALE
from headcast.geometry import matrix_from_quaternion

_FAINT = 0.01
"""Opacity below which a splat is taken away."""
_SHARE = 0.1
"""Of all splats that are divided at once, at most."""
_APART = 0.5
"""Of its longest axis: how far to both sides the halves of a splat move."""
_SHORTER = 0.65
"""How much shorter the longest axis of the halves is where the splat was large."""
_LARGE = 0.25
"""Sizes of its triangle from which on a splat is large."""


@dataclass(frozen=True)
class Growth:
    """The splats after adding and taking away."""

    splats: BoundSplats
    kept: Int[Tensor, "kept"]
    """Rows that went on; they come first."""
    parents: Int[Tensor, "new"]
    """For each row after these, the row that it came from."""


def grown(splats: BoundSplats, pull: Float[Tensor, "splats"], most: int) -> Growth:
    """Divides the splats that are pulled hardest, as long as there are fewer than `most`, and leaves out the faint ones.

    A large splat becomes two smaller ones. A small one becomes two of its size that together are as opaque.

    Args:
        pull: mean length of the gradient of a splat's place in the picture; 0 for one that was not seen.
    """
    seen = splats.values[:, OPACITY.start].sigmoid() >= _FAINT
    room = min(most - int(seen.sum()), int(_SHARE * len(splats)))
    divided = _hardest(torch.where(seen, pull, 0), room)
    kept = (seen & ~divided).nonzero()[:, 0]
    parents = divided.nonzero()[:, 0].repeat(2)
    values = torch.cat([splats.values[kept], _halves(splats.values[divided])])
    return Growth(BoundSplats(torch.cat([splats.face[kept], splats.face[parents]]), values), kept, parents)


def _hardest(pull: Float[Tensor, "splats"], room: int) -> Bool[Tensor, "splats"]:
    """So many at most, and only those that are pulled harder than the mean."""
    divided = torch.zeros_like(pull, dtype=torch.bool)
    if room > 0 and (pull > 0).any():
        order = torch.argsort(pull, descending=True, stable=True)[:room]
        divided[order] = pull[order] > pull[pull > 0].mean()
    return divided


def _halves(values: Float[Tensor, "divided columns"]) -> Float[Tensor, "halves columns"]:
    """First the halves to one side, then those to the other."""
    scales = values[:, SCALE].exp()
    longest, axis = scales.max(-1)
    direction = torch.take_along_dim(matrix_from_quaternion(values[:, ROTATION]), axis[:, None, None], 2)[..., 0]
    large = longest > _LARGE
    halves = values.clone()
    halves[torch.arange(len(values)), SCALE.start + axis] += torch.where(large, torch.tensor(_SHORTER).log(), torch.tensor(0.0))
    alone = values[:, OPACITY.start].sigmoid()
    shared = torch.logit(1 - (1 - alone).clamp_min(1e-4).sqrt(), eps=1e-4)
    halves[:, OPACITY.start] = torch.where(large, values[:, OPACITY.start], shared)
    apart = _APART * longest[:, None] * direction
    return torch.cat([_moved(halves, apart), _moved(halves, -apart)])


def _moved(values: Float[Tensor, "splats columns"], by: Float[Tensor, "splats 3"]) -> Float[Tensor, "splats columns"]:
    moved = values.clone()
    moved[:, POSITION] += by
    return moved
