import torch

from headcast.render import mip_level, rasterize, sample_texture


def test_lower_left_of_the_picture_is_uv_zero():
    texture = torch.zeros(4, 6, 1)
    texture[3, 0], texture[0, 5] = 1, 2
    uv = torch.tensor([[[1 / 12, 1 / 8], [11 / 12, 7 / 8], [0.5, 0.5]]])
    torch.testing.assert_close(sample_texture(texture, uv), torch.tensor([[[1.0], [2.0], [0.0]]]))


def test_beyond_the_border_the_nearest_texel_counts():
    texture = torch.rand(5, 5, 3, generator=torch.Generator().manual_seed(0))
    uv = torch.tensor([[[-3.0, 2.0], [4.0, -1.0]]])
    torch.testing.assert_close(sample_texture(texture, uv)[0], torch.stack([texture[0, 0], texture[4, 4]]))


def test_high_levels_show_the_mean_of_fine_stripes():
    texture = torch.zeros(32, 32, 3)
    texture[:, ::2] = 1
    uv = torch.rand(4, 4, 2, generator=torch.Generator().manual_seed(0))
    assert sample_texture(texture, uv).std() > 0.1
    torch.testing.assert_close(sample_texture(texture, uv, torch.full((4, 4), 3.0)), torch.full((4, 4, 3), 0.5))


def test_twice_the_texture_or_half_the_picture_is_one_level_up(larger_scene):
    seen = rasterize(larger_scene.mesh, larger_scene.camera)
    level = mip_level(seen, larger_scene.uv, larger_scene.uv_faces, (64, 64))
    doubled = mip_level(seen, larger_scene.uv, larger_scene.uv_faces, (128, 128))
    covered = seen.face >= 0
    torch.testing.assert_close(doubled[covered], level[covered] + 1, atol=1e-4, rtol=0)
    smaller = rasterize(larger_scene.mesh, larger_scene.camera.resized((30, 26)))
    fewer = mip_level(smaller, larger_scene.uv, larger_scene.uv_faces, (64, 64))
    assert abs(fewer[smaller.face >= 0].median() - level[covered].median() - 1) < 0.1


def test_nothing_is_looked_up_where_there_is_no_face():
    texture = torch.ones(4, 4, 3, requires_grad=True)
    face = torch.tensor([[0, -1]], dtype=torch.int32)
    uv = torch.full((1, 2, 2), 0.4, requires_grad=True)
    colors = sample_texture(texture, uv, face=face)
    colors.sum().backward()
    assert torch.equal(colors[0], torch.tensor([[1.0] * 3, [0.0] * 3]))
    torch.testing.assert_close(texture.grad.sum(), torch.tensor(3.0))
    assert not uv.grad[0, 1].any()
