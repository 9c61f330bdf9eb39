"""Synthetic identities: procedural drawings that look a little like faces and stand for no person.

They make tests and examples of face recognition run where no photographs of people may be had. The drawings are laid
out like photographs aligned to ArcFace's template: eyes at 46 % of the height, the tip of the nose at 64 %, the mouth
at 82 %.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from law_rl.counters import numpy_generator

CHUNK_PIXELS = 1 << 17
"""So many pixels are drawn at a time: what a processor's cache holds."""

Ranges = Mapping[str, tuple[float, float]]
Numbers = Mapping[str, Tensor]

# Lengths are in halves of the image's side, seen from its centre, y downwards; tones lie between 0 and 1.
IDENTITY: Ranges = {
    "skin": (0.4, 0.9),
    "face_width": (0.55, 0.75),
    "face_height": (0.9, 1.1),
    "jaw": (-0.05, 0.35),
    "ear": (0.02, 0.12),
    "hair": (0.03, 0.75),
    "hairline": (-0.85, -0.35),
    "hair_peak": (-0.5, 0.7),
    "hair_parting": (-0.4, 0.4),
    "hair_volume": (0.0, 0.25),
    "hair_length": (-0.6, 0.9),
    "eye_distance": (0.26, 0.38),
    "eye_level": (-0.14, -0.03),
    "eye_width": (0.09, 0.16),
    "eye_height": (0.035, 0.085),
    "iris": (0.02, 0.45),
    "brow_level": (0.11, 0.22),
    "brow_width": (0.12, 0.21),
    "brow_height": (0.015, 0.055),
    "brow_slope": (-0.3, 0.3),
    "brow_tone": (0.2, 0.8),
    "nose_level": (0.22, 0.36),
    "nose_width": (0.09, 0.2),
    "nose_shadow": (0.1, 0.4),
    "mouth_level": (0.58, 0.72),
    "mouth_width": (0.17, 0.33),
    "lips": (0.03, 0.09),
    "lip_tone": (0.45, 0.85),
    "beard": (-1.0, 0.8),
    "glasses": (-2.0, 1.0),
}
"""What stays the same in all images of an identity; `beard` and `glasses` below 0 are none."""

VIEW: Ranges = {
    "shift_x": (-0.08, 0.08),
    "shift_y": (-0.06, 0.06),
    "size": (0.92, 1.08),
    "roll": (-0.16, 0.16),
    "yaw": (-0.16, 0.16),
    "pitch": (-0.06, 0.06),
    "background": (0.25, 0.75),
    "background_slope": (-0.3, 0.3),
    "gaze": (-0.4, 0.4),
    "eyes_open": (0.6, 1.1),
    "brows_raised": (-0.03, 0.04),
    "mouth_open": (-0.06, 0.12),
    "smile": (-0.5, 1.5),
    "light_x": (-0.35, 0.35),
    "light_y": (-0.25, 0.25),
    "brightness": (-0.12, 0.12),
    "contrast": (0.55, 1.1),
    "blur": (0.0, 0.25),
    "noise": (0.01, 0.12),
}
"""What changes from image to image."""


@dataclass(frozen=True, kw_only=True)
class SyntheticConfig:
    """`identities` synthetic faces with `per_identity` images each, of `size` x `size` pixels."""

    identities: int
    per_identity: int
    size: int
    seed: int = 0

    def __post_init__(self) -> None:
        for field in ("identities", "per_identity"):
            if getattr(self, field) < 1:
                raise ValueError(f"SyntheticConfig.{field} is {getattr(self, field)}: give at least 1.")
        if self.size < 8:
            raise ValueError(f"SyntheticConfig.size is {self.size}: give at least 8 pixels, for example 32.")


def synthetic_faces(config: SyntheticConfig) -> tuple[Tensor, Tensor]:
    """Images uint8 [N, 1, S, S] of drawn faces and their identities int64 [N], N = identities x per_identity.

    The drawings are synthetic and stand for no person. They lie identity by identity. An identity is a vector of
    geometry and tones; each image of it has its own pose, expression, light, contrast, blur and noise. The j-th image
    of the i-th identity is a function of (seed, i, j, size) to the bit, however many others are drawn.
    """
    identities = torch.arange(config.identities).repeat_interleave(config.per_identity)
    images = torch.empty(len(identities), 1, config.size, config.size, dtype=torch.uint8)
    together = max(1, CHUNK_PIXELS // (config.per_identity * config.size**2))
    for first in range(0, config.identities, together):
        chosen = range(first, min(first + together, config.identities))
        start, end = chosen.start * config.per_identity, chosen.stop * config.per_identity
        images[start:end, 0] = _images(config, chosen)
    return images, identities


def _images(config: SyntheticConfig, identities: range) -> Tensor:
    """Only sums, products, quotients and roots, rounded alike everywhere: so the bits depend on no batch or machine."""
    face = _spread(_uniform(config.seed, "synthetic identity", identities, (1, len(IDENTITY))), IDENTITY)
    face = {name: value.repeat_interleave(config.per_identity, 0) for name, value in face.items()}
    view = _spread(_uniform(config.seed, "synthetic view", identities, (config.per_identity, len(VIEW))), VIEW)
    grain = _uniform(config.seed, "synthetic noise", identities, (config.per_identity, config.size, config.size))
    canvas = _Canvas(view, config.size)
    _draw_hair_and_head(canvas, face)
    _draw_eyes(canvas, face, view)
    _draw_nose_and_mouth(canvas, face, view)
    _draw_glasses(canvas, face)
    return _photograph(canvas, view, grain)


def _uniform(seed: int, purpose: str, identities: range, shape: tuple[int, ...]) -> Tensor:
    """float32 [identities x shape[0], *shape[1:]] from [0, 1), each identity's from a stream of its own."""
    draws = [numpy_generator(seed, purpose, identity).random(shape, dtype=np.float32) for identity in identities]
    return torch.from_numpy(np.concatenate(draws))


def _spread(numbers: Tensor, ranges: Ranges) -> dict[str, Tensor]:
    """Columns of [B, K] in [0, 1) moved to the K ranges, each [B, 1, 1]."""
    columns = numbers.unbind(1)
    return {
        name: (low + (high - low) * column)[:, None, None]
        for (name, (low, high)), column in zip(ranges.items(), columns, strict=True)
    }


class _Canvas:
    """Grey images [B, S, S] and the coordinates of their pixels as the turned and shifted head has them."""

    def __init__(self, view: Numbers, side: int) -> None:
        self.side = side
        axis = (torch.arange(side, dtype=torch.float32) * 2 + 1) / side - 1
        self.across, self.down = axis[None, None, :], axis[None, :, None]
        x, y = self.across - view["shift_x"], self.down - view["shift_y"]
        scale = 1 / (view["size"] * (1 + view["roll"].square()).sqrt())
        self.x, self.y = (x + view["roll"] * y) * scale, (y - view["roll"] * x) * scale
        self.pixels = view["background"] + view["background_slope"] * self.across * self.down
        self.yaw, self.pitch = view["yaw"], view["pitch"]

    def at_depth(self, depth: float) -> tuple[Tensor, Tensor]:
        """Coordinates for what stands out of the head by `depth`, and so moves as the head turns."""
        return self.x - depth * self.yaw, self.y - depth * self.pitch

    def ellipse(self, x: Tensor, y: Tensor, width: Tensor, height: Tensor) -> Tensor:
        """How much of each pixel the ellipse about (0, 0) with these half axes covers, its edge a pixel wide."""
        radius = (x / width).square() + (y / height).square()
        return self.edge((1 - radius) * torch.minimum(width, height) / 2)

    def edge(self, inside: Tensor) -> Tensor:
        """Coverage from the distance to the edge, positive inside."""
        return (inside * (self.side / 2) + 0.5).clamp(0, 1)

    def paint(self, coverage: Tensor, tone: Tensor | float) -> None:
        """Lays the tone over the pixels."""
        self.pixels = self.pixels + coverage * (tone - self.pixels)

    def shade(self, coverage: Tensor) -> None:
        """Darkens the pixels by this share."""
        self.pixels = self.pixels * (1 - coverage)


def _draw_hair_and_head(canvas: _Canvas, face: Numbers) -> None:
    x, y = canvas.at_depth(0.0)
    width, height = face["face_width"], face["face_height"]
    hair_width = width + face["hair_volume"]
    long = canvas.edge((hair_width - x.abs()).minimum(face["hair_length"] - y)) * canvas.edge(y + 0.1)
    round_top = canvas.ellipse(x, y + 0.1, hair_width, height + face["hair_volume"]) * canvas.edge(0.1 - y)
    canvas.paint(torch.maximum(long, round_top), face["hair"])
    canvas.paint(canvas.ellipse(x.abs() - width, y - 0.1, face["ear"], 2.5 * face["ear"]), 0.9 * face["skin"])
    narrowing = 1 + face["jaw"] * y.clamp(min=0)
    skull = canvas.ellipse(x * narrowing, y - 0.05, width, height)
    canvas.paint(skull, face["skin"])
    roundness = (x / width).square() + (y / height).square()
    canvas.shade(0.3 * skull * roundness.square().clamp(max=1))
    line = face["hairline"] + face["hair_peak"] * (x - face["hair_parting"]).square()
    canvas.paint(skull * canvas.edge(line - y), face["hair"])
    x, y = canvas.at_depth(0.5)
    chin = canvas.ellipse(x, y - 0.85, 0.75 * width, face["face_height"] * 0.45)
    canvas.paint(skull * chin * face["beard"].clamp(min=0), face["hair"])


def _draw_eyes(canvas: _Canvas, face: Numbers, view: Numbers) -> None:
    x, y = canvas.at_depth(0.6)
    outward, y = x.abs() - face["eye_distance"], y - face["eye_level"]
    height = face["eye_height"] * view["eyes_open"]
    canvas.shade(0.25 * canvas.ellipse(outward, y, 1.4 * face["eye_width"], 2.2 * face["eye_height"]))
    white = canvas.ellipse(outward, y, face["eye_width"], height)
    canvas.paint(white, 0.9)
    gaze = x.sign() * view["gaze"] * face["eye_width"]
    iris = canvas.ellipse(outward - gaze, y, face["eye_height"] * 1.1, face["eye_height"] * 1.1)
    canvas.paint(white * iris, face["iris"])
    level = y + face["brow_level"] + view["brows_raised"] + face["brow_slope"] * outward
    brow = canvas.ellipse(outward, level, face["brow_width"], face["brow_height"])
    canvas.paint(brow * face["brow_tone"], face["hair"] * 0.7)


def _draw_nose_and_mouth(canvas: _Canvas, face: Numbers, view: Numbers) -> None:
    x, y = canvas.at_depth(1.0)
    base = canvas.ellipse(x, y - face["nose_level"], face["nose_width"], 0.4 * face["nose_width"])
    canvas.shade(base * face["nose_shadow"])
    ridge = canvas.ellipse(x, y - face["nose_level"] + 0.2, 0.4 * face["nose_width"], face["nose_level"] - 0.02)
    canvas.paint(0.2 * ridge, 1.0)
    x, y = canvas.at_depth(0.7)
    y = y - face["mouth_level"] + view["smile"] * x.square() - view["mouth_open"].clamp(min=0) / 2
    opening = face["lips"] * 0.3 + view["mouth_open"].clamp(min=0)
    width = face["mouth_width"] * (1 + 0.1 * view["smile"])
    canvas.paint(canvas.ellipse(x, y, width, face["lips"] + opening), face["lip_tone"] * face["skin"])
    canvas.paint(canvas.ellipse(x, y, 0.85 * width, opening), 0.1)


def _draw_glasses(canvas: _Canvas, face: Numbers) -> None:
    x, y = canvas.at_depth(0.8)
    outward, y = x.abs() - face["eye_distance"], y - face["eye_level"] - 0.02
    radius = 1.6 * face["eye_width"]
    outer = canvas.ellipse(outward, y, radius + 0.03, 0.85 * radius + 0.03)
    inner = canvas.ellipse(outward, y, radius - 0.01, 0.85 * radius - 0.01)
    canvas.paint((outer - inner) * (face["glasses"] > 0), 0.15)


def _photograph(canvas: _Canvas, view: Numbers, grain: Tensor) -> Tensor:
    """uint8 [B, S, S]: the canvas under the view's light, through its camera."""
    light = 1 + view["light_x"] * canvas.across + view["light_y"] * canvas.down
    pixels = canvas.pixels * light
    pixels = _blurred(_blurred(pixels, view["blur"]).transpose(1, 2), view["blur"]).transpose(1, 2)
    pixels = 0.5 + view["contrast"] * (pixels - 0.5) + view["brightness"] + view["noise"] * (2 * grain - 1)
    return (pixels * 255).round().clamp(0, 255).to(torch.uint8)


def _blurred(pixels: Tensor, weight: Tensor) -> Tensor:
    """Along the last axis each pixel takes `weight` of both its neighbours; the border is repeated."""
    before = torch.cat([pixels[..., :1], pixels[..., :-1]], dim=-1)
    after = torch.cat([pixels[..., 1:], pixels[..., -1:]], dim=-1)
    return pixels + weight * (before + after - 2 * pixels)
