"""What the open head's prior allows: faces that stay faces, teeth that stay behind lips, lids that close."""

import numpy as np
import pytest
import torch
from scipy.ndimage import label

from headcast.geometry import Camera, Mesh, Transform
from headcast.heads import HeadModel, open_head
from headcast.render import rasterize

MOODS = {
    "neutral": {},
    "jaw open": {"jawOpen": 1.0},
    "smile": {"mouthSmileLeft": 1.0, "mouthSmileRight": 1.0},
    "laugh": {"mouthSmileLeft": 1.0, "mouthSmileRight": 1.0, "jawOpen": 0.4},
}


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return open_head()


def people(head: HeadModel, count: int, seed: int = 0) -> torch.Tensor:
    """Coefficients drawn from the prior and cut off at two standard deviations."""
    return torch.randn(count, head.identity_count, generator=torch.Generator().manual_seed(seed)).clamp(-2, 2)


def vertices_of(head: HeadModel, identity: torch.Tensor | None = None, expression: dict[str, float] | None = None) -> torch.Tensor:
    pose = head.neutral_pose()
    for name, value in (expression or {}).items():
        pose.expression[head.expression_names.index(name)] = value
    return head.shaped(torch.zeros(0) if identity is None else identity).posed(pose).vertices


def face_normals(head: HeadModel, vertices: torch.Tensor) -> torch.Tensor:
    corners = vertices[..., head.faces[head.face_regions("face")], :]
    return torch.nn.functional.normalize(torch.linalg.cross(corners[..., 1, :] - corners[..., 0, :], corners[..., 2, :] - corners[..., 0, :]), dim=-1)


def inside_flesh(head: HeadModel, vertices: torch.Tensor, of: torch.Tensor) -> np.ndarray:
    """Which vertices lie inside the skin: the winding number of its surface (van Oosterom and Strackee 1983, eq. 8), which is closed but for
    the neck, is near one there and near zero in the mouth."""
    attached = head.regions["eyeballs"] | head.regions["tongue"] | _rows_of_teeth(head)
    flesh = head.faces[~attached[head.faces].any(1)]
    points = vertices[of].double().numpy()
    a, b, c = (vertices[flesh[:, k]].double().numpy()[None] - points[:, None] for k in range(3))
    la, lb, lc = (np.linalg.norm(side, axis=2) for side in (a, b, c))
    above = np.einsum("pfk,pfk->pf", a, np.cross(b, c))
    below = la * lb * lc + (a * b).sum(2) * lc + (b * c).sum(2) * la + (c * a).sum(2) * lb
    return 2 * np.arctan2(above, below).sum(1) / (4 * np.pi) > 0.5


def _rows_of_teeth(head: HeadModel) -> torch.Tensor:
    """Vertices that edges connect with a tooth: teeth and their gums."""
    reached = head.regions["teeth"].clone()
    while True:
        grown = reached.clone()
        grown[head.faces[reached[head.faces].any(1)].unique()] = True
        if (grown == reached).all():
            return reached
        reached = grown


def seen_from(head: HeadModel, vertices: torch.Tensor, yaw: float = 0.0, size: int = 400) -> torch.Tensor:
    """The face seen at each pixel of a picture that the head fills, −1 for none."""
    turn = Transform.from_axis_angle(torch.tensor([0.0, yaw, 0.0]), torch.tensor([0.0, 0.02, -0.9]))
    camera = Camera.looking_along_minus_z(2.6 * size, (size, size))
    return rasterize(Mesh(turn.points(vertices), head.faces), camera).face.long()


def test_no_single_mode_turns_a_face_of_the_mesh_over(head):
    before = face_normals(head, head.template)
    for amount in (-2.0, 2.0):
        for mode in head.identity_basis:
            assert (face_normals(head, head.template + amount * mode) * before).sum(-1).min() > 0.2


def test_people_from_the_prior_have_hardly_any_face_turned_over(head):
    before = face_normals(head, head.template)
    turned = [((face_normals(head, vertices_of(head, identity)) * before).sum(-1) < 0).sum().item() for identity in people(head, 40)]
    assert max(turned) <= 12, "a few small ones in the corners of mouth and eyes"
    assert np.mean(turned) < 0.5


@pytest.mark.parametrize("mood", MOODS)
def test_no_tooth_is_in_the_lips(head, mood):
    crowns = head.regions["teeth"]
    assert not inside_flesh(head, vertices_of(head, None, MOODS[mood]), crowns).any()


def test_no_tooth_is_in_the_lips_of_unusual_people(head):
    crowns = head.regions["teeth"].clone()
    crowns[crowns.nonzero()[1::2]] = False
    for identity in people(head, 4, seed=1):
        assert not inside_flesh(head, vertices_of(head, identity), crowns).any()
    for mode in range(3):
        for amount in (-2.0, 2.0):
            assert not inside_flesh(head, vertices_of(head, amount * torch.eye(head.identity_count)[mode]), crowns).any()


def test_the_test_for_flesh_knows_flesh(head):
    chin = head.regions["face"] & (head.template[:, 1] < -0.09) & (head.template[:, 0].abs() < 0.01)
    sunk = head.template.clone()
    sunk[chin] -= torch.tensor([0.0, 0.0, 0.004])
    probe = torch.cat([head.template, sunk[chin]])
    of = torch.arange(len(probe)) >= len(head.template)
    assert inside_flesh(head, probe, of).mean() > 0.9


def test_closed_lips_show_no_teeth(head):
    teeth = head.regions["teeth"][head.faces].any(1)
    for yaw in (-0.5, 0.0, 0.5):
        seen = seen_from(head, head.template, yaw)
        assert (teeth[seen] & (seen >= 0)).sum() < 1e-4 * (seen >= 0).sum()


def test_a_laugh_shows_teeth(head):
    seen = seen_from(head, vertices_of(head, None, MOODS["laugh"]))
    assert (head.regions["teeth"][head.faces].any(1)[seen] & (seen >= 0)).sum() > 20


def test_one_cannot_see_through_the_head(head):
    for mood in ({}, {"jawOpen": 1.0}, {"eyeWideLeft": 1.0, "eyeWideRight": 1.0}):
        for yaw in (-0.6, 0.0, 0.6):
            holes = label((seen_from(head, vertices_of(head, None, mood), yaw) < 0).numpy())[1] - 1
            assert holes == 0


def test_closed_lids_hide_the_eyes_of_everybody(head):
    eyes = head.regions["eyeballs"][head.faces].all(1)
    blink = {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0}
    for identity in [torch.zeros(head.identity_count), *people(head, 6, seed=2)]:
        opened, closed = (seen_from(head, vertices_of(head, identity, shape)) for shape in ({}, blink))
        assert (eyes[opened] & (opened >= 0)).sum() > 200
        assert (eyes[closed] & (closed >= 0)).sum() < 6


def test_the_prior_is_as_varied_as_adults_are(head):
    """Means and standard deviations of measures that surveys of adults report (men and women together), with wide tolerances."""
    left, right = head.joint_names.index("left_eye"), head.joint_names.index("right_eye")
    drawn = torch.randn(400, head.identity_count, generator=torch.Generator().manual_seed(5))
    shaped = head.shaped(drawn)
    points = head.landmarks["ibug_68"].points(shaped.vertices, head.faces)

    def measure(a, b):
        distance = 1000 * (a - b).norm(dim=-1)
        return distance.mean().item(), distance.std().item()

    for name, (mean, spread), expected_mean, expected_spread in (
        ("between the eyes", measure(shaped.joints[:, left], shaped.joints[:, right]), 63, 3.8),
        ("nose breadth", measure(points[:, 31], points[:, 35]), 35, 4.2),
        ("mouth breadth", measure(points[:, 48], points[:, 54]), 50, 4.5),
        ("bridge of the nose to chin", measure(points[:, 27], points[:, 8]), 117, 8.0),
    ):
        assert abs(mean - expected_mean) < 5, name
        assert 0.6 < spread / expected_spread < 1.5, name
