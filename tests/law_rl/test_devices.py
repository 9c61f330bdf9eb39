"""Devices by name."""

import pytest
import torch

from law_rl.devices import find_device


def test_devices_that_are_not_there_are_refused() -> None:
    assert find_device("cpu") == torch.device("cpu")
    for name in ("chip", "cuda:99", "", "meta:x"):
        with pytest.raises(ValueError, match=f"device is '{name}', which torch has not here"):
            find_device(name)
