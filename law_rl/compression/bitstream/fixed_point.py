"""Networks that every machine computes alike, bit for bit: their layers' exact twins, on a grid of 2^-12."""

import copy
from functools import singledispatch

from torch import Tensor, nn
from torch.nn import functional

from law_rl.compression.bitstream.exact_convolution import FixedConvolution
from law_rl.compression.bitstream.exact_gdn import FixedGDN
from law_rl.compression.bitstream.exact_warp import FixedWarp
from law_rl.compression.bitstream.grid import to_grid
from law_rl.compression.network.attention import ChannelAttention
from law_rl.compression.network.factorised import FactorisedPrior
from law_rl.compression.network.gdn import GDN
from law_rl.compression.network.hyper import HyperAnalysis
from law_rl.compression.network.transforms import Analysis
from law_rl.compression.video.network.compensation import Warp
from law_rl.compression.video.network.flow import FlowNetwork


def fixed_point(module: nn.Module) -> nn.Module:
    """A copy that maps float64 multiples of 2^-12 to such, the same on every machine and for any number of threads.

    Leaves become their exact twins; what is made of them keeps its `forward`, which may add, move values about, and
    multiply by powers of two that do not leave the grid. An encoder's modules are left out: None stands in their place.
    Raises ValueError for a layer without a twin, and for weights whose sums would not be exact.
    """
    twin = _twin(copy.deepcopy(module))
    if twin is None:
        raise ValueError(f"{type(module).__name__} is an encoder's: give the decoder's modules")
    return twin.eval()


@singledispatch
def _twin(module: nn.Module) -> nn.Module | None:
    """The exact twin of a module, None for those that only an encoder has; changes the module."""
    children = dict(module.named_children())
    if not children or any(True for _ in module.parameters(recurse=False)):
        raise ValueError(f"the network has a {type(module).__name__}, which has no exact twin: use another layer")
    for name, child in children.items():
        setattr(module, name, _twin(child))
    return module


@_twin.register(nn.Conv2d)
@_twin.register(nn.ConvTranspose2d)
def _convolution(module: nn.Conv2d | nn.ConvTranspose2d) -> nn.Module:
    return FixedConvolution(module)


@_twin.register
def _gdn(module: GDN) -> nn.Module:
    return FixedGDN(module)


@_twin.register
def _warp(module: Warp) -> nn.Module:
    return FixedWarp()


@_twin.register
def _pooling(module: nn.AvgPool2d) -> nn.Module:
    if (module.kernel_size, module.stride, module.padding) != (2, 2, 0):
        raise ValueError(f"a pooling is over {module.kernel_size} pixels in steps of {module.stride}: use 2 and 2")
    return FixedPooling()


@_twin.register
def _enlargement(module: nn.Upsample) -> nn.Module:
    if module.mode != "nearest":
        raise ValueError(f"an enlargement is {module.mode!r}: use 'nearest'")
    return module


@_twin.register(nn.ReLU)
@_twin.register(nn.PixelShuffle)
@_twin.register(nn.Identity)
def _exact_already(module: nn.Module) -> nn.Module:
    return module


@_twin.register(Analysis)
@_twin.register(HyperAnalysis)
@_twin.register(ChannelAttention)
@_twin.register(FactorisedPrior)
@_twin.register(FlowNetwork)
def _encoder(module: nn.Module) -> None:
    return None


class FixedPooling(nn.Module):
    """The mean of 2 x 2 multiples of 2^-12, rounded to 2^-12, halves up."""

    def forward(self, values: Tensor) -> Tensor:
        return to_grid(functional.avg_pool2d(values, 2))
