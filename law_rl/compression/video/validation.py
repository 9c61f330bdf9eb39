"""How good a network of predicted frames is on clips, by its own estimate of the bits, with float32 frames."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from law_rl.compression.image_metrics import psnr
from law_rl.compression.network.codec_network import HYPER_STRIDE, CodecNetwork
from law_rl.compression.validation import Validation
from law_rl.compression.video.network.video_network import VideoNetwork
from law_rl.compression.video.objective import as_bytes, pixels


@dataclass(frozen=True, kw_only=True)
class VideoValidation(Validation):
    """Means over frames: bits per pixel and PSNR of 8-bit RGB in dB of all frames, the bits of predicted frames alone
    and of their motion alone, and the PSNR of their predictions and of the warped references.
    """

    predicted_bpp: float
    predicted_psnr: float
    motion_bpp: float
    prediction_psnr: float
    warped_psnr: float


@torch.inference_mode()
def validate_video(
    network: VideoNetwork, intra: CodecNetwork, clips: Iterable[Iterable[NDArray[np.uint8]]], gop: int
) -> VideoValidation:
    """Codes clips of frames uint8 [H, W, 3] in GOPs of `gop` frames as a coder does; bits of padding count too.

    On the device of the networks. ValueError where no frame is predicted.
    """
    rows = [row for clip in clips for row in _rows(network, intra, clip, gop)]
    predicted = [row for row in rows if len(row) > 2]
    if not predicted:
        raise ValueError("no frame is predicted: give clips of two frames or more, and a gop of 2 or more")
    bpp, quality = np.mean([row[:2] for row in rows], 0).tolist()
    means = np.mean(predicted, 0).tolist()
    names = ("predicted_bpp", "predicted_psnr", "motion_bpp", "prediction_psnr", "warped_psnr")
    return VideoValidation(bpp=bpp, psnr=quality, **dict(zip(names, means, strict=True)))


def _rows(
    network: VideoNetwork, intra: CodecNetwork, clip: Iterable[NDArray[np.uint8]], gop: int
) -> Iterable[tuple[float, ...]]:
    """Bits per pixel and PSNR of each frame; of predicted ones the motion's bits, and PSNRs before the residual."""
    device = next(network.parameters()).device
    reference = torch.empty(0)
    for number, frame in enumerate(clip):
        height, width = frame.shape[:2]
        padding = (0, -width % HYPER_STRIDE, 0, -height % HYPER_STRIDE)
        padded = functional.pad(
            pixels(torch.tensor(frame, device=device).permute(2, 0, 1)[None]), padding, mode="replicate"
        )

        def quality(decoded: torch.Tensor, frame: NDArray[np.uint8] = frame) -> float:
            height, width = frame.shape[:2]
            return psnr(frame, as_bytes(decoded)[0, :, :height, :width].permute(1, 2, 0).cpu().numpy())

        if number % gop == 0:
            coded = intra(padded)
            yield float(coded.bits) / (height * width), quality(coded.reconstruction)
            reference = as_bytes(coded.reconstruction)
        else:
            output = network(padded, pixels(reference))
            bits = [float(each) / (height * width) for each in (output.bits, output.motion_bits)]
            qualities = [quality(each) for each in (output.reconstruction, output.prediction, output.warped)]
            yield bits[0], qualities[0], bits[1], *qualities[1:]
            reference = as_bytes(output.reconstruction)
