import numpy as np

from headcast.perceive.topology import CHIN, FOREHEAD, LEFT_EYE, RIGHT_EYE, mirrored, neighbours, triangles


def test_the_mesh_has_a_rim_two_eyes_and_a_mouth_for_holes():
    faces = triangles()
    passed = [edge for a, b, c in faces.tolist() for edge in ((a, b), (b, c), (c, a))]
    assert faces.shape == (852, 3)
    assert set(faces.ravel()) == set(range(468))
    assert len(set(passed)) == len(passed), "each edge is passed at most once in each direction"
    # Euler: vertices − edges + faces = 2 − holes, with the rim counted as one of the four.
    assert 468 - len({frozenset(edge) for edge in passed}) + 852 == 2 - 4


def test_faces_are_counter_clockwise_from_in_front(seen):
    corners = seen.points_px[triangles()]
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    # Rows grow downwards, so counter-clockwise as seen is negative; a few faces at the rim and around the nostrils turn away.
    assert (cross < 0).mean() > 0.95


def test_partners_of_partners_are_the_landmarks_themselves():
    partner = mirrored()
    assert (partner[partner] == np.arange(478)).all()
    assert (partner[list(RIGHT_EYE)] == LEFT_EYE).all()
    assert partner[FOREHEAD] == FOREHEAD
    assert partner[CHIN] == CHIN
    assert (partner == np.arange(478)).sum() == 28


def test_neighbours_go_both_ways_and_leave_nobody_alone():
    pairs = {tuple(pair) for pair in neighbours().tolist()}
    assert all((b, a) in pairs for a, b in pairs)
    assert {a for a, b in pairs if a != b} == set(range(478))
