"""The hyper-latents' distributions: monotone, complete, stable in the tails, and able to learn."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from law_rl.compression.network.factorised import FactorisedPrior
from law_rl.counters import torch_generator


def prior(channels: int, seed: int, spread: float = 1.0) -> FactorisedPrior:
    module = FactorisedPrior(channels).double()
    for index, part in enumerate(module.parameters()):
        nn.init.normal_(part, std=spread, generator=torch_generator(seed, "prior test", index))
    return module


def grid(channels: int, reach: int) -> Tensor:
    return torch.arange(-reach, reach + 1, dtype=torch.float64).view(1, 1, 1, -1).expand(1, channels, 1, -1)


@given(seed=st.integers(0, 10**6), spread=st.floats(0.1, 3))
@settings(max_examples=25, deadline=None)
def test_distribution_functions_never_fall(seed: int, spread: float) -> None:
    with torch.no_grad():
        values = prior(3, seed, spread).cdf(torch.linspace(-50, 50, 501, dtype=torch.float64).expand(1, 3, -1))
    assert (values.diff(dim=-1) >= 0).all()
    assert ((values >= 0) & (values <= 1)).all()


def test_bits_are_those_of_the_distribution_function_and_sum_to_one() -> None:
    module, z = prior(4, 0), grid(4, 300)
    with torch.no_grad():
        bits = module.bits(z)
        expected = module.cdf(z + 0.5) - module.cdf(z - 0.5)
    likely = expected > 1e-6
    torch.testing.assert_close(torch.exp2(-bits)[likely], expected[likely], rtol=1e-6, atol=0)
    torch.testing.assert_close(torch.exp2(-bits).sum(-1), torch.ones(1, 4, 1).double(), atol=1e-4, rtol=0)


@pytest.mark.parametrize("value", [0.0, 30.0, -30.0, 1e4, -1e4])
def test_tails_are_finite_and_lead_back(value: float) -> None:
    module = FactorisedPrior(1)
    z = torch.full((1, 1, 1, 1), value, requires_grad=True)
    bits = module.bits(z)
    bits.sum().backward()
    assert z.grad is not None
    assert 0 <= bits.item() <= 24
    assert z.grad.isfinite().all()
    assert all(part.grad is not None and part.grad.isfinite().all() for part in module.parameters())
    assert z.grad.item() * value > 0 or value == 0


def test_learns_where_its_channel_lies() -> None:
    module = FactorisedPrior(2)
    centres, spreads = torch.tensor([5.0, -3.0]).view(1, 2, 1, 1), torch.tensor([0.5, 4.0]).view(1, 2, 1, 1)
    optimiser = torch.optim.Adam(module.parameters(), lr=0.1)
    for step in range(150):
        noise = torch.randn(64, 2, 2, 2, generator=torch_generator(0, "prior training", step))
        loss = module.bits(centres + spreads * noise).mean((0, 2, 3)).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    # The entropies of the unit bins of such Gaussians are about 1.4 and 4.05 bits.
    assert loss.item() < 5.9


def test_channels_have_their_own_distributions() -> None:
    module = prior(3, 1)
    with torch.no_grad():
        values = module.cdf(torch.zeros(1, 3, 1, dtype=torch.float64)).flatten()
    assert len(set(values.tolist())) == 3
