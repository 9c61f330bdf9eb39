"""GDN against its equation in float64, and its inverse, gradients, bounds and starting values."""

import numpy as np
import pytest
import torch
from torch import Tensor

from law_rl.compression.network.gdn import GDN
from law_rl.counters import torch_generator


def drawn(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch_generator(0, "GDN test", *shape), dtype=torch.float64)


def layer(channels: int, *, inverse: bool = False) -> GDN:
    gdn = GDN(channels, inverse=inverse).double()
    with torch.no_grad():
        gdn.beta.copy_(drawn(channels).abs() + 0.1)
        gdn.gamma.copy_(drawn(channels, channels))
    return gdn


@pytest.mark.parametrize("inverse", [False, True])
def test_equation(inverse: bool) -> None:
    gdn, x = layer(5, inverse=inverse), drawn(2, 5, 3, 4)
    beta = np.maximum(gdn.beta.detach().numpy(), 0) ** 2
    gamma = np.maximum(gdn.gamma.detach().numpy(), 0) ** 2
    divisor = np.sqrt(beta[None, :, None, None] + np.einsum("ij,bjyx->biyx", gamma, x.numpy() ** 2))
    expected = x.numpy() * divisor if inverse else x.numpy() / divisor
    np.testing.assert_allclose(gdn(x).detach().numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize("inverse", [False, True])
def test_with_and_without_gradients_agree_and_the_input_stays(inverse: bool) -> None:
    gdn, x = layer(4, inverse=inverse), drawn(1, 4, 6, 6)
    before = x.clone()
    with torch.no_grad():
        fast = gdn(x)
    torch.testing.assert_close(fast, gdn(x).detach())
    assert torch.equal(x, before)


def test_gradients() -> None:
    gdn, x = layer(3), drawn(1, 3, 2, 2).requires_grad_()
    with torch.no_grad():
        gdn.gamma.abs_()

    def call(values: Tensor, *_: Tensor) -> Tensor:
        return gdn(values)

    assert torch.autograd.gradcheck(call, (x, *gdn.parameters()))


def test_starts_at_beta_one_and_gamma_a_tenth_on_the_diagonal() -> None:
    x = torch.zeros(1, 3, 1, 1)
    x[0, 1] = 2.0
    expected = torch.tensor([0.0, 2 / (1 + 0.1 * 4) ** 0.5, 0.0])
    torch.testing.assert_close(GDN(3)(x).flatten(), expected)


def test_a_negative_beta_stays_finite_and_comes_back() -> None:
    gdn = GDN(2)
    with torch.no_grad():
        gdn.beta.fill_(-1.0)
        gdn.gamma.zero_()
    result = gdn(torch.full((1, 2, 1, 1), 1e-3))
    assert result.isfinite().all()
    result.sum().backward()
    assert gdn.beta.grad is not None
    assert (gdn.beta.grad < 0).all()  # a step against it leads up
