import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from law_rl.data.mask_faces import mask_faces


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def flat(tone: int, count: int = 200, channels: int = 1, side: int = 56) -> torch.Tensor:
    return torch.full((count, channels, side, side), tone, dtype=torch.uint8)


def opacity(count: int = 200, side: int = 56) -> torch.Tensor:
    """Float64 [N, S, S]: the share of each pixel that masks hide, read off masks drawn on black and on white."""
    black, white = (mask_faces(flat(tone, count, side=side), generator())[:, 0].double() for tone in (0, 255))
    return 1 - (white - black) / 255


def test_the_mouth_and_the_tip_of_the_nose_are_hidden_and_the_eyes_are_not() -> None:
    hidden = opacity()
    mouth, nose = round(0.82 * 56), round(0.66 * 56)
    assert (hidden[:, mouth, 28] == 1).all() and (hidden[:, nose, 28] == 1).all()
    assert (hidden[:, mouth, [21, 34]] == 1).all()
    assert (hidden[:, : round(0.5 * 56)] == 0).all()
    assert (hidden[:, :, [0, 1, 54, 55]] == 0).all()
    assert (hidden[:, -1, [6, 49]] == 0).all()


def test_a_mask_narrows_to_the_chin_and_its_upper_edge_varies() -> None:
    hidden = opacity()
    widths = hidden.sum(2)
    cheek, chin = widths[:, round(0.75 * 56)], widths[:, -1]
    assert (chin < cheek).all() and (widths[:, round(0.75 * 56) :].diff(dim=1) <= 0.02).all()
    tops = hidden[:, :, 28].sum(1)
    assert tops.min() > 0.3 * 56 and tops.max() < 0.5 * 56 and tops.std() > 1
    assert cheek.std() > 1


def test_the_edge_is_soft_and_little_else() -> None:
    hidden = opacity(side=112)
    partly = ((hidden > 0.02) & (hidden < 0.98)).double().sum((1, 2))
    assert (partly > 50).all() and (partly < 0.1 * 112**2).all()


def test_tones_colours_and_pleats_vary() -> None:
    masked = mask_faces(flat(0, channels=3), generator()).double()
    tones = masked[:, :, round(0.82 * 56), 28]
    assert tones.std(0).min() > 30
    assert (tones.max(1).values - tones.min(1).values).median() > 10
    waves = masked[:, 0, 38:52, 28].diff(dim=1).sign().diff(dim=1).abs().sum(1) > 4
    assert 0.2 < waves.double().mean() < 0.6


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_each_face_gets_a_mask_with_the_asked_probability(share: float) -> None:
    images = flat(128, 2000, side=12)
    changed = (mask_faces(images, generator(), share) != images).flatten(1).any(1)
    assert abs(int(changed.sum()) - 2000 * share) <= 5 * (2000 * share * (1 - share)) ** 0.5


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 5), st.integers(1, 4), st.integers(1, 40), st.floats(0, 1))
def test_any_batch_keeps_its_shape_and_what_is_above_the_masks(
    seed: int, count: int, channels: int, side: int, share: float
) -> None:
    images = torch.randint(0, 256, (count, channels, side, side), dtype=torch.uint8, generator=generator(seed))
    before = images.clone()
    masked = mask_faces(images, generator(seed), share)
    assert masked.dtype == torch.uint8 and masked.shape == images.shape
    assert torch.equal(images, before)
    assert torch.equal(masked[:, :, : round(side / 2)], images[:, :, : round(side / 2)])


def test_the_generator_alone_decides() -> None:
    images = torch.randint(0, 256, (20, 3, 16, 16), dtype=torch.uint8, generator=generator())
    first = mask_faces(images, generator(7), 0.5)
    torch.manual_seed(11)
    assert torch.equal(first, mask_faces(images, generator(7), 0.5))
    assert not torch.equal(first, mask_faces(images, generator(8), 0.5))
    assert torch.equal(first, mask_faces(images.contiguous(memory_format=torch.channels_last), generator(7), 0.5))


def test_no_faces_give_no_faces() -> None:
    assert mask_faces(flat(0, count=0), generator()).shape == (0, 1, 56, 56)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_works_on_a_gpu_without_waiting_for_it() -> None:
    images, source = flat(0).cuda(), torch.Generator(device="cuda").manual_seed(0)
    torch.cuda.set_sync_debug_mode("error")
    try:
        masked = mask_faces(images, source, 0.5)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    worn = masked.flatten(1).any(1).double().mean()
    assert masked.is_cuda and 0.3 < float(worn) < 0.7


@pytest.mark.parametrize(
    "images",
    [torch.zeros(1, 1, 8, 8), torch.zeros(1, 8, 8, dtype=torch.uint8), torch.zeros(1, 1, 8, 6, dtype=torch.uint8)],
)
def test_other_images_are_refused(images: torch.Tensor) -> None:
    with pytest.raises(ValueError, match=r"give aligned faces as uint8 \[N, C, S, S\]"):
        mask_faces(images, generator())


@pytest.mark.parametrize("share", [-0.1, 1.5, float("nan")])
def test_other_shares_are_refused(share: float) -> None:
    with pytest.raises(ValueError, match=f"share is {share}"):
        mask_faces(flat(0), generator(), share)
