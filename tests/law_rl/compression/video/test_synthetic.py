"""Synthetic clips move as their flows say, and depend on nothing but the seed, their number and the photographs."""

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from law_rl.compression.video import scenes
from law_rl.compression.video.clips import ClipSet
from law_rl.compression.video.synthetic import BATCH, synthetic_clips

SIZE = 32


def waves(number: int, height: int = 60, width: int = 70) -> NDArray[np.uint8]:
    """A smooth photograph: a few waves of about 16 to 30 pixels in each colour."""
    generator = np.random.default_rng(number)
    rows, columns = np.mgrid[:height, :width]
    image = np.full((height, width, 3), 128.0)
    for _ in range(3):
        length, angle = generator.uniform(16, 30), generator.uniform(0, np.pi)
        phase = (
            2 * np.pi * ((np.cos(angle) * rows + np.sin(angle) * columns)[:, :, None] / length + generator.random(3))
        )
        image += 40 * np.sin(phase)
    return np.rint(image.clip(0, 255)).astype(np.uint8)


PHOTOGRAPHS = [waves(number) for number in range(4)]


def made(count: int, *, frames: int = 4, seed: int = 0) -> ClipSet:
    return synthetic_clips(PHOTOGRAPHS, count=count, frames=frames, size=SIZE, seed=seed)


def warped(frames: Tensor, flows: Tensor) -> tuple[Tensor, Tensor]:
    """Frames float64 [..., 3, S, S] by flows [..., 2, S, S], bilinear, and where that needs no pixel outside."""
    size = frames.shape[-1]
    line = torch.arange(size, dtype=torch.float64)
    x, y = flows[..., 0, :, :] + line, flows[..., 1, :, :] + line[:, None]
    left, top = (place.floor().clamp(0, size - 2) for place in (x, y))
    flat, result = frames.flatten(-2), torch.zeros_like(frames)
    for row in (top, top + 1):
        for column in (left, left + 1):
            index = (row * size + column).long().flatten(-2)[..., None, :].expand_as(flat)
            weight = (1 - (y - row).abs()) * (1 - (x - column).abs())
            result += flat.gather(-1, index).reshape(frames.shape) * weight[..., None, :, :]
    inside = (x >= 0) & (x <= size - 1) & (y >= 0) & (y <= size - 1)
    return result, inside


def errors(clips: ClipSet) -> tuple[Tensor, Tensor]:
    """Squared differences [N, T - 1, S, S] of each frame to the warped one before, and where they count."""
    assert clips.flows is not None
    frames = clips.frames.double()
    prediction, inside = warped(frames[:, :-1], clips.flows.double())
    return (prediction - frames[:, 1:]).square().mean(2), inside


def psnr(squares: Tensor) -> float:
    return 10 * math.log10(255**2 / float(squares.mean()))


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """No noise and no change of light."""
    monkeypatch.setattr(scenes, "NOISY", 0)
    monkeypatch.setattr(scenes, "LIT", 0)


def test_the_flow_leads_back_to_the_frame_before(plain: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scenes, "MOST_OBJECTS", 0)
    monkeypatch.setattr(scenes, "STILL", 0)
    monkeypatch.setattr(scenes, "RIGID", 0)
    clips = made(20)
    squares, inside = errors(clips)
    frames, flows = clips.frames.double(), clips.flows
    assert flows is not None and flows.abs().mean() > 0.5
    assert min(psnr(squares[number][inside[number]]) for number in range(20)) > 42
    for wrong in (-flows, flows.flip(2), torch.zeros_like(flows), flows + 0.5):
        other, there = errors(ClipSet(frames=clips.frames, flows=wrong))
        assert psnr(other[there]) < 36
    assert psnr((frames[:, 1:] - frames[:, :-1]).square()) < 30


def test_the_flow_is_that_of_the_surface_in_front(plain: None) -> None:
    squares, inside = errors(made(60, seed=1))
    wrong = (squares > 12**2) & inside
    assert wrong.float().mean() < 0.05  # what was hidden a frame earlier, and soft edges
    assert psnr(squares[inside & ~wrong]) > 38


def test_a_square_is_drawn_once_and_its_flow_is_where_it_lies_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """A white square of 8 pixels that enters a black scene from the left by 3 pixels a frame."""
    side = scenes.DETAIL * SIZE
    black = np.zeros((side, side, 4), np.uint8)
    black[:, :, 3] = 255
    white = np.full((side, side, 4), 255, np.uint8)
    white[:, :, 3] = 0
    white[side // 2 - 8 : side // 2 + 8, side // 2 - 8 : side // 2 + 8, 3] = 255
    motion = np.tile(np.eye(2, 3), (4, 1, 1))
    moving = motion.copy()
    moving[:, 0, 2] = 16 - 3 * np.arange(4)
    layers = (scenes.Layer(texture=black, motion=motion), scenes.Layer(texture=white, motion=moving))
    scene = scenes.Scene(layers=layers, light=np.ones(4), noise=0)
    monkeypatch.setattr("law_rl.compression.video.synthetic.draw_scene", lambda *_, **__: scene)
    clips = made(1)
    covered = torch.zeros(4, SIZE, SIZE, dtype=torch.bool)
    for time in range(4):
        covered[time, 12:20, max(0, 3 * time - 4) : 3 * time + 4] = True
    assert torch.equal(clips.frames[0] > 127, covered[:, None].expand(4, 3, SIZE, SIZE))
    assert clips.flows is not None
    assert torch.equal(clips.flows[0, :, 0], -3 * covered[1:].half())
    assert not clips.flows[0, :, 1].any()


def test_objects_move_apart_from_what_lies_behind(plain: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scenes, "RIGID", 1)  # each layer has one flow alone
    flows = made(40).flows
    assert flows is not None
    numbers = torch.tensor([len(clip[0].flatten(1).unique(dim=1).T) for clip in flows])
    assert numbers.min() == 1 and 2 < numbers.max() <= 1 + scenes.MOST_OBJECTS


def test_a_photograph_fills_the_frame_however_it_moves(plain: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scenes, "STILL", 0)
    monkeypatch.setattr(scenes, "FASTEST", 60)
    white = [np.full((SIZE, SIZE, 3), 255, np.uint8)]
    assert (synthetic_clips(white, count=10, frames=5, size=SIZE, seed=0).frames == 255).all()


def test_still_scenes_stand_still(plain: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scenes, "STILL", 1)
    clips = made(10)
    assert torch.equal(clips.frames, clips.frames[:, :1].expand_as(clips.frames))
    assert clips.flows is not None and not clips.flows.any()


def test_frames_between_pixels_are_hardly_blurred(plain: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """White noise, the sharpest photograph there is, loses less contrast than by interpolation without finer copies.

    Largest over smallest contrast of a clip's frames: 1.26 at most; 1.42 where a texture is as coarse as the frame.
    """
    monkeypatch.setattr(scenes, "MOST_OBJECTS", 0)
    noise = [np.random.default_rng(0).integers(0, 256, (200, 200, 3)).astype(np.uint8)]
    frames = synthetic_clips(noise, count=20, frames=5, size=64, seed=0).frames.double()
    contrast = (frames[..., 1:] - frames[..., :-1]).square().mean((2, 3, 4)).sqrt()
    assert (contrast.amax(1) / contrast.amin(1)).max() < 1.3


def test_light_changes_by_the_scene_and_noise_is_as_strong_as_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scenes, "STILL", 1)
    monkeypatch.setattr(scenes, "LIT", 1)
    monkeypatch.setattr(scenes, "NOISY", 1)
    clips = made(12).frames.double()
    for index, clip in enumerate(clips):
        scene = scenes.draw_scene(PHOTOGRAPHS, frames=4, size=SIZE, seed=0, index=index)
        unlit = clip.clamp(8, 247) / torch.tensor(scene.light)[:, None, None, None]
        usual = (clip > 8).all(0) & (clip < 247).all(0)
        means = unlit[:, usual].mean(1)
        assert (means - means.mean()).abs().max() < 0.25
        spread = unlit[:, usual].std(0).square().mean().sqrt()
        assert abs(spread - math.hypot(scene.noise, 1 / math.sqrt(12))) < 0.12


def test_a_clip_depends_on_its_number_and_the_seed_alone() -> None:
    many = made(BATCH + 3)
    few = made(3)
    assert many.flows is not None and few.flows is not None
    assert torch.equal(many.frames[:3], few.frames) and torch.equal(many.flows[:3], few.flows)
    assert made(BATCH + 3).content_hash == many.content_hash
    assert made(3, seed=1).content_hash != few.content_hash
    assert len({clip.numpy().tobytes() for clip in many.frames}) == BATCH + 3


def test_frames_and_flows_have_the_stated_shapes_and_types() -> None:
    clips = made(5, frames=3)
    assert len(clips) == 5 and clips.frames.shape == (5, 3, 3, SIZE, SIZE) and clips.frames.dtype == torch.uint8
    assert clips.flows is not None and clips.flows.shape == (5, 2, 2, SIZE, SIZE)
    assert clips.flows.dtype == torch.float16 and clips.flows.isfinite().all()
    assert int(clips.frames.max()) - int(clips.frames.min()) > 200


def test_photographs_smaller_than_a_frame_are_left_out_or_refused() -> None:
    small = waves(9, SIZE - 1, 90)
    with pytest.raises(ValueError, match="None of 1 photographs is as large as a frame of 32 x 32: make the clips"):
        synthetic_clips([small], count=1, frames=2, size=SIZE, seed=0)
    both = synthetic_clips([small, PHOTOGRAPHS[0]], count=2, frames=2, size=SIZE, seed=0)
    assert both.content_hash == synthetic_clips(PHOTOGRAPHS[:1], count=2, frames=2, size=SIZE, seed=0).content_hash


def test_a_clip_of_one_frame_is_refused() -> None:
    with pytest.raises(ValueError, match="frames is 1: give 2 at least"):
        made(1, frames=1)


@pytest.mark.gpu
def test_a_gpu_draws_the_same_clips() -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    here = made(20)
    there = synthetic_clips(PHOTOGRAPHS, count=20, frames=4, size=SIZE, seed=0, device="cuda").to("cpu")
    assert here.flows is not None and there.flows is not None
    assert (here.frames.int() - there.frames.int()).abs().max() <= 1
    assert (here.flows - there.flows).abs().float().mean() < 1e-3
