"""The rate-distortion cost, which training minimises and codecs are compared by."""

from typing import Literal, NamedTuple, Protocol, get_args

from torch import Tensor

from law_rl.compression.network.msssim import ms_ssim

Distortion = Literal["mse", "ms_ssim"]

RD_DB = "rd_db"
"""The metric of codecs: 10 log10(lambda / mean rate-distortion cost), in dB. It is the PSNR of a codec of the same cost
that needs no bits, so a gain of it is a gain of cost, and 10 dB are a tenth of the cost.
"""


class RDCost(NamedTuple):
    """Costs [B] of images and their two parts [B]: bits a pixel, and the distortion that lambda multiplies."""

    cost: Tensor
    bpp: Tensor
    distortion: Tensor


class Coded(Protocol):
    """What a codec makes of images: reconstructions [B, 3, H, W], not clipped, and bits [B]."""

    @property
    def reconstruction(self) -> Tensor: ...

    @property
    def bits(self) -> Tensor: ...


def rd_cost(images: Tensor, output: Coded, lambda_: float | Tensor, kind: Distortion = "mse") -> RDCost:
    """bpp + lambda * distortion of each of the images [B, 3, H, W] in 0..1, in float32 or above.

    The distortion is the mean squared error of values in 0..1, or 1 - MS-SSIM. `lambda_` is a number or a tensor, of
    one value or [B]: EDIC's are 256 to 8192 for the squared error. Raises ValueError for an unknown distortion.
    Source: EDIC's released baseline (arXiv 2002.03370).
    """
    errors = distortion(output.reconstruction.to(output.bits.dtype), images, kind)
    bpp = output.bits / (images.shape[2] * images.shape[3])
    return RDCost(bpp + lambda_ * errors, bpp, errors)


def distortion(reconstruction: Tensor, images: Tensor, kind: Distortion = "mse") -> Tensor:
    """The mean squared error, or 1 - MS-SSIM, of each of the reconstructions [B, 3, H, W]: [B], in their dtype.

    Raises ValueError for an unknown kind.
    """
    if kind not in get_args(Distortion):
        raise ValueError(f"distortion is {kind!r}: use one of {', '.join(get_args(Distortion))}.")
    if kind == "mse":
        return (reconstruction - images).square().mean((1, 2, 3))
    return 1 - ms_ssim(reconstruction, images.to(reconstruction.dtype))
