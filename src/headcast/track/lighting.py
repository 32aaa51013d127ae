"""Lights of clips and gains of views in closed form, from how the brightness of each texel changes from view to view.

A view's gain is its exposure and white balance against the other views: a factor per channel on linear light. What turning does to every texel by its
normal is light; what a view does to all texels alike is gain.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from headcast.threads import mapped
from headcast.track.light import AMBIENT, sh_basis
from headcast.track.photometric import GAMMA

_UNIFORM_SHARE = 0.003
"""Share of the evidence for skin of one colour that counts: skin is not, and varies over centimetres."""
_LEAST_LIGHT = 0.02
_LIGHT_TEXELS = 1500
"""Texels that light is solved on; neighbours say the same."""
_OUTLIER = 0.2
"""Residual, as a share of the skin's colour, from which on a texel loses influence: specular spots and shadows."""
_GAIN_EVIDENCE = 0.05
"""Share of texels that count as independent for a view's gain: shadows darken many of them alike."""
_LONGEST_STEP = 0.3
"""Of a gain's logarithm."""


@dataclass(frozen=True)
class Lighting:
    """What lies between albedo and picture, linear."""

    lights: Float[np.ndarray, "clips 9 3"]
    """In world space."""
    gains: Float[np.ndarray, "views 3"]

    @property
    def level(self) -> Float[np.ndarray, "3"]:
        """Geometric mean of the views' gains."""
        return np.exp(np.log(self.gains).mean(0))


@dataclass(frozen=True)
class Brightness:
    """What views show of texels of skin."""

    color: Float[np.ndarray, "views texels 3"]
    """Linear."""
    basis: Float[np.ndarray, "views texels 9"]
    weight: Float[np.ndarray, "views texels"]
    clip: Int[np.ndarray, "views"]
    """Which clip's light falls on each view."""

    @classmethod
    def of(
        cls,
        color: Float[np.ndarray, "views texels 3"],
        normals: Float[np.ndarray, "views texels 3"],
        weight: Float[np.ndarray, "views texels"],
        clip: Int[np.ndarray, "views"],
    ) -> "Brightness":
        """From colours in gamma space and normals in world space, not yet of unit length."""
        unit = normals / np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-9)
        return cls(color.astype(np.float64) ** GAMMA, sh_basis(unit), weight, clip)


@dataclass(frozen=True)
class Unknown:
    """What of a `Lighting` is solved."""

    lights: bool = True
    gain_sigma: float | None = None
    """Of a gain's natural logarithm; None where all views are exposed alike."""


def thinned(skin: Bool[np.ndarray, "texels"]) -> Int[np.ndarray, "chosen"]:
    """As many texels of skin as lighting needs."""
    chosen = np.flatnonzero(skin)
    return chosen[:: max(1, len(chosen) // _LIGHT_TEXELS)]


def solve_lighting(seen: Brightness, start: Lighting, unknown: Unknown, albedo: Float[np.ndarray, "texels 3"] | None = None) -> Lighting:
    """Lights and gains that explain how the brightness of each texel changes, the albedo (linear) being whatever fits where it is not given.

    Gauss–Newton per channel in linear colour with each texel's albedo eliminated (variable projection), so that lighting and albedo do not have to
    find each other in turn. What turning does not show is decided by a weak belief in skin of one colour, by one in even light, and by one in views
    that are exposed alike. Reweighted for specular spots and shadows.
    """
    if not (seen.weight > 0).any():
        return start

    def of_channel(channel: int) -> tuple[Float[np.ndarray, "clips 9"], Float[np.ndarray, "views"]]:
        target = seen.color[..., channel]
        scale = max(float(np.median(target[seen.weight > 0])), 1e-3)
        known = None if albedo is None else albedo[:, channel] / scale
        found = _Channel(start.lights[:, :, channel].astype(np.float64), np.log(start.gains[:, channel].astype(np.float64)))
        robust = np.ones_like(seen.weight)
        for _ in range(3):
            found, error = lighting_step(target / scale, seen.basis, seen.weight * robust, seen.clip, found, unknown, known)
            robust = 1 / (1 + (error / _OUTLIER) ** 2) ** 2
        return found.lights, np.exp(found.log_gains)

    channels = list(mapped(of_channel, range(3)))
    lights, gains = (np.stack([channel[k] for channel in channels], -1).astype(np.float32) for k in range(2))
    return Lighting(lights, gains)


def unexplained(seen: Brightness, lighting: Lighting, albedo: Float[np.ndarray, "texels 3"] | None = None) -> float:
    """Robust mean square of what lighting leaves of the brightness, against that of skin as a whole; the albedo fits best where it is not given."""
    shade = np.maximum(np.einsum("vtb,vbc->vtc", seen.basis, lighting.lights[seen.clip]), _LEAST_LIGHT) * lighting.gains[:, None]
    weight = seen.weight[..., None]
    best = (weight * shade * seen.color).sum(0) / np.maximum((weight * shade**2).sum(0), 1e-9) if albedo is None else albedo
    level = np.maximum((weight * seen.color).sum((0, 1)) / max(float(weight.sum()), 1e-9), 1e-3)
    square = ((seen.color - best * shade) / level) ** 2
    return float((weight * square / (1 + square / _OUTLIER**2)).sum() / max(float(weight.sum()), 1e-9))


@dataclass(frozen=True)
class _Channel:
    """One channel of a `Lighting`."""

    lights: Float[np.ndarray, "clips 9"]
    log_gains: Float[np.ndarray, "views"]


def lighting_step(
    target: Float[np.ndarray, "views texels"],
    basis: Float[np.ndarray, "views texels 9"],
    weight: Float[np.ndarray, "views texels"],
    clip: Int[np.ndarray, "views"],
    at: _Channel,
    unknown: Unknown,
    albedo: Float[np.ndarray, "texels"] | None,
) -> tuple[_Channel, Float[np.ndarray, "views texels"]]:
    """One step for one channel, and the residuals before it."""
    gain = np.exp(at.log_gains)[:, None]
    shade = gain * np.maximum(np.einsum("vtb,vb->vt", basis, at.lights[clip]), _LEAST_LIGHT)
    evidence = np.maximum((weight * shade**2).sum(0), 1e-9)
    best = (weight * shade * target).sum(0) / evidence if albedo is None else albedo
    residual = target - best * shade
    system = _System.of(basis * gain[..., None], shade, weight, clip, len(at.lights), best, residual)
    if albedo is None:
        system = system.without_albedo(evidence)
        seen = weight.sum(0) > 0
        skin = np.full_like(best, float(np.median(best[seen])))
        uniform = _System.of(basis * gain[..., None], shade, weight, clip, len(at.lights), skin, target - skin * shade)
        system = system.plus(uniform, _UNIFORM_SHARE)
    matrix, right = system.with_beliefs(at, weight, clip, residual, unknown)
    step, count = np.zeros(len(right)), at.lights.size
    free = np.repeat([unknown.lights, unknown.gain_sigma is not None], [count, len(gain)])
    step[free] = np.linalg.solve(matrix[np.ix_(free, free)], right[free])
    away = np.clip(step[count:], -_LONGEST_STEP, _LONGEST_STEP)
    return _Channel(at.lights + step[:count].reshape(at.lights.shape), at.log_gains + away), residual


@dataclass(frozen=True)
class _System:
    """Normal equations over the lights of all clips, then the logarithms of all gains."""

    matrix: Float[np.ndarray, "n n"]
    right: Float[np.ndarray, "n"]
    coupling: Float[np.ndarray, "texels n"]
    """With each texel's albedo, which every view of it shares."""

    @classmethod
    def of(
        cls,
        basis: Float[np.ndarray, "views texels 9"],
        shade: Float[np.ndarray, "views texels"],
        weight: Float[np.ndarray, "views texels"],
        clip: Int[np.ndarray, "views"],
        clips: int,
        albedo: Float[np.ndarray, "texels"],
        residual: Float[np.ndarray, "views texels"],
    ) -> "_System":
        views, texels = shade.shape
        size, weighted = 9 * clips + views, weight * shade
        matrix, right, coupling = np.zeros((size, size)), np.zeros(size), np.zeros((texels, size))
        shown = shade * albedo
        own = np.arange(9 * clips, size)
        for one in range(clips):
            views_of = np.flatnonzero(clip == one)
            rows, place, gains = basis[views_of] * albedo[:, None], slice(9 * one, 9 * one + 9), own[views_of]
            flat = rows.reshape(-1, 9)
            scaled = flat * weight[views_of].reshape(-1, 1)
            matrix[place, place] = flat.T @ scaled
            right[place] = scaled.T @ residual[views_of].reshape(-1)
            coupling[:, place] = np.einsum("vt,vtb->tb", weighted[views_of], rows)
            matrix[place, gains] = np.einsum("vt,vtb->bv", weight[views_of] * shown[views_of], rows)
            matrix[gains, place] = matrix[place, gains].T
        matrix[own, own] = (weight * shown**2).sum(1)
        right[own] = (weight * shown * residual).sum(1)
        coupling[:, own] = (weighted * shown).T
        return cls(matrix, right, coupling)

    def without_albedo(self, evidence: Float[np.ndarray, "texels"]) -> "_System":
        """The same with each texel's albedo, which fits best already, solved along and forgotten."""
        return replace(self, matrix=self.matrix - self.coupling.T @ (self.coupling / evidence[:, None]))

    def plus(self, other: "_System", share: float) -> "_System":
        return replace(self, matrix=self.matrix + share * other.matrix, right=self.right + share * other.right)

    def with_beliefs(
        self,
        at: _Channel,
        weight: Float[np.ndarray, "views texels"],
        clip: Int[np.ndarray, "views"],
        residual: Float[np.ndarray, "views texels"],
        unknown: Unknown,
    ) -> tuple[Float[np.ndarray, "n n"], Float[np.ndarray, "n"]]:
        """With a weak belief in even lights and, as far as they are solved, in gains of one."""
        total = np.bincount(clip, weight.sum(1), len(at.lights))
        even = 1e-3 * _UNIFORM_SHARE * np.outer(total, [0.0, 1, 1, 1, 4, 4, 4, 4, 4])
        alike = np.zeros(len(at.log_gains))
        if unknown.gain_sigma is not None:
            noise = float((weight * residual**2).sum() / max(weight.sum(), 1e-9))
            alike += noise / (_GAIN_EVIDENCE * unknown.gain_sigma**2)
        belief = np.concatenate([even.ravel(), alike])
        away = np.concatenate([at.lights.ravel(), at.log_gains])
        return self.matrix + np.diag(belief + 1e-9), self.right - belief * away


def possible_lights(lights: Float[np.ndarray, "clips 9 3"]) -> Float[np.ndarray, "clips 9 3"]:
    """The lights with a mean of one over clips and per channel, their directions weakened to what lamps can do; even where a mean is not positive.

    No lamp takes light away, so none is more one-sided than a single one: its linear terms are twice its mean (Ramamoorthi & Hanrahan 2001).
    Without that bound a light that explains shadows wrongly grows from round to round.
    """
    level = lights[:, :1]
    scaled = np.where(level > 1e-6, lights / np.maximum(level, 1e-6), AMBIENT)
    one_sided = np.linalg.norm(scaled[:, 1:4], axis=1, keepdims=True)
    scaled[:, 1:] *= np.minimum(1, 2 / np.maximum(one_sided, 2))
    positive = np.where(level > 1e-6, level, max(float(level.max()), 1e-6))
    return (scaled * (positive / positive.mean(0))).astype(np.float32)
