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
from headcast.evaluate.avatars import AvatarEvaluation, EvaluationConfig, Shown, evaluate_avatars, held_out_order
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
    evaluation, drawn = yield from _measured(avatars, footage, split, config, paths)
    frame = next(footage.shots([_most_frontal(run, evaluation.frames["drive"])]))
    views = novel_views(avatar, frame.pose, frame.camera)
    _write(paths, folder, run, config, evaluation, drawn, views)
    return evaluation, paths


def _split(paths: AvatarPaths, run: Run, split_file: Path | None) -> Split:
    """The one that is named, the avatar's own where this is the recording that it was built from, otherwise all frames but the first held out."""
    if split_file is not None:
        return Split.read(split_file, run.track.frame_count)
    if not paths.split.is_file():
        raise InputError(f"expected which frames trained in {paths.split}, found no such file. Name one with --split FILE")
    return Split.read(paths.split, run.track.frame_count)


def _measured(
    avatars: Mapping[str, Avatar], footage: Footage, split: Split, config: EvaluationConfig, paths: AvatarEvaluationPaths
) -> Generator[Step, None, tuple[AvatarEvaluation, dict[int, UInt8[ndarray, "height width 3"]]]]:
    """Measures, and draws every held-out frame into the video; also gives the pictures, by frame, as long as they are few."""
    drawn: dict[int, UInt8[ndarray, "height width 3"]] = {}
    time_s = footage.run.capture.time_s
    measuring = evaluate_avatars(avatars, footage, split, config)
    with ExitStack() as opened:
        movie: Movie | None = None
        while True:
            try:
                found = next(measuring)
            except StopIteration as end:
                return end.value, drawn
            if isinstance(found, Step):
                yield found
                continue
            picture = _drawn(found)
            if movie is None:
                first_s = float(time_s[found.frame.frame_idx])
                place = opened.enter_context(replace_file(paths.comparison))
                movie = opened.enter_context(Movie(place, footage.run.capture.fps, picture.shape[:2]))
            movie.add(picture, float(time_s[found.frame.frame_idx]) - first_s)
            drawn[found.frame.frame_idx] = picture


def _drawn(shown: Shown) -> UInt8[ndarray, "height width 3"]:
    return side_by_side(shown.frame, shown.portraits)


def _most_frontal(run: Run, frames: tuple[int, ...]) -> int:
    """The frame whose head faces the camera most squarely."""
    facing = [float((run.track.camera_at(frame).camera_from_world.rotation @ run.track.world_from_head[frame].rotation)[2, 2]) for frame in frames]
    return frames[int(np.argmin(facing))]


def _write(
    paths: AvatarEvaluationPaths,
    folder: Path,
    run: Run,
    config: EvaluationConfig,
    evaluation: AvatarEvaluation,
    drawn: Mapping[int, UInt8[ndarray, "height width 3"]],
    views: UInt8[ndarray, "strip_height strip_width 3"],
) -> None:
    with replace_file(paths.novel_views) as temporary:
        Image.fromarray(views).save(temporary)
    first = next(iter(evaluation.means))
    values = evaluation.psnr_db[first]["drive"]
    names = dict(zip(held_out_order(values), ("worst", "middle", "best")))
    captions = [(f"Frame {evaluation.frames['drive'][place]}: the {name}, {values[place]:.1f} dB", place) for place, name in names.items()]
    pictures = [(caption, drawn[evaluation.frames["drive"][place]]) for caption, place in captions]
    title = f"{folder.name}: {first} avatar of {run.capture.source_path.name}"
    write_text(paths.page, evaluation_page(title, evaluation, pictures, views, paths.comparison.name))
    networks = {name: None if file is None else str(file) for name, file in asdict(config.networks).items()}
    about = {
        "kind": _KIND,
        "schema": _SCHEMA,
        "avatar": str(folder),
        "run": str(run.paths.root),
        "track_sha256": InputFile.of(run.paths.track).sha256,
    }
    write_json(paths.values, {**about, "networks": networks, **evaluation.as_json()})
