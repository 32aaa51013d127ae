"""Training: pictures in turn, one step of Adam each, splats divided and taken away on the way."""

import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from headcast.avatars.frames import Footage
from headcast.avatars.gaussian.adam import RowAdam
from headcast.avatars.gaussian.avatar import GaussianAvatar, draw
from headcast.avatars.gaussian.begin import first_splats
from headcast.avatars.gaussian.bound import BoundSplats, Motions
from headcast.avatars.gaussian.columns import COLOR, OPACITY, POSITION, ROTATION, SCALE, SHIFT_FROM, motion_count
from headcast.avatars.gaussian.config import GaussianConfig
from headcast.avatars.gaussian.grow import grown
from headcast.avatars.gaussian.losses import picture_loss
from headcast.avatars.gaussian.shape import add_shape_gradient
from headcast.avatars.gaussian.shots import Shot, kept_shots
from headcast.avatars.gaussian.triangles import TriangleFrames
from headcast.errors import InputError
from headcast.heads import HeadModel
from headcast.solve.step import Step

_RATES = {"position": 0.01, "rotation": 0.005, "scale": 0.01, "opacity": 0.03, "color": 0.012, "harmonics": 0.002, "shift": 0.003, "tint": 0.003}
"""Change of each number per step at the start."""
_LAST_RATE = 0.05
"""Share of the rates that is left at the end."""
_GROW_EVERY, _GROW_FROM, _GROW_UNTIL = 200, 0.05, 0.6
"""Steps between two divisions, and the shares of the training between which they happen."""
_HARMONICS_FROM = 0.2
"""Share of the training from which colours may change with the view."""


_ANCHORED = [*range(POSITION.start, POSITION.stop), *range(COLOR.start, COLOR.start + 3)]


@dataclass(frozen=True)
class _State:
    """What training changes."""

    splats: BoundSplats
    anchor: Float[Tensor, "splats 6"]
    """Position and first harmonic with which each began."""
    largest: Float[Tensor, "splats"]
    adam: RowAdam
    pull: Float[Tensor, "splats"]
    """Sum of the lengths of the gradient of each place in the picture since the last division."""
    seen: Float[Tensor, "splats"]
    """Pictures since then in which it took part."""

    @classmethod
    def new(cls, splats: BoundSplats, largest: Float[Tensor, "splats"]) -> "_State":
        nothing = torch.zeros(len(splats))
        return cls(splats, splats.values[:, _ANCHORED].clone(), largest, RowAdam.new(*splats.values.shape), nothing, nothing.clone())

    def divided(self, most: int) -> "_State":
        change = grown(self.splats, self.pull / self.seen.clamp_min(1), most)
        rows = torch.cat([change.kept, change.parents])
        nothing = torch.zeros(len(rows))
        adam = self.adam.chosen(change.kept.numpy(), len(change.parents))
        return _State(change.splats, self.anchor[rows], self.largest[rows], adam, nothing, nothing.clone())


def gaussian_steps(footage: Footage, train: Sequence[int], config: GaussianConfig) -> Generator[Step, None, GaussianAvatar]:
    """Builds an avatar of splats from the frames that train; the generator's value is the avatar.

    Raises:
        InputError: no usable frame trains.
    """
    track, model = footage.run.track, footage.run.model
    usable = sorted(set(train) & set(footage.frames))
    if not usable:
        raise InputError(f"expected tracked frames to train with, found none in {footage.run.paths.root}")
    chosen = [usable[k] for k in np.unique(np.linspace(0, len(usable) - 1, min(config.most_frames, len(usable))).round().astype(int))]
    yield Step("pictures", 0, len(chosen))
    shots = kept_shots(footage.shots(chosen), track.head(model), config)
    yield Step("pictures", len(chosen), len(chosen))
    poses = track.pose(torch.tensor([shot.frame_idx for shot in shots]))
    motions = Motions.of(poses, config.motions)
    generator = torch.Generator().manual_seed(config.seed)
    splats, largest = first_splats(model, shots, motions.directions.shape[1], generator)
    state = yield from _trained(_State.new(splats, largest), model, shots, motions, config, generator)
    offsets = torch.zeros_like(model.template) if track.offsets is None else track.offsets
    return GaussianAvatar(model, track.identity, offsets, state.splats, motions)


def _trained(
    state: _State, model: HeadModel, shots: Sequence[Shot], motions: Motions, config: GaussianConfig, generator: torch.Generator
) -> Generator[Step, None, _State]:
    began, order = time.monotonic(), _endless(len(shots), generator)
    step, progress = 0, 0.0
    while progress < 1:
        terms = _one_step(state, model, shots[next(order)], motions, config, _rates(state, progress), generator)
        step += 1
        progress = _progress(step, began, config)
        if step % _GROW_EVERY == 0 and _GROW_FROM <= progress <= _GROW_UNTIL:
            state = state.divided(config.most_splats)
        yield Step("splats", step, config.steps, {**terms, "splats": float(len(state.splats))})
    return state


def _progress(step: int, began: float, config: GaussianConfig) -> float:
    """Share of the training that is done."""
    elapsed = 0.0 if config.minutes is None else (time.monotonic() - began) / (60 * config.minutes)
    return max(step / config.steps, elapsed)


def _endless(count: int, generator: torch.Generator) -> Iterator[int]:
    """All places, in an order of chance, again and again."""
    while True:
        yield from torch.randperm(count, generator=generator).tolist()


def _rates(state: _State, progress: float) -> np.ndarray:
    """Of each column, at this share of the training."""
    columns = state.splats.values.shape[1]
    motions = motion_count(columns)
    rates = np.empty(columns, np.float32)
    parts = {"position": POSITION, "rotation": ROTATION, "scale": SCALE, "opacity": OPACITY, "harmonics": COLOR}
    for name, part in parts.items():
        rates[part] = _RATES[name]
    rates[COLOR.start + 3 : COLOR.stop] *= progress >= _HARMONICS_FROM
    rates[COLOR.start : COLOR.start + 3] = _RATES["color"]
    rates[SHIFT_FROM : SHIFT_FROM + 3 * motions] = _RATES["shift"]
    rates[SHIFT_FROM + 3 * motions :] = _RATES["tint"]
    return rates * np.float32(_LAST_RATE**progress)


def _one_step(
    state: _State, model: HeadModel, shot: Shot, motions: Motions, config: GaussianConfig, rates: np.ndarray, generator: torch.Generator
) -> dict[str, float]:
    """Changes the splats that a picture shows, and notes how they are pulled."""
    values = state.splats.values.detach().requires_grad_()
    shift = torch.zeros(len(values), 2, requires_grad=True)
    frames = TriangleFrames.of(shot.vertices, model.faces)
    seen = draw(state.splats.with_values(values), frames, motions.of_pose(shot.pose), shot.pose, shot.camera, shift)
    recorded, matte = shot.colors()
    background = torch.rand(3, generator=generator)
    loss = picture_loss(seen.over(background), seen.alpha, recorded * matte[..., None] + (1 - matte[..., None]) * background, matte, config)
    loss.backward()
    pull = shift.grad.norm(dim=-1)
    rows, gradient, current = (pull > 0).numpy(), values.grad.numpy(), state.splats.values.numpy()
    shape = add_shape_gradient(current, state.anchor.numpy(), state.largest.numpy(), rows, config, gradient)
    state.adam.step(current, gradient, rows, rates, 1.0)
    state.pull.add_(pull)
    state.seen.add_(pull > 0)
    return {"picture": float(loss.detach()), "shape": shape}
