"""Faces that run through each other are found, and only these."""

import numpy as np

from headcast.geometry.intersections import intersecting_faces


def test_a_face_through_another_is_a_pair_and_a_neighbour_is_none():
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0.2, 0.2, -1], [0.2, 0.2, 1], [0.3, 0.2, 1], [1, 1, 0.0]])
    faces = np.array([[0, 1, 2], [3, 4, 5], [1, 6, 2]])
    assert intersecting_faces(vertices, faces).tolist() == [[0, 1]]


def test_faces_apart_are_no_pair():
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 0.1], [1, 0, 0.1], [0, 1, 0.1]])
    assert len(intersecting_faces(vertices, np.array([[0, 1, 2], [3, 4, 5]]))) == 0
