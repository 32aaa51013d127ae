"""Light and albedo of a person in closed form: what keyframes show of each texel, robustly averaged; unseen texels are filled from around."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int

from headcast.compiled import compiled
from headcast.render import rasterize_arrays
from headcast.threads import in_parts, mapped
from headcast.track.light import AMBIENT, gamma_shading
from headcast.track.lighting import Brightness, Lighting, Unknown, possible_lights, solve_lighting, thinned, unexplained
from headcast.track.person import Person
from headcast.track.photometric import GAMMA, _sample
from headcast.track.sight import Sight
from headcast.track.surface import Surface
from headcast.track.view import View, view_of

_CLEARLY = 0.9
"""Share of what one kind of light leaves unexplained that another must stay below to be taken instead."""


@dataclass(frozen=True)
class Texels:
    """The texels that a surface covers in its atlas."""

    side_px: int
    row: Int[np.ndarray, "texels"]
    column: Int[np.ndarray, "texels"]
    face: Int[np.ndarray, "texels"]
    """Of the surface."""
    corners: Float[np.ndarray, "texels 3"]
    """Barycentric weights."""
    counted: Bool[np.ndarray, "texels"]
    """Whether the colour term uses the face."""

    @classmethod
    def of(cls, surface: Surface, side_px: int) -> "Texels":
        count = len(surface.faces)
        flat = surface.uv.reshape(-1, 2)
        positions = np.stack([flat[:, 0] * side_px, (1 - flat[:, 1]) * side_px, np.ones(len(flat))], 1).astype(np.float32)
        face, barycentric, _ = rasterize_arrays(positions, np.arange(3 * count, dtype=np.int32).reshape(-1, 3), side_px, side_px, cull=False)
        row, column = np.nonzero(face >= 0)
        first_two = barycentric[row, column][:, :2]
        corners = np.concatenate([first_two, 1 - first_two.sum(1, keepdims=True)], 1)
        owner = face[row, column]
        return cls(side_px, row, column, owner, corners.astype(np.float32), surface.face_weight[owner] > 0)


@compiled(
    "i4[::1], f4[:,::1], i4[:,::1], f4[:,::1], f4[:,::1], f4[:,::1], f4[::1], f4[::1], f4[:,::1], f4[:,:,::1], f4[:,::1], f4[:,::1], "
    "f4[:,::1], f4[:,::1], f4[::1]",
    fastmath=True,
)
def _look_up(
    texel_face, texel_corners, faces, camera_points, normals, shading, focal, center, depth_buffer, image, matte, inner,
    out_color, out_shade, out_weight,
):  # fmt: skip
    height, width = depth_buffer.shape
    zero, one = np.float32(0), np.float32(1)
    point, normal = np.empty(3, np.float32), np.empty(3, np.float32)
    for t in range(len(texel_face)):
        out_weight[t] = zero
        square, along = zero, zero
        for a in range(3):
            point[a], normal[a], shade = zero, zero, zero
            for k in range(3):
                v = faces[texel_face[t], k]
                point[a] += texel_corners[t, k] * camera_points[v, a]
                normal[a] += texel_corners[t, k] * normals[v, a]
                shade += texel_corners[t, k] * shading[v, a]
            out_shade[t, a] = shade
            square += point[a] * point[a]
            along -= point[a] * normal[a]
        facing = along / max(np.float32(np.sqrt(square)), np.float32(1e-6))
        if facing < 0.15 or point[2] <= 0:
            continue
        x = focal[0] * point[0] / point[2] + center[0]
        y = focal[1] * point[1] / point[2] + center[1]
        if x < 1 or y < 1 or x >= width - 1 or y >= height - 1:
            continue
        column, row = int(x), int(y)
        # A texel is seen where nothing in the depth buffer lies clearly in front of it.
        if (depth_buffer[row, column] > 0 and depth_buffer[row, column] < point[2] - 0.004) or matte[row, column] < 0.9:
            continue
        _sample(image, x, y, out_color[t])
        # Along outlines the picture mixes skin with what is behind: better than nothing, where no other frame shows the texel.
        out_weight[t] = facing * facing * (one if inner[row, column] > 0 else np.float32(0.06))


@dataclass(frozen=True)
class Looks:
    """What keyframes show of the texels, gamma space."""

    color: Float[np.ndarray, "keyframes texels 3"]
    shade: Float[np.ndarray, "keyframes texels 3"]
    weight: Float[np.ndarray, "keyframes texels"]
    normals: Float[np.ndarray, "keyframes vertices 3"]
    """In the axes of the light, see `Person.light_from_camera`."""
    clip: Int[np.ndarray, "keyframes"]
    """Whose light falls on each."""

    def turned(self, rotations: Sequence[Float[np.ndarray, "3 3"]]) -> "Looks":
        """The same with the normals of each view turned."""
        return replace(self, normals=np.stack([each @ turn.T.astype(np.float32) for each, turn in zip(self.normals, rotations, strict=True)]))


def look(person: Person, texels: Texels, seen: Sequence[Sight]) -> Looks:
    """Samples every view at every texel that it shows."""
    surface = person.tracked.surface
    count = len(texels.face)
    color = np.zeros((len(seen), count, 3), np.float32)
    shade = np.zeros((len(seen), count, 3), np.float32)
    weight = np.zeros((len(seen), count), np.float32)
    normals = np.zeros((len(seen), len(surface.vertex_idx), 3), np.float32)

    def sample(k: int) -> None:
        own, picture = seen[k].person, seen[k].observation.levels[0]
        view: View = view_of(own, seen[k].state, picture.window)
        focal = picture.window.focal(own.focal_px).astype(np.float32)
        center = picture.window.center(own.center_px).astype(np.float32)
        depth = np.where(view.face >= 0, view.depth, 0).astype(np.float32)
        _look_up(
            texels.face, texels.corners, surface.faces, view.motion.camera_points, view.normals, view.shading, focal, center, depth,
            picture.image, picture.matte, view.inner, color[k], shade[k], weight[k],
        )  # fmt: skip
        normals[k] = view.normals @ own.light_from_camera.T.astype(np.float32)

    deque(mapped(sample, range(len(seen))), maxlen=0)
    return Looks(color, shade, weight, normals, np.array([person.rig.clip(sight.person.camera) for sight in seen], int))


@compiled("i8, i8, f4[:,:,::1], f4[:,:,::1], f4[:,::1], f4, i8, f4[:,::1], f4[::1], f4[::1]", fastmath=True)
def _robust_albedo(first, last, color, shade, weight, sigma, rounds, albedo, spread, total):
    keyframes = len(color)
    robust = np.empty(keyframes, np.float32)
    for t in range(first, last):
        total[t] = 0
        for k in range(keyframes):
            robust[k] = weight[k, t]
            total[t] += weight[k, t]
        spread[t] = sigma
        for _ in range(rounds):
            for c in range(3):
                top, bottom = np.float32(0.0), np.float32(0.0)
                for k in range(keyframes):
                    top += robust[k] * color[k, t, c] * shade[k, t, c]
                    bottom += robust[k] * shade[k, t, c] * shade[k, t, c]
                albedo[t, c] = top / max(bottom, np.float32(1e-6))
            squares, weights = np.float32(0.0), np.float32(0.0)
            for k in range(keyframes):
                error = np.float32(0.0)
                for c in range(3):
                    off = color[k, t, c] - albedo[t, c] * shade[k, t, c]
                    error += off * off
                error /= 3
                squares += error * robust[k]
                weights += robust[k]
                likeness = 1 / (1 + error / (4 * sigma * sigma))
                robust[k] = weight[k, t] * likeness * likeness
            spread[t] = np.sqrt(squares / max(weights, np.float32(1e-6)))


def solve_albedo(
    looks: Looks, sigma: float, rounds: int = 3
) -> tuple[Float[np.ndarray, "texels 3"], Float[np.ndarray, "texels"], Float[np.ndarray, "texels"]]:
    """Robust weighted mean of colour over shading, its spread (gamma space) and the summed weight, per texel."""
    count = looks.weight.shape[1]
    albedo, spread, total = np.zeros((count, 3), np.float32), np.empty(count, np.float32), np.empty(count, np.float32)
    in_parts(_robust_albedo, count, looks.color, looks.shade, looks.weight, np.float32(sigma), rounds, albedo, spread, total)
    return albedo, spread, total


@compiled("i4[::1], f4[:,::1], i4[:,::1], f4[:,::1], f4[:,::1]", fastmath=True)
def _at_texels(texel_face, texel_corners, faces, values, out):
    for t in range(len(texel_face)):
        f = texel_face[t]
        for c in range(values.shape[1]):
            out[t, c] = (
                texel_corners[t, 0] * values[faces[f, 0], c]
                + texel_corners[t, 1] * values[faces[f, 1], c]
                + texel_corners[t, 2] * values[faces[f, 2], c]
            )


def paint(person: Person, texels: Texels, seen: Sequence[Sight], sigma: float, skin: Bool[np.ndarray, "texels"]) -> Person:
    """The person with light and texture solved from views of keyframes, as far as they were not given.

    Light and the views' gains first, whatever the albedo; then the albedo in that light.
    """
    looks = look(person, texels, seen)
    person, looks, lighting = _lit(person, texels, looks, seen, skin & (looks.weight.sum(0) > 0))
    gains = lighting.gains ** np.float32(1 / GAMMA)
    shaded = np.empty_like(looks.shade)

    def shade(k: int) -> None:
        shading = gamma_shading(looks.normals[k], np.eye(3), person.all_lights[looks.clip[k]]) * gains[k]
        _at_texels(texels.face, texels.corners, person.tracked.surface.faces, shading, shaded[k])

    deque(mapped(shade, range(len(shaded))), maxlen=0)
    albedo, spread, weight = solve_albedo(replace(looks, shade=shaded), sigma)
    plain = _of_one_colour(person.tracked.surface.filled[texels.face], albedo, weight)
    # The noise is what half of the skin shows: the camera's, and that of a model which is never quite right.
    typical = spread[skin & (weight > 0.3)]
    measured = float(np.median(typical)) if len(looks.weight) > 2 and len(typical) > 50 else sigma
    sigma = float(np.clip(measured, 0.2 * sigma, sigma))
    certainty = ~plain * np.clip(weight, 0, 1) / (1 + (spread / sigma) ** 2) * skin_likeness(albedo, weight, rim_of(person, texels), skin)
    texture = person.texture if "texture" in person.fixed else fill_texture(texels, albedo, certainty, weight)
    return person.changed(texture=texture, color_sigma=sigma)


def _of_one_colour(
    part: Int[np.ndarray, "texels"], albedo: Float[np.ndarray, "texels 3"], weight: Float[np.ndarray, "texels"]
) -> Bool[np.ndarray, "texels"]:
    """Which texels belong to parts that are not painted; they get the middle colour of what is seen of their part, in place."""
    for number in np.unique(part[part >= 0]):
        mine = part == number
        seen = mine & (weight > 0.001)
        if seen.any():
            albedo[mine], weight[mine] = np.median(albedo[seen], axis=0), 1
    return part >= 0


def _lit(person: Person, texels: Texels, looks: Looks, seen: Sequence[Sight], skin: Bool[np.ndarray, "texels"]) -> tuple[Person, Looks, Lighting]:
    """The person and what was seen with light and gains solved; where a camera moves and nobody said it, light goes along if that explains more."""
    lighting, misfit = _lighting(person, texels, looks, skin)
    if person.rig.pose_count > 1 and not person.fixed & {"light", "light_follows"}:
        other = person.changed(light_follows=not person.light_follows).lit(np.tile(AMBIENT, (len(person.all_lights), 1, 1)))
        turned = looks.turned([a.person.changed(light_follows=other.light_follows).light_from_camera @ a.person.light_from_camera.T for a in seen])
        instead, remaining = _lighting(other, texels, turned, skin)
        if remaining < _CLEARLY * misfit:
            person, looks, lighting = other, turned, instead
    return person.lit(lighting.lights), looks, lighting


def _lighting(person: Person, texels: Texels, looks: Looks, skin: Bool[np.ndarray, "texels"]) -> tuple[Lighting, float]:
    """The light and the views' gains, solved as far as they are unknown, and what they leave unexplained.

    Brightness is shared between light, gains and albedo: where both may change, the gains' mean is one, and the light's over the face.
    """
    start = Lighting(person.all_lights, np.ones((len(looks.weight), 3), np.float32))
    unknown = Unknown("light" not in person.fixed, person.gain_sigma)
    if not unknown.lights and unknown.gain_sigma is None:
        return start, 0.0
    chosen, painted = thinned(skin), "texture" in person.fixed
    corners = person.tracked.surface.faces[texels.face[chosen]]
    normals = np.einsum("ntkc,tk->ntc", looks.normals[:, corners], texels.corners[chosen])
    given = person.texture[texels.row[chosen], texels.column[chosen], :3] ** GAMMA if painted else None
    shown = Brightness.of(looks.color[:, chosen], normals, looks.weight[:, chosen], looks.clip)
    found = solve_lighting(shown, start, unknown, given)
    lights, level = found.lights, found.level
    if not unknown.lights:
        level = np.ones(3) if painted else level
    else:
        lights = lights * level if painted else possible_lights(lights)
    settled = Lighting(lights.astype(np.float32), (found.gains / level).astype(np.float32))
    return settled, unexplained(shown, settled, given)


def rim_of(person: Person, texels: Texels) -> Float[np.ndarray, "texels"]:
    """How far towards the rim of the face each texel lies, seen from the front: 0 at its middle, 1 on the oval of the landmarks."""
    oval = person.tracked.face_oval.astype(np.float64)
    centre = (oval.min(0) + oval.max(0)) / 2
    around = oval - centre
    angle = np.arctan2(around[:, 1], around[:, 0])
    order = np.argsort(angle)
    vertices = person.tracked.surface.basis.template[:, :2] - centre
    radius = np.interp(np.arctan2(vertices[:, 1], vertices[:, 0]), angle[order], np.linalg.norm(around, axis=1)[order], period=2 * np.pi)
    rim = np.linalg.norm(vertices, axis=1) / radius
    return np.einsum("tk,tk->t", rim[person.tracked.surface.faces[texels.face]], texels.corners)


def skin_likeness(
    albedo: Float[np.ndarray, "texels 3"], weight: Float[np.ndarray, "texels"], rim: Float[np.ndarray, "texels"], skin: Bool[np.ndarray, "texels"]
) -> Float[np.ndarray, "texels"]:
    """1 for texels that may be this person's skin, less towards the rim where they look otherwise: hair, hats and collars move by themselves."""
    core = skin & (weight > 0.3) & (rim < 0.7)
    if core.sum() < 50:
        return np.ones(len(albedo), np.float32)
    middle = np.median(albedo[core], axis=0)
    width = np.maximum(1.5 * np.median(np.abs(albedo[core] - middle), axis=0), 0.05)
    distance = (((albedo - middle) / width) ** 2).mean(1)
    strange = np.clip(distance / 6 - 1, 0, None)
    towards_rim = np.clip((rim - 0.7) / 0.2, 0, 1)
    return (1 / (1 + strange * towards_rim)).astype(np.float32)


def fill_texture(
    texels: Texels, albedo: Float[np.ndarray, "texels 3"], certainty: Float[np.ndarray, "texels"], weight: Float[np.ndarray, "texels"]
) -> Float[np.ndarray, "side side 4"]:
    """The atlas: seen texels as they are, the rest spread from their surroundings; the last channel says how sure each texel is."""
    side = texels.side_px
    known = np.zeros((side, side), np.float32)
    color = np.zeros((side, side, 3), np.float32)
    sure = np.zeros((side, side), np.float32)
    good = weight > 0.001
    row, column = texels.row[good], texels.column[good]
    known[row, column] = 1
    color[row, column] = albedo[good]
    sure[row, column] = certainty[good]
    filled = pull_push(color, known)
    return np.ascontiguousarray(np.concatenate([filled, sure[..., None]], -1), np.float32)


def pull_push(color: Float[np.ndarray, "height width 3"], known: Float[np.ndarray, "height width"]) -> Float[np.ndarray, "height width 3"]:
    """Unknown texels from ever coarser means of the known ones (Grossman & Dally 1998)."""
    if min(known.shape) <= 2:
        total = max(float(known.sum()), 1e-6)
        mean = (color * known[..., None]).sum((0, 1)) / total
        return np.where(known[..., None] > 0, color, mean).astype(np.float32)
    size = ((known.shape[1] + 1) // 2, (known.shape[0] + 1) // 2)
    weight = cv2.resize(known, size, interpolation=cv2.INTER_AREA)
    summed = cv2.resize(color * known[..., None], size, interpolation=cv2.INTER_AREA)
    coarse = pull_push(summed / np.maximum(weight, 1e-6)[..., None], (weight > 0).astype(np.float32))
    back = cv2.resize(coarse, known.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.where(known[..., None] > 0, color, back).astype(np.float32)
