"""Which frames show the most of a person: spread over pose and expression."""

import numpy as np
from jaxtyping import Bool, Float, Int

from headcast.track.marks import OUTER_EYE_CORNERS
from headcast.track.person import interocular


def choose_keyframes(
    landmarks: Float[np.ndarray, "frames landmarks 2"],
    confidence: Float[np.ndarray, "frames landmarks"],
    usable: Bool[np.ndarray, "frames"],
    count: int,
    candidates: int = 1500,
    eyes: tuple[int, int] = OUTER_EYE_CORNERS,
) -> Int[np.ndarray, "keyframes"]:
    """Up to `count` usable frames, in order of time, by farthest-point choice among shapes of the landmarks.

    Shapes are landmarks with position, size and in-plane rotation taken away, so that they differ by head turn and by expression. The first is the
    most typical one; blurred or half-hidden frames (low confidence, or landmarks that jump against both neighbours) are passed over.
    """
    frames = np.flatnonzero(usable)
    if len(frames) > candidates:
        frames = frames[np.linspace(0, len(frames) - 1, candidates).round().astype(int)]
    if len(frames) <= count:
        return frames
    shapes = _normalised(landmarks[frames], eyes)
    trust = confidence[frames].mean(1)
    good = trust >= np.quantile(trust, 0.1) - 1e-6
    frames, shapes = frames[good], shapes[good]
    if len(frames) <= count:
        return frames
    centred = shapes - shapes.mean(0)
    _, _, axes = np.linalg.svd(centred[:: max(1, len(centred) // 300)], full_matrices=False)
    features = centred @ axes[:12].T
    chosen = [int(np.argmin(((features - np.median(features, 0)) ** 2).sum(1)))]
    distance = ((features - features[chosen[0]]) ** 2).sum(1)
    limit = np.quantile(distance, 0.995)  # the last few in a thousand are mostly mistakes of the detector
    while len(chosen) < count:
        best = int(np.argmax(np.where(distance <= limit, distance, -1)))
        if distance[best] <= 1e-10:
            break
        chosen.append(best)
        distance = np.minimum(distance, ((features - features[best]) ** 2).sum(1))
        limit = max(limit, 0)
    return np.sort(frames[chosen])


def _normalised(landmarks: Float[np.ndarray, "frames landmarks 2"], eyes: tuple[int, int]) -> Float[np.ndarray, "frames coordinates"]:
    points = landmarks.astype(np.float64)
    points = points - points.mean(1, keepdims=True)
    eye = landmarks[:, eyes[1]] - landmarks[:, eyes[0]]
    angle = np.arctan2(eye[:, 1], eye[:, 0])
    cosine, sine = np.cos(-angle), np.sin(-angle)
    turned = np.stack(
        [points[..., 0] * cosine[:, None] - points[..., 1] * sine[:, None], points[..., 0] * sine[:, None] + points[..., 1] * cosine[:, None]], -1
    )
    size = np.sqrt((points**2).sum((1, 2)) / points.shape[1])
    size = np.maximum(size, 0.5 * interocular(landmarks, eyes))
    return (turned / np.maximum(size, 1e-6)[:, None, None]).reshape(len(points), -1)
