"""An avatar's comparison with a recording as files: numbers, a page, a video, views that nobody recorded."""

from collections.abc import Generator, Mapping
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image

from headcast.avatars import Avatar, BaselineAvatar, Footage, Split, check_same_model, load_avatar, parsed_steps
from headcast.capture.movie import Movie
from headcast.errors import InputError
from headcast.evaluate.avatar_page import evaluation_page
from headcast.evaluate.avatar_pictures import novel_views, side_by_side
from headcast.evaluate.avatars import AvatarEvaluation, EvaluationConfig, evaluate_avatars, outstanding
from headcast.solve.step import Step
from headcast.store import AvatarEvaluationPaths, AvatarPaths, InputFile, replace_file, write_json, write_text
from headcast.track.run import Run

_KIND, _SCHEMA = "avatar evaluation", 1


def compare_avatar(
    folder: Path, run_folder: Path, split_file: Path | None = None, config: EvaluationConfig | None = None
) -> Generator[Step, None, tuple[AvatarEvaluation, AvatarEvaluationPaths]]:
    """Measures the avatar in a folder on a run of its person, and writes what a person looks at into the avatar's folder.

    Args:
        split_file: which frames trained and which are held out; the avatar's own split, if not given.

    Raises:
        InputError: folder or run are something else, unfinished, or of different head models.
    """
    config = config or EvaluationConfig()
    avatar, run = load_avatar(folder), Run.open(run_folder)
    check_same_model(avatar, run.model, run.paths.root)
    split = _split(AvatarPaths(folder), run, split_file)
    yield from parsed_steps(run)
    footage = Footage.of(run)
    avatars: dict[str, Avatar] = {avatar.kind: avatar}
    if config.baseline and run.albedo is not None and avatar.kind != BaselineAvatar.kind:
        avatars[BaselineAvatar.kind] = BaselineAvatar.of(run)
    paths = AvatarPaths(folder).evaluation
    evaluation = yield from _measured(avatars, footage, split, config, paths)
    frame = next(footage.shots([_most_frontal(run, evaluation.frames["drive"])]))
    views = novel_views(avatar, frame.pose, frame.camera)
    _write(paths, folder, run, config, evaluation, _outstanding(avatars, footage, evaluation), views)
    return evaluation, paths


def _split(paths: AvatarPaths, run: Run, split_file: Path | None) -> Split:
    """The one that is named, otherwise the avatar's own."""
    if split_file is not None:
        return Split.read(split_file, run.track.frame_count)
    if not paths.split.is_file():
        raise InputError(f"expected which frames trained in {paths.split}, found no such file. Name one with --split FILE")
    return Split.read(paths.split, run.track.frame_count)


def _measured(
    avatars: Mapping[str, Avatar], footage: Footage, split: Split, config: EvaluationConfig, paths: AvatarEvaluationPaths
) -> Generator[Step, None, AvatarEvaluation]:
    """Measures, and draws every held-out frame into the video."""
    capture = footage.run.capture
    measuring = evaluate_avatars(avatars, footage, split, config)
    movie, first_s = None, 0.0
    with ExitStack() as opened:
        while True:
            try:
                found = next(measuring)
            except StopIteration as end:
                return end.value
            if isinstance(found, Step):
                yield found
                continue
            picture, time_s = side_by_side(found.frame, found.portraits), float(capture.time_s[found.frame.frame_idx])
            if movie is None:
                place = opened.enter_context(replace_file(paths.comparison))
                movie, first_s = opened.enter_context(Movie(place, capture.fps, picture.shape[:2])), time_s
            movie.add(picture, time_s - first_s)


def _outstanding(
    avatars: Mapping[str, Avatar], footage: Footage, evaluation: AvatarEvaluation
) -> list[tuple[str, UInt8[ndarray, "height row_width 3"]]]:
    """The first avatar's worst, middle and best held-out frame, each with a caption."""
    frames, values = evaluation.frames["drive"], evaluation.psnr_db[next(iter(avatars))]["drive"]
    pictures = []
    for place, name in outstanding(values).items():
        frame = next(footage.shots([frames[place]]))
        portraits = {own: avatar.render(frame.pose, frame.camera) for own, avatar in avatars.items()}
        pictures.append((f"Frame {frames[place]}: the {name}, {values[place]:.1f} dB", side_by_side(frame, portraits)))
    return pictures


def _most_frontal(run: Run, frames: tuple[int, ...]) -> int:
    """The frame whose head faces the camera most squarely."""
    facing = [float((run.track.camera_at(frame).camera_from_world.rotation @ run.track.world_from_head[frame].rotation)[2, 2]) for frame in frames]
    return frames[int(np.argmin(facing))]


def _write(
    paths: AvatarEvaluationPaths,
    avatar: Path,
    run: Run,
    config: EvaluationConfig,
    evaluation: AvatarEvaluation,
    pictures: list[tuple[str, UInt8[ndarray, "height row_width 3"]]],
    views: UInt8[ndarray, "strip_height strip_width 3"],
) -> None:
    with replace_file(paths.novel_views) as temporary:
        Image.fromarray(views).save(temporary)
    title = f"{avatar.resolve().name}: {next(iter(evaluation.means))} avatar of {run.capture.source_path.name}"
    write_text(paths.page, evaluation_page(title, evaluation, pictures, views, paths.comparison.name))
    networks = {name: None if file is None else str(file) for name, file in asdict(config.networks).items()}
    about = {"kind": _KIND, "schema": _SCHEMA, "avatar": str(avatar), "run": str(run.paths.root)}
    track = InputFile.of(run.paths.track).sha256
    write_json(paths.values, {**about, "track_sha256": track, "networks": networks, **evaluation.as_json()})
