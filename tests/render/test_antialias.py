import torch

from headcast.render import antialias, edge_blends, face_neighbours, rasterize


def test_neighbours_share_the_edge_that_begins_at_each_corner(larger_scene):
    faces = larger_scene.mesh.faces
    neighbours = face_neighbours(faces)
    assert (neighbours >= 0).all()
    for k in range(3):
        start, end = faces[:, k], faces[:, (k + 1) % 3]
        across = faces[neighbours[:, k].long()]
        follows = torch.stack([(across[:, j] == end) & (across[:, (j + 1) % 3] == start) for j in range(3)], -1)
        assert follows.any(-1).all()


def test_an_open_sheet_ends_at_its_rim():
    faces = torch.tensor([[0, 1, 2], [0, 2, 3]])
    assert face_neighbours(faces).tolist() == [[-1, -1, 1], [0, -1, -1]]


def test_inside_the_outline_nothing_is_mixed(larger_scene):
    """A ball without folds has outlines only against the background."""
    seen = rasterize(larger_scene.mesh, larger_scene.camera)
    blends = edge_blends(seen, larger_scene.neighbours)
    covered = seen.face >= 0
    for axis, (here, there) in enumerate(((covered[:, :-1], covered[:, 1:]), (covered[:-1], covered[1:]))):
        share = blends[:, :-1, 0] if axis == 0 else blends[:-1, :, 1]
        assert not share[~here & ~there].any()
        outline = here != there
        assert (share[outline] != 0).float().mean() > 0.5
    assert (antialias(torch.full((*covered.shape, 1), 0.3), seen, larger_scene.neighbours) - 0.3).abs().max() < 1e-6
