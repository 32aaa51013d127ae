import numpy as np
import torch

from headcast.render import ambient_light, linear_from_srgb, sh_basis, shade, srgb_from_linear


def test_basis_functions_are_orthogonal_over_the_sphere():
    """Gauss–Legendre in z times equal steps around it integrates polynomials of this order exactly."""
    z, weights = np.polynomial.legendre.leggauss(6)
    angles = np.arange(12) * (2 * np.pi / 12)
    radius = np.sqrt(1 - z**2)[:, None]
    normals = np.stack([radius * np.cos(angles), radius * np.sin(angles), np.broadcast_to(z[:, None], (6, 12))], -1)
    basis = sh_basis(torch.from_numpy(normals)).reshape(-1, 9)
    products = basis.T @ (basis * torch.from_numpy(np.repeat(weights, 12) / 24)[:, None])
    assert products.diagonal().min() > 0.05
    torch.testing.assert_close(products, torch.diag(products.diagonal()), atol=1e-12, rtol=0)


def test_ambient_light_shades_everything_exactly_one():
    normals = torch.nn.functional.normalize(torch.randn(5, 7, 3, generator=torch.Generator().manual_seed(0)), dim=-1)
    assert torch.equal(shade(normals, ambient_light(normals)), torch.ones(5, 7, 3))


def test_first_order_terms_point_along_y_z_x():
    normals = torch.eye(3).reshape(1, 3, 3)
    for row, axis in ((1, 1), (2, 2), (3, 0)):
        light = torch.zeros(9, 3)
        light[row] = 0.7
        expected = torch.zeros(1, 3, 3)
        expected[0, axis] = 0.7
        torch.testing.assert_close(shade(normals, light), expected)


def test_srgb_and_linear_are_inverses_with_finite_gradients_from_black_to_beyond_white():
    linear = torch.linspace(0, 1.5, 301, dtype=torch.float64, requires_grad=True)
    srgb = srgb_from_linear(linear)
    torch.testing.assert_close(linear_from_srgb(srgb), linear, atol=1e-6, rtol=0)
    srgb.sum().backward()
    assert torch.isfinite(linear.grad).all()
    torch.testing.assert_close(srgb_from_linear(torch.tensor([0.0, 0.21404114, 1.0])), torch.tensor([0.0, 0.5, 1.0]), atol=1e-6, rtol=0)
