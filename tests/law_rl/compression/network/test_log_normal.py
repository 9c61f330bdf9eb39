"""log Phi and its gradient against scipy in float64, far into the tail."""

import numpy as np
import pytest
import torch
from scipy.special import erfcx, log_ndtr

from law_rl.compression.network.log_normal import log_normal


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 2e-6), (torch.float64, 1e-12)])
def test_values_and_gradients(dtype: torch.dtype, tolerance: float) -> None:
    x = np.array([-9e4, -1e3, -100.0, -14.0, -5.0, -1.0, -0.25, 0.0, 1.0, 3.0], dtype=np.float32)
    values = torch.tensor(x, dtype=dtype, requires_grad=True)
    result = log_normal(values)
    result.sum().backward()
    exact = x.astype(np.float64)
    np.testing.assert_allclose(result.detach().numpy(), log_ndtr(exact), rtol=10 * tolerance)
    assert values.grad is not None
    np.testing.assert_allclose(values.grad.numpy(), np.sqrt(2 / np.pi) / erfcx(-exact / np.sqrt(2)), rtol=5 * tolerance)


def test_far_to_the_right_nothing_is_left() -> None:
    values = torch.tensor([30.0, 1e6], requires_grad=True)
    log_normal(values).sum().backward()
    assert values.grad is not None and values.grad.tolist() == [0, 0]
