"""Devices by name."""

import torch


def find_device(name: str) -> torch.device:
    """The device of that name; ValueError where torch has none such."""
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(
            f"device is {name!r}, which torch has not here: give cpu, or cuda where there is a GPU"
        ) from error
    return device
