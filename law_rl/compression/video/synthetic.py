"""Synthetic clips with their true flow: layers of photographs that move over each other, drawn on the device."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import grid_sample

from law_rl.compression.video.clips import ClipSet
from law_rl.compression.video.scenes import DETAIL, Layer, Scene, draw_scene
from law_rl.counters import torch_generator

BATCH = 16
"""Clips that are drawn together."""


def synthetic_clips(
    photographs: Sequence[NDArray[np.uint8]],
    *,
    count: int,
    frames: int,
    size: int,
    seed: int,
    device: str | torch.device = "cpu",
) -> ClipSet:
    """`count` clips of `frames` frames, `size` pixels square, over photographs uint8 [H, W, 3], with their true flows.

    In each, up to three soft-edged objects cut from photographs move over a photograph that moves itself; at times
    the light changes, and noise lies over all (`scenes` gives the bounds). Each frame is sampled from the photographs
    themselves, by cubic interpolation of finer copies. A flow is that of the surface seen in the later frame, also
    where the earlier one hides it. Clip i depends on `seed`, i and the photographs alone, and has equal bits whenever
    it is made on the same kind of device. Photographs too small for `size` are left out; raises ValueError where that
    leaves none, or for fewer than two frames.
    """
    usable = [image for image in photographs if min(image.shape[:2]) >= size]
    if not usable:
        raise ValueError(
            f"None of {len(photographs)} photographs is as large as a frame of {size} x {size}: make the clips "
            "smaller, or give larger photographs."
        )
    if frames < 2:
        raise ValueError(f"frames is {frames}: give 2 at least, as motion lies between two frames.")
    shown = torch.empty(count, frames, 3, size, size, dtype=torch.uint8, device=device)
    flows = torch.empty(count, frames - 1, 2, size, size, dtype=torch.float16, device=device)
    for first in range(0, count, BATCH):
        numbers = range(first, min(first + BATCH, count))
        scenes = [draw_scene(usable, frames=frames, size=size, seed=seed, index=number) for number in numbers]
        colours, flow = _seen(scenes, size, device)
        noise = torch.stack(
            [_noise(scene, colours.shape[1:], seed, n) for n, scene in zip(numbers, scenes, strict=True)]
        )
        light = torch.tensor(np.stack([scene.light for scene in scenes]), dtype=torch.float32, device=device)
        lit = colours * light[:, :, None, None, None] + noise.to(device)
        shown[first : first + len(scenes)] = lit.round_().clamp_(0, 255)
        flows[first : first + len(scenes)] = flow
    return ClipSet(frames=shown, flows=flows)


def _seen(scenes: Sequence[Scene], size: int, device: str | torch.device) -> tuple[Tensor, Tensor]:
    """What the layers show, [B, T, 3, S, S] in 0..255, and the flow of what is seen [B, T - 1, 2, S, S]; float32."""
    frames = len(scenes[0].light)
    colours = torch.zeros(len(scenes), frames, 3, size, size, device=device)
    flows = torch.zeros(len(scenes), frames - 1, 2, size, size, device=device)
    for depth in range(max(len(scene.layers) for scene in scenes)):
        holding = [number for number, scene in enumerate(scenes) if len(scene.layers) > depth]
        layers = [scenes[number].layers[depth] for number in holding]
        sampled = _sampled(layers, size, device, "zeros" if depth else "reflection")
        opacity = (sampled[:, :, 3:] / 255).clamp_(0, 1)
        colours[holding] = torch.lerp(colours[holding], sampled[:, :, :3], opacity)
        flows[holding] = torch.where(opacity[:, 1:] > 0.5, _flows(layers, size, device), flows[holding])
    return colours, flows


def _sampled(layers: Sequence[Layer], size: int, device: str | torch.device, outside: str) -> Tensor:
    """The layers' textures as each frame sees them: [B, T, 4, S, S]."""
    motion = np.stack([layer.motion for layer in layers])
    textures = torch.from_numpy(np.stack([layer.texture for layer in layers])).to(device).permute(0, 3, 1, 2).float()
    places = _places(motion, size, device) * (2 * DETAIL / textures.shape[-1])
    count, frames = motion.shape[:2]
    rows = places.reshape(count, frames * size, size, 2)
    sampled = grid_sample(textures, rows, mode="bicubic", padding_mode=outside, align_corners=False)
    return sampled.reshape(count, 4, frames, size, size).transpose(1, 2)


def _flows(layers: Sequence[Layer], size: int, device: str | torch.device) -> Tensor:
    """Where the layers' points that lie at each pixel lay a frame earlier, from the pixel: [B, T - 1, 2, S, S]."""
    motion = np.stack([layer.motion for layer in layers])
    last_row = np.broadcast_to((0.0, 0.0, 1.0), (*motion.shape[:2], 1, 3))
    whole = np.concatenate([motion, last_row], 2)
    steps = np.linalg.inv(whole[:, :-1]) @ whole[:, 1:] - np.eye(3)
    return _places(steps[:, :, :2], size, device).permute(0, 1, 4, 2, 3)


def _places(motion: NDArray[np.float64], size: int, device: str | torch.device) -> Tensor:
    """Where affine maps [B, T, 2, 3] take the pixels of a frame, counted from its centre: float32 [B, T, S, S, 2]."""
    maps = torch.tensor(motion, dtype=torch.float32, device=device)[:, :, None, None]
    line = torch.arange(size, dtype=torch.float32, device=device) - (size - 1) / 2
    return line[:, None] * maps[..., 0] + line[:, None, None] * maps[..., 1] + maps[..., 2]


def _noise(scene: Scene, shape: Sequence[int], seed: int, number: int) -> Tensor:
    if not scene.noise:
        return torch.zeros(*shape)
    return scene.noise * torch.randn(*shape, generator=torch_generator(seed, "synthetic clip noise", number))
