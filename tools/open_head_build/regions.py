"""The named parts of the open head."""

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.spatial import cKDTree

from open_head_build.eyes import IRIS_RADIUS_M, RADIUS_M
from open_head_build.mesh import HeadMesh
from open_head_build.source import PARTS, mask_values

FACE_MARGIN_M = 0.012
"""How far from the nearest face-mesh landmark the region "face" reaches."""


def boundary_vertices(faces: Int[np.ndarray, "faces 3"], skin: Bool[np.ndarray, "vertices"]) -> Bool[np.ndarray, "vertices"]:
    """Vertices of the neck's open edge: those of the skin on an edge that belongs to one face only."""
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    unique, counts = np.unique(edges, axis=0, return_counts=True)
    return np.isin(np.arange(len(skin)), unique[counts == 1]) & skin


def above_hairline(points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n"]:
    """Height (m) over a line from the top of the forehead down in front of the ears to the nape."""
    return points[:, 1] - np.maximum(0.066 - 0.9 * np.maximum(0.020 - points[:, 2], 0), -0.070)


def painted_masks(mesh: HeadMesh) -> dict[str, Bool[np.ndarray, "vertices"]]:
    """Lips, eyelids and ears as painted on the base mesh."""
    source = mesh.source
    of_head = source.quad_parts == PARTS.index("head")
    vertex = np.searchsorted(mesh.kept, source.quads[of_head])
    masks = {}
    for name in ("lips", "eyelids", "ears"):
        mask = np.zeros(mesh.vertex_count, bool)
        mask[vertex[mask_values(name, source.uv[source.uv_quads[of_head]].reshape(-1, 2)).reshape(vertex.shape) > 0.5]] = True
        masks[name] = mask | mask[mesh.mirror]
    return masks


def named_regions(
    mesh: HeadMesh,
    template: Float[np.ndarray, "vertices 3"],
    neck_weight: Float[np.ndarray, "vertices"],
    landmarks: Float[np.ndarray, "468 3"] | None,
) -> dict[str, Bool[np.ndarray, "vertices"]]:
    """All regions; without landmarks "face" is a box and "nose" and "forehead" lie where they lie on the mean head."""
    x, y, z = np.abs(template[:, 0]), template[:, 1], template[:, 2]
    skin, masks = mesh.parts["head"], painted_masks(mesh)
    boundary = boundary_vertices(mesh.faces, skin)
    neck = skin & (neck_weight < 0.9999)
    scalp = skin & ~masks["ears"] & ~neck & (above_hairline(template) > 0)
    if landmarks is None:
        face = (x < 0.070) & (y > -0.120) & (y < 0.062) & (z > -0.040)
        brows = 0.015
    else:
        near = cKDTree(landmarks).query(template)[0] < FACE_MARGIN_M
        face, brows = near & ~masks["ears"], landmarks[[70, 63, 105, 66, 107], 1].mean() + 0.004
    eyes = mesh.parts["left_eye"] | mesh.parts["right_eye"]
    iris = np.zeros(mesh.vertex_count, bool)
    for name in ("left_eye", "right_eye"):
        iris[mesh.parts[name]] = mesh.eye.vertices[:, 2] > np.cos(np.arcsin(IRIS_RADIUS_M / RADIUS_M)) - 1e-6
    regions = {
        "face": skin & face & ~neck,
        "forehead": skin & ~scalp & (y > brows) & (z > -0.030) & (x < 0.066),
        "nose": skin & (x < 0.004 + 0.33 * np.maximum(-y, 0)) & (x < 0.021) & (y < -0.002) & (y > -0.052) & (z > 0.012),
        "lips": masks["lips"] & skin,
        "eyelids": masks["eyelids"] & skin,
        "eyeballs": eyes,
        "irises": iris,
        "ears": masks["ears"] & skin,
        "scalp": scalp,
        "neck": neck,
        "mouth_interior": (mesh.parts["mouth_cavity"] & ~skin) | mesh.parts["gums"],
        "teeth": mesh.parts["crowns"],
        "tongue": mesh.parts["tongue"],
        "boundary": boundary,
        "eye_sockets": (mesh.parts["eye_cavity.L"] | mesh.parts["eye_cavity.R"]) & ~skin,
    }
    return {name: mask | mask[mesh.mirror] for name, mask in regions.items()}
