"""Random scenes: a photograph and objects cut from others, each with a motion of its own, drawn from counters."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from law_rl.counters import numpy_generator

Array = NDArray[np.float64]
Picture = NDArray[np.uint8]

DETAIL = 2
"""Pixels of a texture along one side of a frame's pixel. The texture holds no finer detail than the frame can, so that
frames are about equally sharp wherever they sample it."""
SHARES = (0.6, 0.9)
"""How much a photograph is scaled down, by which the blocks of its JPEG file fade."""
MARGIN = 1.5
"""The side of the background over that of the frame; beyond, it is mirrored."""
FASTEST = 6.0
"""The most pixels from one frame to the next that a layer's centre moves; small steps are more frequent."""
TURN, ZOOM = 0.017, 0.01
"""The most that a layer turns (radians) and grows or shrinks (natural logarithm) from one frame to the next."""
STILL, RIGID = 0.25, 0.4
"""The share of layers that stand still, and that of the others that neither turn nor zoom."""
MOST_OBJECTS = 3
LIT, DIMMING = 0.3, 0.02
"""The share of scenes whose light changes, and the most by which it changes from one frame to the next."""
NOISY, NOISE = 0.5, 2.0
"""The share of scenes with noise, and its largest standard deviation in grey levels."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Layer:
    """A texture uint8 [W, W, 4] of colours and opacity, and where each frame samples it.

    `motion` [T, 2, 3] leads from a place in the frame (x, y, 1), in pixels from its centre, to the place in the
    texture in the same unit, from the texture's centre.
    """

    texture: Picture
    motion: Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Scene:
    """Layers from the back to the front, the factor of each frame's light [T], and the noise in grey levels."""

    layers: tuple[Layer, ...]
    light: Array
    noise: float


def draw_scene(photographs: Sequence[Picture], *, frames: int, size: int, seed: int, index: int) -> Scene:
    """Scene `index` over photographs uint8 [H, W, 3] with sides of at least `size`."""
    generator = numpy_generator(seed, "synthetic clip", index)
    layers = 1 + int(generator.integers(MOST_OBJECTS + 1))
    chosen = generator.choice(len(photographs), layers, replace=layers > len(photographs))
    back = _background(photographs[chosen[0]], frames, size, generator)
    objects = [_object(photographs[number], frames, size, generator) for number in chosen[1:]]
    dimming = generator.uniform(-DIMMING, DIMMING) * (generator.random() < LIT)
    noise = generator.uniform(0, NOISE) * (generator.random() < NOISY)
    return Scene(layers=(back, *objects), light=1 + dimming * _times(frames), noise=noise)


def _background(photograph: Picture, frames: int, size: int, generator: np.random.Generator) -> Layer:
    colours = _piece(photograph, round(MARGIN * size), size, generator)
    opaque = np.full((*colours.shape[:2], 1), 255, np.uint8)
    return Layer(texture=np.concatenate([colours, opaque], 2), motion=_motion(frames, np.zeros(2), generator))


def _object(photograph: Picture, frames: int, size: int, generator: np.random.Generator) -> Layer:
    texture = np.concatenate([_piece(photograph, size, size, generator), _blob(size, generator)], 2)
    return Layer(texture=texture, motion=_motion(frames, generator.uniform(-0.5, 0.5, 2) * size, generator))


def _piece(photograph: Picture, side: int, size: int, generator: np.random.Generator) -> Picture:
    """A random square of a scaled photograph, DETAIL times as fine; mirrored where the photograph ends."""
    picture = Image.fromarray(photograph)
    share = max(generator.uniform(*SHARES), size / min(picture.size))
    shown = [min(side, int(length * share)) for length in picture.size]
    starts = [generator.uniform(0, length - part / share) for length, part in zip(picture.size, shown, strict=True)]
    ends = [min(length, a + part / share) for length, a, part in zip(picture.size, starts, shown, strict=True)]
    small = picture.resize((shown[0], shown[1]), Image.Resampling.LANCZOS, (starts[0], starts[1], ends[0], ends[1]))
    fine = np.asarray(small.resize((shown[0] * DETAIL, shown[1] * DETAIL), Image.Resampling.LANCZOS))
    missing = [(side * DETAIL - length) // 2 for length in fine.shape[:2]]
    padding = [(before, side * DETAIL - length - before) for before, length in zip(missing, fine.shape, strict=False)]
    return np.pad(fine, [*padding, (0, 0)], mode="symmetric")


def _blob(side: int, generator: np.random.Generator) -> Picture:
    """The opacity [W, W, 1] of a random object: a pointed to boxy ellipse, smooth or ragged, with a soft edge."""
    line = (np.arange(side * DETAIL, dtype=np.float32) + 0.5) / (side * DETAIL) - 0.5
    angle = generator.uniform(0, np.pi)
    along = np.cos(angle) * line + np.sin(angle) * line[:, None]
    across = np.cos(angle) * line[:, None] - np.sin(angle) * line
    length = generator.uniform(0.08, 0.25)
    width, power = length * generator.uniform(0.4, 1), 2 ** generator.uniform(0.4, 2.5)
    distance = (np.abs(along / length) ** power + np.abs(across / width) ** power) ** (1 / power)
    knots = Image.fromarray(generator.uniform(-1, 1, (9, 9)).astype(np.float32))
    ragged = generator.uniform(0, 0.3) * np.asarray(knots.resize(along.shape, Image.Resampling.BICUBIC))
    inside = 1 - distance + ragged
    steepness = np.hypot(*np.gradient(inside)) * DETAIL
    opacity = 0.5 + inside / np.maximum(steepness * generator.uniform(1, 3), 1e-6)
    levels: Picture = np.rint(255 * np.clip(opacity, 0, 1)).astype(np.uint8)
    return levels[:, :, None]


def _motion(frames: int, place: Array, generator: np.random.Generator) -> Array:
    """A motion [T, 2, 3] whose mean position is `place`, at a speed and heading that change slowly and steadily."""
    moving = float(generator.random() >= STILL)
    turning = moving * float(generator.random() >= RIGID)
    speed = FASTEST * generator.random() ** 1.5 * generator.uniform(0.6, 1, 2) * moving
    heading = generator.uniform(0, 2 * np.pi) + generator.normal(0, 0.2, 2)
    ends = speed * np.stack([np.cos(heading), np.sin(heading)])
    steps = ends[:, :1] + (ends[:, 1:] - ends[:, :1]) * np.linspace(0, 1, frames - 1)
    path = np.concatenate([np.zeros((2, 1)), np.cumsum(steps, 1)], 1)
    path += (place - path.mean(1))[:, None]
    angle = turning * generator.uniform(-TURN, TURN) * _times(frames)
    scale = np.exp(turning * generator.uniform(-ZOOM, ZOOM) * _times(frames))
    turns = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    shifts = -np.einsum("ijt,jt->it", turns, path)
    return np.concatenate([turns, shifts[:, None]], 1).transpose(2, 0, 1)


def _times(frames: int) -> Array:
    """The frames' numbers, counted from the middle of the clip."""
    return np.arange(frames, dtype=np.float64) - (frames - 1) / 2
