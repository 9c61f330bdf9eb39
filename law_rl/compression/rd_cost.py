"""The rate-distortion cost, which training minimises and codecs are compared by."""

from typing import Literal, NamedTuple, get_args

from torch import Tensor

from law_rl.compression.network.codec_network import CodecOutput
from law_rl.compression.network.msssim import ms_ssim

Distortion = Literal["mse", "ms_ssim"]


class RDCost(NamedTuple):
    """Costs [B] of images and their two parts [B]: bits a pixel, and the distortion that lambda multiplies."""

    cost: Tensor
    bpp: Tensor
    distortion: Tensor


def rd_cost(images: Tensor, output: CodecOutput, lambda_: float | Tensor, distortion: Distortion = "mse") -> RDCost:
    """bpp + lambda * distortion of each of the images [B, 3, H, W] in 0..1, in float32 or above.

    The distortion is the mean squared error of values in 0..1, or 1 - MS-SSIM. `lambda_` is a number or a tensor, of
    one value or [B]: EDIC's are 256 to 8192 for the squared error. Raises ValueError for an unknown distortion.
    Source: EDIC's released baseline (arXiv 2002.03370).
    """
    if distortion not in get_args(Distortion):
        raise ValueError(f"distortion is {distortion!r}: use one of {', '.join(get_args(Distortion))}.")
    reconstruction = output.reconstruction.to(output.y_bits.dtype)
    if distortion == "mse":
        errors = (reconstruction - images).square().mean((1, 2, 3))
    else:
        errors = 1 - ms_ssim(reconstruction, images.to(reconstruction.dtype))
    bpp = (output.y_bits + output.z_bits) / (images.shape[2] * images.shape[3])
    return RDCost(bpp + lambda_ * errors, bpp, errors)
