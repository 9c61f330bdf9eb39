"""Scenes stay within the bounds that their module states, and use all of them."""

import numpy as np
import pytest
from numpy.typing import NDArray

from law_rl.compression.video import scenes
from law_rl.compression.video.scenes import DETAIL, Layer, Scene, draw_scene

FRAMES, SIZE, SCENES = 6, 32, 300
EDGE = 0.34
"""The farthest that an object reaches from its centre, in sides of a frame: 0.25 (1 + 0.3 * 1.2)."""


def photograph(height: int, width: int, red: int) -> NDArray[np.uint8]:
    """A photograph whose green grows downwards and whose blue grows to the right, both from 0 to 255."""
    rows, columns = np.meshgrid(np.linspace(0, 255, height), np.linspace(0, 255, width), indexing="ij")
    return np.rint(np.stack([np.full_like(rows, red), rows, columns], 2)).astype(np.uint8)


@pytest.fixture(scope="module")
def drawn() -> list[Scene]:
    photographs = [photograph(60, 80, red) for red in range(5)]
    return [draw_scene(photographs, frames=FRAMES, size=SIZE, seed=0, index=index) for index in range(SCENES)]


@pytest.fixture(scope="module")
def layers(drawn: list[Scene]) -> list[Layer]:
    return [layer for scene in drawn for layer in scene.layers]


def centres(layer: Layer) -> NDArray[np.float64]:
    """Where the centre of the texture lies in each frame [T, 2], from the frame's centre."""
    return -np.linalg.solve(layer.motion[:, :, :2], layer.motion[:, :, 2:])[:, :, 0]


def turns_and_zooms(layer: Layer) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Angles and logarithms of the scale from the frame to the texture [T]; each map is a turn times a scale."""
    maps = layer.motion[:, :, :2]
    scale = np.sqrt(np.linalg.det(maps))
    np.testing.assert_allclose(maps @ maps.transpose(0, 2, 1), scale[:, None, None] ** 2 * np.eye(2), atol=1e-12)
    return np.arctan2(maps[:, 1, 0], maps[:, 0, 0]), np.log(scale)


def test_steps_are_bounded_steady_and_often_none(layers: list[Layer]) -> None:
    steps = np.stack([np.diff(centres(layer), axis=0) for layer in layers])
    lengths = np.linalg.norm(steps, axis=2)
    assert lengths.max() <= scenes.FASTEST + 1e-9
    assert lengths.max() > 0.9 * scenes.FASTEST
    np.testing.assert_allclose(np.diff(steps, 2, axis=1), 0, atol=1e-9)  # constant acceleration
    still = lengths.max(1) < 1e-9
    assert abs(still.mean() - scenes.STILL) < 0.06
    accelerations = np.linalg.norm(np.diff(steps, axis=1), axis=2)[~still]
    assert 0.02 < np.median(accelerations) < 0.2


def test_turns_and_zooms_are_bounded_and_steady(layers: list[Layer]) -> None:
    for rates, bound in zip(zip(*map(turns_and_zooms, layers), strict=True), (scenes.TURN, scenes.ZOOM), strict=True):
        steps = np.diff(np.stack(rates), axis=1)
        np.testing.assert_allclose(steps, steps[:, :1].repeat(FRAMES - 1, 1), atol=1e-12)
        assert 0.9 * bound < np.abs(steps).max() <= bound + 1e-12
        rigid = scenes.STILL + (1 - scenes.STILL) * scenes.RIGID
        assert abs((np.abs(steps[:, 0]) < 1e-12).mean() - rigid) < 0.06


def test_the_middle_of_a_background_is_seen_in_the_middle_of_a_clip(drawn: list[Scene]) -> None:
    for scene in drawn:
        np.testing.assert_allclose(centres(scene.layers[0]).mean(0), 0, atol=1e-9)


def test_objects_are_few_inside_their_textures_and_partly_seen(drawn: list[Scene]) -> None:
    numbers = np.bincount([len(scene.layers) for scene in drawn])
    assert numbers[0] == 0 and len(numbers) == 2 + scenes.MOST_OBJECTS and numbers[1:].min() > SCENES / 6
    line = (np.arange(SIZE * DETAIL) + 0.5) / (SIZE * DETAIL) - 0.5
    away = np.hypot(line, line[:, None])
    for layer in (layer for scene in drawn for layer in scene.layers[1:]):
        opacity = layer.texture[:, :, 3]
        assert opacity.max() == 255
        assert (opacity[away > EDGE + 2 / SIZE] == 0).all()
        assert ((opacity > 0) & (opacity < 255)).any()  # a soft edge
        assert np.abs(centres(layer).mean(0)).max() <= SIZE / 2


def test_backgrounds_are_opaque(drawn: list[Scene]) -> None:
    assert all((scene.layers[0].texture[:, :, 3] == 255).all() for scene in drawn)


def test_the_layers_of_a_scene_come_from_different_photographs(drawn: list[Scene]) -> None:
    for scene in drawn:
        reds = [int(layer.texture[0, 0, 0]) for layer in scene.layers]
        assert len(set(reds)) == len(reds)


def test_light_and_noise_are_bounded_and_often_none(drawn: list[Scene]) -> None:
    light = np.stack([scene.light for scene in drawn])
    steps = np.diff(light, axis=1)
    assert np.abs(steps).max() <= scenes.DIMMING + 1e-12
    np.testing.assert_allclose(light.mean(1), 1)
    assert abs((np.abs(steps).max(1) > 1e-12).mean() - scenes.LIT) < 0.08
    noise = np.array([scene.noise for scene in drawn])
    assert 0.9 * scenes.NOISE < noise.max() <= scenes.NOISE and noise.min() == 0
    assert abs((noise > 0).mean() - scenes.NOISY) < 0.08


def test_photographs_are_scaled_by_the_stated_shares() -> None:
    slopes = []
    for index in range(60):
        scene = draw_scene([photograph(100, 100, 0)], frames=2, size=24, seed=0, index=index)
        column = scene.layers[0].texture[:, 36, 1].astype(float)
        slopes.append((column[-4] - column[3]) / (len(column) - 7) * DETAIL)
    shares = 255 / 99 / np.array(slopes)
    assert scenes.SHARES[0] - 0.03 < shares.min() < 0.66 and 0.84 < shares.max() < scenes.SHARES[1] + 0.03


def test_a_photograph_that_barely_fits_is_mirrored_at_its_borders() -> None:
    scene = draw_scene([photograph(SIZE, SIZE, 7)], frames=2, size=SIZE, seed=0, index=0)
    texture = scene.layers[0].texture
    assert texture.shape == (96, 96, 4)
    np.testing.assert_array_equal(texture[:16], texture[31:15:-1])
    np.testing.assert_array_equal(texture[:, -16:], texture[:, -17:-33:-1])
    assert np.ptp(texture[16:80, :, 1]) > 250  # the whole photograph
