"""The whole of `headcast fit`: a static head in, a finished folder out that exports and the viewer take as a run of one frame."""

import shutil
from collections.abc import Callable, Generator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray

import headcast
from headcast.errors import InputError
from headcast.export.obj import material, positions, texture_and_faces
from headcast.export.ply import colors_at_vertices, ply_bytes
from headcast.fit.config import FitConfig
from headcast.fit.flame import write_flame_parameters
from headcast.fit.folds import crossings
from headcast.fit.measure import FitErrors, measured
from headcast.fit.offsets import solve_offsets
from headcast.fit.outside import outer_samples
from headcast.fit.points_file import read_points
from headcast.fit.posed import PosedPictures, colors_from_views, triangulated
from headcast.fit.read import read_head
from headcast.fit.register import register
from headcast.fit.report import page, png_bytes
from headcast.fit.scan import Samples, Scan
from headcast.fit.sides import FoundFace, find_face
from headcast.fit.target import HeadState, Target
from headcast.fit.texture import Albedo, colors_of_scan, transferred
from headcast.fit.unit import Unit, unit_of
from headcast.fit.views import comparison, srgb_bytes
from headcast.geometry import Camera, Similarity, Transform
from headcast.heads import HeadModel
from headcast.render import ambient_light
from headcast.solve.step import Step, follow
from headcast.solve.step_log import StepLog, stage_seconds
from headcast.store import About, FitPaths, InputFile, half_written, replace_file, write_arrays, write_json, write_text
from headcast.track import Track
from headcast.track.models import load_model_for_tracking
from headcast.track.run import FIT_KIND, SCHEMA, peak_memory_mb, save_albedo

_SAMPLES = 25_000
_PICTURE_PX = 512
_CAMERA_M = 0.9
_FAR_MM = 1.5
"""A mean distance of the face above which the report says so."""
_ODD_IDENTITY = 3.0
_NO_SURFACE = "Pictures show landmarks and colours: the head has the model's shapes and no offsets."


@dataclass(frozen=True)
class FitRequest:
    """What to fit, with what, and how."""

    source: Path
    model: str = "open"
    config: FitConfig = field(default_factory=FitConfig)


@dataclass(frozen=True)
class FitResult:
    """A head laid onto a scan."""

    scan: Scan
    face: FoundFace
    state: HeadState
    """Its `head_from_scan` gives metres."""
    unit: Unit
    vertices: Float[ndarray, "vertices 3"]
    """Posed, offsets included, m, head space."""
    offsets: Float[ndarray, "vertices 3"] | None
    """At rest."""
    albedo: Albedo | None
    errors: FitErrors
    shapes_alone: FitErrors
    """Without the offsets."""


def fit_head(request: FitRequest, folder: Path, *, overwrite: bool = False, readers: tuple[Callable[[Step], None], ...] = ()) -> FitPaths:
    """Fits and writes everything; `overwrite` removes what an earlier fit wrote, and nothing else."""
    paths = FitPaths(folder)
    head = read_head(request.source, request.config)
    _make_room(paths, overwrite)
    model = load_model_for_tracking(request.model)
    write_json(paths.config, {"model": request.model, "fit": {n: str(v) if isinstance(v, Path) else v for n, v in asdict(request.config).items()}})
    source = {"source": InputFile.of(request.source)} if request.source.is_file() else {}
    About(FIT_KIND, SCHEMA, source, {"source": str(request.source), "finished": False}).save(paths.about)
    with StepLog(paths.steps) as log:
        result = follow(fit_steps(head, model, request.config), log, *readers)
    track = _track_of(result, model)
    track.save(paths.track)
    if result.albedo is not None:
        save_albedo(paths, result.albedo.albedo, result.albedo.certainty)
    _write_registered(paths, result, model)
    _write_parameters(paths, result, model)
    if model.about.get("family") == "FLAME":
        write_flame_parameters(paths.flame_parameters, track, model, result.state.head_from_scan.inverse())
    _write_report(paths, request, result, model)
    About(FIT_KIND, SCHEMA, source, {"source": str(request.source), "finished": True}).save(paths.about)
    return paths


def fit_steps(head: Scan | PosedPictures, model: HeadModel, config: FitConfig) -> Generator[Step, None, FitResult]:
    """Finds the face, fits the model's shapes, then the offsets; then colours and errors."""
    target = Target(model)
    return (yield from (_fit_scan(head, target, config) if isinstance(head, Scan) else _fit_pictures(head, target, config)))


def _fit_pictures(pictures: PosedPictures, target: Target, config: FitConfig) -> Generator[Step, None, FitResult]:
    """Pictures show where the landmarks are, and colours; there is no surface to lay vertices on."""
    face = yield from triangulated(pictures, target.template_landmarks[:478])
    face = face.padded(len(target.template_landmarks))
    unit = unit_of(face.head_from_scan.scale, config.unit_m)
    yield Step("find face", 1, 1, message=f"unit of the cameras: {unit.words}")
    face = replace(face, head_from_scan=_sized(face, target, unit))
    nothing = Samples(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0, bool))
    state = yield from register(target, nothing, face, config)
    vertices, scan_from_head = target.vertices(state), state.head_from_scan.inverse()
    yield Step("texture", 0, 1)

    def colors_at(points: ndarray, normals: ndarray) -> tuple[ndarray, ndarray]:
        there = scan_from_head.points(vertices)
        srgb, weight = colors_from_views(pictures, there, target.faces, scan_from_head.points(points), scan_from_head.directions(normals))
        return srgb, weight > 0

    albedo = transferred(target, vertices, colors_at, config.texture_px)
    yield Step("texture", 1, 1)
    known = np.isfinite(face.spread)
    landmarks = Scan(
        pictures.name, face.points[known], notes=("Pictures show landmarks and colours: the head has the model's shapes and no offsets.",)
    )
    errors = measured(target, vertices, state, nothing, face)
    return FitResult(landmarks, face, state, unit, vertices, None, albedo, errors, errors)


def _fit_scan(scan: Scan, target: Target, config: FitConfig) -> Generator[Step, None, FitResult]:
    for note in scan.notes:
        yield Step("read", 1, 1, message=note)
    shapes = [scan] if scan.texture is None or config.texture is None else [scan, scan.with_texture_turned()]
    if scan.coloured and scan.is_mesh:
        shapes.append(scan.without_colors())
    if config.points is not None:
        chosen, face = scan, read_points(config.points, target.template_landmarks)
    else:
        chosen, face = yield from find_face(shapes, target.template_landmarks[:478])
        face = face.padded(len(target.template_landmarks))
    if not chosen.coloured:
        chosen = scan
    elif chosen is not scan:
        yield Step("measure face", 1, 1, message="the texture that was given is upside down for this mesh and was turned")
    unit = unit_of(face.head_from_scan.scale, config.unit_m or scan.unit_m)
    yield Step("measure face", 1, 1, message=f"unit of the file: {unit.words}")
    face = replace(face, head_from_scan=_sized(face, target, unit))
    samples = outer_samples(chosen, face.head_from_scan, 2 * _SAMPLES)
    half = np.arange(len(samples)) % 2 == 0
    state = yield from register(target, samples[half], face, config)
    vertices = target.vertices(state)
    alone = measured(target, vertices, state, samples[~half], face)
    offsets = None
    if config.offsets:
        moved = yield from solve_offsets(target, state, samples[half], config)
        offsets = np.linalg.solve(target.turning(state), moved[..., None])[..., 0]
        vertices = vertices + moved
    albedo = None
    if chosen.coloured:
        yield Step("texture", 0, 1)
        coloured = chosen.moved(state.head_from_scan)
        albedo = transferred(target, vertices, partial(colors_of_scan, coloured), config.texture_px)
        yield Step("texture", 1, 1)
    errors = measured(target, vertices, state, samples[~half], face) if config.offsets else alone
    return FitResult(chosen, face, state, unit, vertices, offsets, albedo, errors, alone)


def _sized(face: FoundFace, target: Target, unit: Unit) -> Similarity:
    """The similarity of the landmarks with the unit's scale: the middle of the face stays where it is."""
    middle = target.template_landmarks[:468].mean(0)
    found = face.head_from_scan
    growth = unit.metres / found.scale
    return Similarity(unit.metres, found.rotation, middle + growth * (found.translation - middle))


def _track_of(result: FitResult, model: HeadModel) -> Track:
    """One frame; world space is head space in metres, seen by a camera in front of the face."""
    state = result.state

    def floats(values: ndarray) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(values, np.float32))

    camera = Camera.looking_along_minus_z(1.9 * _PICTURE_PX, (_PICTURE_PX, _PICTURE_PX))
    away = Transform(torch.eye(3), torch.tensor([0.0, 0.02, -_CAMERA_M]))
    return Track(
        model_name=model.name,
        identity=floats(state.identity),
        expression=floats(state.expression[None]),
        expression_names=model.expression_names,
        joint_rotations=floats(state.joints[None]),
        joint_names=model.joint_names,
        world_from_head=Transform.identity(1),
        cameras=(replace(camera, camera_from_world=camera.camera_from_world @ away),),
        focal_sigma_px=0.0,
        time_s=torch.zeros(1),
        valid=torch.ones(1, dtype=torch.bool),
        light=ambient_light(torch.zeros(1)),
        landmark_offsets=torch.zeros(478, 3),
        landmark_error_px=torch.zeros(1),
        interocular_px=torch.zeros(1),
        psnr_db=torch.zeros(1),
        silhouette_iou=torch.zeros(1),
        offsets=None if result.offsets is None else floats(result.offsets),
    )


def _write_registered(paths: FitPaths, result: FitResult, model: HeadModel) -> None:
    """The head in the scan's own space and unit, as OBJ with texture positions and as PLY."""
    vertices = result.state.head_from_scan.inverse().points(result.vertices)
    text = positions(f"head model {model.name} in the space and unit of {result.scan.name}", vertices)
    write_text(paths.registered, text + texture_and_faces(model.uv.numpy(), model.faces.numpy(), model.uv_faces.numpy()))
    write_text(paths.material, material(result.albedo is not None))
    colors = None if result.albedo is None else colors_at_vertices(srgb_bytes(result.albedo.albedo), model)
    with replace_file(paths.registered_ply) as temporary:
        temporary.write_bytes(ply_bytes(vertices, colors, model.faces.numpy(), "in the space and unit of the scan"))


def _write_parameters(paths: FitPaths, result: FitResult, model: HeadModel) -> None:
    state, back = result.state, result.state.head_from_scan.inverse()
    scan_from_head = np.eye(4)
    scan_from_head[:3, :3], scan_from_head[:3, 3] = back.scale * back.rotation, back.translation
    spread = result.face.spread
    write_arrays(
        paths.parameters,
        {
            "model": np.array(model.name),
            "identity": state.identity.astype(np.float32),
            "expression": state.expression.astype(np.float32),
            "expression_names": np.array(model.expression_names),
            "joint_rotations": state.joints.astype(np.float32),
            "joint_names": np.array(model.joint_names),
            "offsets": np.zeros(model.template.shape, np.float32) if result.offsets is None else result.offsets.astype(np.float32),
            "scan_from_head": scan_from_head,
            "unit_m": np.array(result.unit.metres),
            "vertices": back.points(result.vertices).astype(np.float32),
            "landmarks": np.nan_to_num(result.face.points).astype(np.float32),
            "landmarks_found": np.isfinite(spread),
        },
    )


def _write_report(paths: FitPaths, request: FitRequest, result: FitResult, model: HeadModel) -> None:
    scan, state, target = result.scan, result.state, Target(model)
    what = f"mesh, {len(scan.faces)} faces" if scan.faces is not None else f"cloud, {len(scan.vertices)} points"
    seconds = stage_seconds(paths.steps)
    back = state.head_from_scan.inverse()
    values: dict[str, Any] = {
        "source": str(request.source),
        "what": what,
        "model": request.model,
        "unit": result.unit.words,
        "unit_m": result.unit.metres,
        "scan_from_head": {"scale": back.scale, "rotation": back.rotation.tolist(), "translation": back.translation.tolist()},
        "views_with_a_face": result.face.views,
        "distances_mm": result.errors.values(),
        "distances_of_shapes_alone_mm": result.shapes_alone.values(),
        "identity_mean_square": float((state.identity**2).mean()),
        "crossings": crossings(target, result.vertices),
        "largest_offset_mm": 0.0 if result.offsets is None else 1e3 * float(np.linalg.norm(result.offsets, axis=1).max()),
        "seconds": seconds,
        "total_seconds": sum(seconds.values()),
        "peak_memory_mb": peak_memory_mb(),
        "warnings": _warnings(result),
        "headcast": headcast.__version__,
        "schema": SCHEMA,
    }
    texture = None if result.albedo is None else srgb_bytes(result.albedo.albedo)
    picture = png_bytes(comparison(target, result.vertices, scan, state.head_from_scan, result.errors.per_vertex_mm, texture))
    with replace_file(paths.heat_map) as temporary:
        temporary.write_bytes(picture)
    write_json(paths.report_json, values)
    write_text(paths.report_html, page(values, result.errors, picture, values["warnings"]))


def _warnings(result: FitResult) -> Sequence[str]:
    notes = list(result.scan.notes)
    if not result.unit.known:
        notes.append(f"The file is in {result.unit.words}. Say what one unit is with --unit-m if you know.")
    elif result.unit.metres != 1.0:
        notes.append(f"The file is in {result.unit.name}: 1 unit = {result.unit.metres:g} m.")
    face = result.errors.scan_to_head["face"]
    if face is None and result.albedo is None:
        notes.append("No point of the scan lies on the face.")
    elif face is not None and face.mean_mm > _FAR_MM:
        notes.append(f"The scan's face lies {face.mean_mm:.1f} mm from the head on average: look at the picture.")
    if (result.state.identity**2).mean() > _ODD_IDENTITY:
        notes.append("The head model finds this person unusual: its numbers are far from the mean.")
    return notes


def _make_room(paths: FitPaths, overwrite: bool) -> None:
    """Raises `InputError` where the folder may not be written to; removes an earlier fit with `overwrite`."""
    folder = paths.root
    if folder.exists() and not folder.is_dir():
        raise InputError(f"expected a folder to write to, found a file at {folder}")
    leftovers = half_written(folder) if folder.is_dir() else []
    if folder.is_dir() and set(folder.iterdir()) - set(leftovers):
        if not overwrite:
            raise InputError(f"expected an empty folder. Use --overwrite to replace the fit in it, or another folder: {folder}")
        About.load(paths.about, FIT_KIND, SCHEMA)
    for leftover in leftovers:
        leftover.unlink()
    if paths.exports.is_dir():
        shutil.rmtree(paths.exports)
    for file in (
        paths.config, paths.track, paths.albedo, paths.albedo_picture, paths.parameters, paths.registered, paths.registered_ply, paths.material,
        paths.flame_parameters, paths.heat_map, paths.steps, paths.report_json, paths.report_html, paths.about,
    ):  # fmt: skip
        file.unlink(missing_ok=True)
