"""Prepares a recording: decodes it once, follows the face, cuts out the person, and keeps the result in a Capture folder."""

import hashlib
import shutil
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np

from headcast.capture.capture import KIND, SCHEMA, Capture
from headcast.capture.chosen import ChosenSource
from headcast.capture.copies import write_copies
from headcast.capture.head_crop import head_window
from headcast.capture.parts import Arrays, Progress, read_progress, write_part
from headcast.capture.prepare_config import PrepareConfig
from headcast.capture.source import Source, SourceFrame, made_by_headcast, open_source
from headcast.errors import FormatError, InputError
from headcast.perceive import DETECTORS, FaceBox, FaceFinder, FaceFollower, LandmarkSources, Matting, NetworkMatting, Sighting, Window
from headcast.solve.step import Step, follow
from headcast.store import About, CapturePaths, InputFile, frame_spans, half_written, replace_file, write_arrays

_QUEUED = 6
"""Frames that may wait between decoding, landmarks and matting."""


def prepare(
    source_path: str | Path,
    folder: str | Path,
    config: PrepareConfig | None = None,
    *,
    resume: bool = False,
    overwrite: bool = False,
    readers: tuple[Callable[[Step], None], ...] = (),
) -> Capture:
    """The Capture of a recording, made or, where `folder` already holds it, opened; see `prepare_steps`."""
    return follow(prepare_steps(source_path, folder, config, resume=resume, overwrite=overwrite), *readers)


def prepare_steps(
    source_path: str | Path, folder: str | Path, config: PrepareConfig | None = None, *, resume: bool = False, overwrite: bool = False
) -> Generator[Step, None, Capture]:
    """Prepares a recording, one `Step` per frame; the generator's value is the Capture.

    A finished folder of the same recording and settings is used as it is. An unfinished one goes on with `resume` and gives the
    same result as if it had never stopped. `overwrite` starts anew; it removes only files that Headcast wrote. Where `source_path` is a
    Capture folder, it is copied, with the settings that it was made with.

    Raises:
        InputError: the recording is missing, or the folder holds something else.
        FormatError: the recording cannot be decoded.
    """
    config = config or PrepareConfig()
    paths = CapturePaths(Path(folder))
    if made_by_headcast(source_path):
        return (yield from _copy(Capture.open(source_path), paths, resume, overwrite))
    whole = open_source(source_path, config.folder_fps)
    config.check(whole)
    recording = _identity(whole)
    progress = _admit(paths, recording, config.key(), resume, overwrite)
    if progress is None and paths.about.is_file():
        capture = Capture.open(paths.root, source_path)
        yield Step("perceive", capture.frame_count, capture.frame_count, message=f"using the landmarks and mattes already in {paths.root}")
        yield from write_copies(capture, config.downscales, config.preview)
        return capture
    crop = yield from _crop(whole, paths, config)
    chosen = config.chosen(whole)
    source = whole if crop is None and len(chosen) == whole.frame_count else ChosenSource(whole, chosen, crop)
    network = config.network_matting(source.size)
    done = 0 if progress is None else progress.frame_count
    if done:
        yield Step("perceive", done, source.frame_count, message=f"going on at frame {done} of {source.frame_count}")
    else:
        begun = {"unfinished": True, "config": config.key(), "crop": _numbers(crop)}
        About(KIND, SCHEMA, {"source": recording}, begun).save(paths.unfinished)
    sources = config.landmark_sources()
    rows = yield from _perceive(source, paths, config, progress, network or Matting(config.matte), sources)
    arrays = {name: np.stack([row[name] for row in rows]) for name in rows[0]} if rows else {}
    if progress is not None:
        arrays = {name: np.concatenate([value, arrays[name]]) if arrays else value for name, value in progress.frames.items()}
    if not arrays:
        raise FormatError(f"expected at least one frame, found none that can be decoded, in {source_path}")
    arrays["layouts"] = np.array(sources.layout.names)
    arrays["source_frame"] = chosen[: len(arrays["time_s"])]
    _finish(paths, source, recording, config, arrays, {"source_size": list(whole.size), "source_fps": whole.metadata.fps, "crop": _numbers(crop)})
    capture = Capture.open(paths.root, source_path)
    yield from write_copies(capture, config.downscales, config.preview)
    return capture


def _crop(whole: Source, paths: CapturePaths, config: PrepareConfig) -> Generator[Step, None, Window | None]:
    """The window of an unfinished preparation, otherwise one that is looked for now; None without `--crop`."""
    if not config.crop:
        return None
    if paths.unfinished.is_file():
        return Window(*About.load(paths.unfinished, KIND, SCHEMA).details["crop"])
    return (yield from head_window(ChosenSource(whole, config.chosen(whole))))


def _numbers(crop: Window | None) -> list[int] | None:
    return None if crop is None else [crop.left, crop.top, crop.width, crop.height]


def _copy(earlier: Capture, paths: CapturePaths, resume: bool, overwrite: bool) -> Generator[Step, None, Capture]:
    """The same Capture in another folder."""
    about = About.load(earlier.paths.about, KIND, SCHEMA)
    _admit(paths, about.inputs["source"], about.details["config"], resume, overwrite)
    if not paths.about.is_file():
        About(KIND, SCHEMA, about.inputs, {"unfinished": True, "config": about.details["config"]}).save(paths.unfinished)
        for old in (*sorted(earlier.paths.mattes.iterdir()), earlier.paths.landmarks, earlier.paths.about):
            with replace_file(paths.root / old.relative_to(earlier.paths.root)) as new:
                shutil.copyfile(old, new)
        _tidy(paths)
    yield Step("perceive", earlier.frame_count, earlier.frame_count, message=f"using the landmarks and mattes of {earlier.paths.root}")
    return Capture.open(paths.root)


def _identity(source: Source) -> InputFile:
    """The recording by contents; of several pictures, their names and contents in order."""
    if len(source.files) == 1:
        return InputFile.of(source.files[0])
    inputs = [InputFile.of(file) for file in source.files]
    listing = "".join(f"{file.name} {one.sha256}\n" for file, one in zip(source.files, inputs))
    return InputFile(source.path.resolve(), sum(one.byte_count for one in inputs), hashlib.sha256(listing.encode()).hexdigest())


def _admit(paths: CapturePaths, recording: InputFile, config_key: str, resume: bool, overwrite: bool) -> Progress | None:
    """What to go on from. Clears the folder where that is allowed, refuses where it is needed and not allowed."""
    if not paths.root.exists() or (paths.root.is_dir() and not any(paths.root.iterdir())):
        return None
    if not paths.root.is_dir():
        raise InputError(f"expected a folder to write to, found a file at {paths.root}")
    finished, begun = paths.about.is_file(), paths.unfinished.is_file()
    killed_at_once = not finished and not begun and all(path in (paths.parts, paths.mattes) for path in paths.root.iterdir())
    if overwrite or killed_at_once:
        _clear(paths)
        return None
    if not finished and not begun:
        raise InputError(f"expected an empty folder, found {sorted(p.name for p in paths.root.iterdir())[:5]}. Choose another one: {paths.root}")
    about = About.load(paths.about if finished else paths.unfinished, KIND, SCHEMA)
    if not about.inputs["source"].same_contents(recording):
        raise InputError(
            f"the folder holds the capture of another recording ({about.inputs['source'].path}). Use --overwrite or another folder: {paths.root}"
        )
    if about.details.get("config") != config_key:
        raise InputError(f"the folder holds a capture of this recording made with other settings. Use --overwrite or another folder: {paths.root}")
    if finished:
        _tidy(paths)
        return None
    if not resume:
        raise InputError(
            f"the folder holds an unfinished capture of this recording. Use --resume to go on or --overwrite to start anew: {paths.root}"
        )
    return read_progress(paths)


def _clear(paths: CapturePaths) -> None:
    for folder in (paths.parts, paths.mattes, paths.parsing.root, *(path for path in paths.root.glob("images*") if _is_copy(path, paths))):
        if folder.is_dir():
            shutil.rmtree(folder)
    paths.about.unlink(missing_ok=True)
    paths.preview.unlink(missing_ok=True)
    paths.landmarks.unlink(missing_ok=True)


def _is_copy(path: Path, paths: CapturePaths) -> bool:
    """Whether a folder holds pictures that `--downscales` wrote."""
    factor = path.name.removeprefix("images").removeprefix("_") or "1"
    return factor.isdecimal() and path == paths.pictures(int(factor))


def _perceive(
    source: Source, paths: CapturePaths, config: PrepareConfig, progress: Progress | None, matting: Matting | NetworkMatting, sources: LandmarkSources
) -> Generator[Step, None, list[Arrays]]:
    """Arrays of each frame that is not in `progress`. Decoding and matting run beside the landmarks, each on a thread of its own."""
    start = 0 if progress is None else progress.frame_count
    follower = FaceFollower(DETECTORS[config.detector](config.detector_file), FaceFinder(), config.follow)
    if progress is not None:
        follower.state, matting.state = progress.follow, progress.matte
    paths.mattes.mkdir(parents=True, exist_ok=True)
    rows: list[Arrays] = []
    waiting: deque[tuple[SourceFrame, Sighting, Future]] = deque()
    written = 0
    with ThreadPoolExecutor(1, "decode") as decoder, ThreadPoolExecutor(1, "matte") as matter:
        for frame in _ahead(source.frames(start), decoder):
            sighting = Sighting(None, False) if frame.damaged else follower.step(frame.image, frame.time_s)
            waiting.append((frame, sighting, matter.submit(_matte, matting, paths, frame, sighting)))
            full = len(rows) + len(waiting) - written >= config.part_frames
            while waiting and (full or len(waiting) > _QUEUED):
                rows.append(_row(*waiting.popleft(), sources))
                idx = start + len(rows)
                yield Step("perceive", idx, max(source.frame_count, idx), {"found": float(rows[-1]["found"])}, frame_idx=idx - 1)
            if full:
                write_part(paths, start + written, rows[written:], follower.state, matting.state)
                written = len(rows)
        while waiting:
            rows.append(_row(*waiting.popleft(), sources))
            idx = start + len(rows)
            yield Step("perceive", idx, max(source.frame_count, idx), {"found": float(rows[-1]["found"])}, frame_idx=idx - 1)
    return rows


def _ahead(frames: Iterator[SourceFrame], decoder: ThreadPoolExecutor) -> Iterator[SourceFrame]:
    """The same frames, decoded a few ahead on the decoder's thread."""
    coming = deque(decoder.submit(next, frames, None) for _ in range(_QUEUED))
    while (frame := coming.popleft().result()) is not None:
        coming.append(decoder.submit(next, frames, None))
        yield frame


def _matte(matting: Matting | NetworkMatting, paths: CapturePaths, frame: SourceFrame, sighting: Sighting) -> tuple[int, int, int, int]:
    """Writes the matte of a frame and returns its window; zeros where there is no face."""
    if sighting.landmarks is None:
        matting.state = None
        return 0, 0, 0, 0
    matte = matting.step(frame.image, frame.alpha, sighting.landmarks.box, sighting.cut)
    with replace_file(paths.matte(frame.frame_idx)) as temporary:
        temporary.write_bytes(cv2.imencode(".png", matte.alpha, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1])
    return matte.window.left, matte.window.top, matte.window.width, matte.window.height


def _row(frame: SourceFrame, sighting: Sighting, window: Future, sources: LandmarkSources) -> Arrays:
    count = sources.layout.count
    seen = None if sighting.landmarks is None else sources(frame.image, sighting.landmarks)
    nothing = np.zeros(count, np.float32)
    return {
        "landmarks_px": np.zeros((count, 2), np.float32) if seen is None else seen.points_px,
        "depth_px": nothing if seen is None else seen.depth_px,
        "confidence": nothing if seen is None else seen.confidence,
        "visibility": nothing if seen is None else seen.visibility,
        "found": np.array(seen is not None),
        "cuts": np.array(sighting.cut),
        "damaged": np.array(frame.damaged),
        "time_s": np.array(frame.time_s),
        "box": np.zeros(4, np.float32) if seen is None else _box_row(seen.box),
        "matte_window": np.array(window.result(), np.int32),
    }


def _box_row(box: FaceBox) -> np.ndarray:
    return np.array([*box.center_px, box.side_px, box.roll_rad], np.float32)


def _finish(paths: CapturePaths, source: Source, recording: InputFile, config: PrepareConfig, arrays: Arrays, more: dict) -> None:
    """Writes the arrays, then `about.json`, which makes the folder a finished one, and removes the pieces and what a kill left half-written."""
    write_arrays(paths.landmarks, arrays)
    details = {
        "source": str(source.path.resolve()),
        "config": config.key(),
        "frames": len(arrays["time_s"]),
        "size": list(source.size),
        "fps": source.metadata.fps,
        "focal_hint_px": source.metadata.focal_px,
        "kind": source.metadata.kind,
        "rotation_deg": source.metadata.rotation_deg,
        "mirrored": source.metadata.mirrored,
        "pixel_aspect": source.metadata.pixel_aspect,
        "warnings": [*source.warnings, *_findings(arrays)],
        **more,
    }
    About(KIND, SCHEMA, {"source": recording}, details).save(paths.about)
    _tidy(paths)


def _tidy(paths: CapturePaths) -> None:
    if paths.parts.is_dir():
        shutil.rmtree(paths.parts)
    for leftover in [*half_written(paths.root), *half_written(paths.mattes)]:
        leftover.unlink()


def _findings(arrays: Arrays) -> list[str]:
    """What a person should know about the clip, naming frames."""
    findings = []
    lost, cuts, damaged = ~arrays["found"], np.flatnonzero(arrays["cuts"]), arrays["damaged"]
    if lost.all():
        findings.append("no face was found in any frame")
    elif lost.any():
        findings.append(f"no face was found in {lost.sum()} of {len(lost)} frames: {frame_spans(lost)}")
    if damaged.any():
        findings.append(f"{damaged.sum()} frames could not be decoded: {frame_spans(damaged)}")
    if len(cuts):
        findings.append(f"a new shot or another face starts at frame {', '.join(str(i) for i in cuts[:20])}")
    return findings
