"""The part of a head that a camera compares colours on, with the tables the photometric engine needs."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from headcast.compiled import compiled
from headcast.heads import HeadModel
from headcast.track.points import PointBasis
from headcast.track.regions import Regions, filled_parts, pixel_weights

_MEASURED = 0.5
"""Weight from which on a face's colours tell how well a track agrees."""

_LIVELY = ("lips", "eyelids", "eyeballs", "mouth_interior")


@dataclass(frozen=True)
class Surface:
    """Some faces of a head model, renumbered, with neighbours and texture positions."""

    vertex_idx: Int[np.ndarray, "vertices"]
    """Of the model."""
    basis: PointBasis
    faces: Int[np.ndarray, "faces 3"]
    face_idx: Int[np.ndarray, "faces"]
    """Of the model."""
    face_weight: Float[np.ndarray, "faces"]
    """How much a pixel of the face counts, 0–1."""
    vertex_weight: Float[np.ndarray, "vertices"]
    """The same for what is measured at a vertex: the least of the faces around it."""
    measured: Float[np.ndarray, "faces"]
    """1 for faces whose colours tell how well a track agrees, 0 for others; the same whatever the settings are."""
    plain: Float[np.ndarray, "faces"]
    """1 for skin that looks much the same whatever a face does: what is measured less lips, lids and eyes."""
    filled: Int[np.ndarray, "faces"]
    """Number of the part of one colour that a face belongs to, −1 where colours are painted."""
    uv: Float[np.ndarray, "faces 3 2"]
    """Texture positions, 0–1; (0, 0) is the lower left corner."""
    neighbour_start: Int[np.ndarray, "vertices_plus_1"]
    neighbour: Int[np.ndarray, "neighbours"]
    """Each vertex's neighbours, itself first."""
    incident_start: Int[np.ndarray, "vertices_plus_1"]
    incident_face: Int[np.ndarray, "incidences"]
    incident_corner: Int[np.ndarray, "incidences"]
    incident_slot: Int[np.ndarray, "incidences 3"]
    """For each corner of an incident face: its place in the vertex's neighbour list."""

    @classmethod
    def of(cls, model: HeadModel, regions: Regions = Regions()) -> "Surface":  # noqa: B008
        """Everything of a head that can be seen from the front or the side; the back of the scalp is left out."""
        weight, usual = pixel_weights(model, regions), pixel_weights(model, Regions())
        all_faces = model.faces.numpy()
        wanted = np.zeros(len(model.template), bool)
        for name, mask in model.regions.items():
            if name != "scalp":
                wanted |= mask.numpy()
        wanted |= model.template[:, 2].numpy() > float(model.template[:, 2].quantile(0.4))
        face_idx = np.flatnonzero(wanted[all_faces].any(1))
        vertex_idx, faces = np.unique(all_faces[face_idx], return_inverse=True)
        faces = faces.reshape(-1, 3)
        face_weight = weight[all_faces[face_idx]].min(1)
        measured = usual[all_faces[face_idx]].min(1) >= _MEASURED
        vertex_weight = np.ones(len(vertex_idx), np.float32)
        np.minimum.at(vertex_weight, faces.reshape(-1), np.repeat(face_weight, 3).astype(np.float32))
        incident_start, incident_face, incident_corner, neighbour_start, neighbour, incident_slot = _neighbourhood(faces, len(vertex_idx))
        return cls(
            vertex_idx=vertex_idx,
            basis=PointBasis.of_vertices(model, vertex_idx),
            faces=np.ascontiguousarray(faces, np.int32),
            face_idx=face_idx,
            face_weight=face_weight.astype(np.float32),
            vertex_weight=vertex_weight,
            measured=measured.astype(np.float32),
            plain=(measured & ~_lively(model)[all_faces[face_idx]].any(1)).astype(np.float32),
            filled=filled_parts(model, regions)[all_faces[face_idx]].max(1),
            uv=np.ascontiguousarray(model.uv.numpy()[model.uv_faces.numpy()[face_idx]], np.float32),
            neighbour_start=neighbour_start,
            neighbour=neighbour,
            incident_start=incident_start,
            incident_face=incident_face,
            incident_corner=incident_corner,
            incident_slot=incident_slot,
        )


def _lively(model: HeadModel) -> Bool[np.ndarray, "vertices"]:
    """Parts that open and close."""
    return np.logical_or.reduce([model.regions[name].numpy() for name in _LIVELY if name in model.regions] or [np.zeros(len(model.template), bool)])


def incidences(
    faces: Int[np.ndarray, "faces 3"], vertex_count: int
) -> tuple[Int[np.ndarray, "incidences"], Int[np.ndarray, "incidences"], Int[np.ndarray, "vertices_plus_1"]]:
    """The faces around each vertex, which corner of theirs it is, and where each vertex's list starts."""
    order = np.argsort(faces.reshape(-1), kind="stable")
    start = np.searchsorted(faces.reshape(-1)[order], np.arange(vertex_count + 1))
    return (order // 3).astype(np.int32), (order % 3).astype(np.int32), start.astype(np.int32)


def _neighbourhood(faces: np.ndarray, vertex_count: int) -> tuple[np.ndarray, ...]:
    incident_face, incident_corner, incident_start = incidences(faces, vertex_count)
    starts, neighbours, slots = [0], [], np.zeros((len(incident_face), 3), np.int32)
    for vertex in range(vertex_count):
        places = {vertex: 0}
        for incidence in range(incident_start[vertex], incident_start[vertex + 1]):
            for corner in range(3):
                other = int(faces[incident_face[incidence], corner])
                slots[incidence, corner] = places.setdefault(other, len(places))
        neighbours.extend(places)
        starts.append(len(neighbours))
    return incident_start, incident_face, incident_corner, np.array(starts, np.int32), np.array(neighbours, np.int32), slots


@compiled("f4[:,::1], i4[:,::1], i4[::1], i4[::1]", fastmath=True)
def surface_normals(points, faces, incident_start, incident_face):
    """Unit vertex normals `(vertices, 3)` of the points, area-weighted; outward for counter-clockwise faces."""
    normals = np.empty_like(points)
    for v in range(len(points)):
        x = np.float32(0.0)
        y = np.float32(0.0)
        z = np.float32(0.0)
        for i in range(incident_start[v], incident_start[v + 1]):
            a, b, c = faces[incident_face[i], 0], faces[incident_face[i], 1], faces[incident_face[i], 2]
            ux, uy, uz = points[b, 0] - points[a, 0], points[b, 1] - points[a, 1], points[b, 2] - points[a, 2]
            vx, vy, vz = points[c, 0] - points[a, 0], points[c, 1] - points[a, 1], points[c, 2] - points[a, 2]
            x += uy * vz - uz * vy
            y += uz * vx - ux * vz
            z += ux * vy - uy * vx
        over = np.float32(1.0) / max(np.float32(np.sqrt(x * x + y * y + z * z)), np.float32(1e-20))
        normals[v, 0] = x * over
        normals[v, 1] = y * over
        normals[v, 2] = z * over
    return normals


def across(normals: Float[np.ndarray, "vertices 3"]) -> Float[np.ndarray, "vertices 3 2"]:
    """Two unit vectors across each unit normal, at right angles to each other."""
    helper = np.where(np.abs(normals[:, :1]) < 0.7, [[1.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]])
    first = np.cross(normals, helper)
    first /= np.maximum(np.linalg.norm(first, axis=1, keepdims=True), 1e-9)
    return np.stack([first, np.cross(normals, first)], -1)
