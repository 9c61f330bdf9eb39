"""Virtual candidates: faces that a generator makes, in place of a gallery."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from law_rl.counters import torch_generator
from law_rl.face.ida.generator import Generator

BATCH = 250
"""How many faces are generated and embedded at a time."""

_LUMA = (0.299, 0.587, 0.114)


@torch.no_grad()
def virtual_candidates(
    generator: Generator,
    embed: Callable[[Tensor], Tensor],
    count: int,
    seed: int,
    *,
    image_shape: tuple[int, int, int] | None = None,
) -> Tensor:
    """Embeddings float32 [count, D] of so many generated faces, by `embed`, which takes images uint8 [B, C, S, S].

    `image_shape` (C, S, S) is what `embed` takes where that is not what the generator makes: images are resized with a
    triangle filter, RGB becomes luma and grey three equal channels. The first faces are the same for any count. Used
    as the candidates of a `GalleryEstimator`; a generator can resemble the persons it was trained on, so these should
    not be among those that are compared. Raises ValueError for a generator whose output is no images or not
    finite. Source: IDA-SSE (arXiv 2103.01559) takes neighbours from virtual images of a GAN; our reading.
    """
    if count < 1:
        raise ValueError(f"count is {count}: ask for at least 1 virtual candidate")
    found = []
    for start in range(0, count, BATCH):
        noise = torch.randn(BATCH, generator.noise_width, generator=torch_generator(seed, "virtual faces", start))
        images = _checked(generator(noise[: count - start]))
        found.append(embed(_fitted(images, image_shape or tuple(images.shape[1:]))).float())
    return torch.cat(found)


def _checked(images: Tensor) -> Tensor:
    """Float32 [N, C, S, S] in [0, 255]."""
    square = images.ndim == 4 and images.shape[1] in (1, 3) and images.shape[2] == images.shape[3] > 0
    if not square or not (images.dtype == torch.uint8 or images.is_floating_point()):
        raise ValueError(
            f"the generator makes {images.dtype} {tuple(images.shape)}: let it make uint8 or floating images "
            "[N, C, S, S] with 1 or 3 channels"
        )
    if not images.isfinite().all():
        raise ValueError("the generator makes numbers that are not finite: train it again with a lower learning rate")
    return images.float()


def _fitted(images: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Images in [0, 255] as uint8 of the channels and the side of `shape`."""
    channels, side = shape[0], shape[2]
    if channels == 1 and images.shape[1] == 3:
        images = (images * images.new_tensor(_LUMA)[:, None, None]).sum(1, keepdim=True)
    if side != images.shape[2]:
        images = functional.interpolate(images, (side, side), mode="bilinear", antialias=True, align_corners=False)
    return images.round().clamp(0, 255).to(torch.uint8).expand(-1, channels, -1, -1).contiguous()
