"""What the degradations do to images, and that draws are the generator's alone."""

from typing import get_args

import pytest
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

from benchmarks import degradations
from benchmarks.degradations import LIGHT, REDUCTIONS, Condition, degrade
from law_rl.counters import torch_generator

SIDE, COUNT = 32, 40
SINGLE = [condition for condition in get_args(Condition) if condition not in ("plain", "mixed")]


def faces(channels: int = 1) -> Tensor:
    shape = (COUNT, channels, SIDE, SIDE)
    return torch.randint(256, shape, dtype=torch.uint8, generator=torch_generator(0, "faces"))


def spoilt(images: Tensor, condition: Condition) -> Tensor:
    return degrade(images, condition, torch_generator(0, "degradations"))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("condition", get_args(Condition))
def test_images_stay_images_and_the_original_is_left_alone(condition: Condition, channels: int) -> None:
    images = faces(channels)
    original = images.clone()
    result = spoilt(images, condition)
    assert result.dtype == torch.uint8 and result.shape == images.shape
    assert torch.equal(images, original) and result.data_ptr() != images.data_ptr()
    assert torch.equal(result, spoilt(images, condition))
    if condition != "plain":
        assert not torch.equal(result, degrade(images, condition, torch_generator(1, "degradations")))


def test_plain_changes_nothing() -> None:
    assert torch.equal(spoilt(faces(), "plain"), faces())


@pytest.mark.parametrize("condition", ["blurred", "low resolution"])
def test_detail_goes_and_flat_images_stay(condition: Condition) -> None:
    flat = torch.full((3, 1, SIDE, SIDE), 77, dtype=torch.uint8)
    assert torch.equal(spoilt(flat, condition), flat)
    before, after = (images.float().std(dim=(1, 2, 3)) for images in (faces(), spoilt(faces(), condition)))
    assert (after < 0.7 * before).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_blur_is_a_gaussian(channels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(degradations, "BLUR", (0.05, 0.05))
    expected = ndimage.gaussian_filter(
        faces(channels).double().numpy(), 0.05 * SIDE, mode="nearest", radius=round(0.15 * SIDE), axes=(2, 3)
    )
    assert (spoilt(faces(channels), "blurred").double() - torch.from_numpy(expected)).abs().max() <= 0.51


def test_blurs_differ_in_width() -> None:
    same = faces()[:1].expand(COUNT, -1, -1, -1)
    spread = spoilt(same, "blurred").float().std(dim=(1, 2, 3))
    assert spread.max() > 1.5 * spread.min()


def test_low_resolution_leaves_no_more_pixels_than_said() -> None:
    """Each image is the enlargement of a smaller one, by one of the factors."""
    images = faces()
    result = spoilt(images, "low resolution")
    versions = []
    for factor in REDUCTIONS:
        small = functional.interpolate(images.float(), size=round(SIDE / factor), mode="bilinear", antialias=True)
        versions.append(functional.interpolate(small.round(), size=SIDE, mode="bilinear").round())
    which = torch.stack([(version == result).all(dim=(1, 2, 3)) for version in versions])
    assert which.sum(0).eq(1).all() and which.any(1).all()


def test_dark_images_have_the_light_that_is_said() -> None:
    bright = torch.full((COUNT, 1, SIDE, SIDE), 200, dtype=torch.uint8)
    shares = spoilt(bright, "dark").float().mean(dim=(1, 2, 3)) / 200
    assert LIGHT[0] - 0.01 < shares.min() < shares.max() < LIGHT[1] + 0.01
    assert shares.max() - shares.min() > 0.1
    assert 2 < spoilt(bright, "dark").float().std(dim=(1, 2, 3)).mean() < 4


def test_masks_leave_the_eyes() -> None:
    images, masked = faces(), spoilt(faces(), "masked")
    assert torch.equal(masked[:, :, : SIDE // 2], images[:, :, : SIDE // 2])
    assert (masked[:, :, SIDE // 2 :] != images[:, :, SIDE // 2 :]).any(dim=(1, 2, 3)).all()


def test_mixed_images_are_each_in_one_of_the_conditions() -> None:
    images = torch.full((400, 1, SIDE, SIDE), 200, dtype=torch.uint8)
    mixed = degrade(images, "mixed", torch_generator(0, "degradations")).float()
    dark = mixed[:, 0, : SIDE // 2].mean(dim=(1, 2)) < 0.5 * 200
    masked = ~dark & (mixed[:, 0, SIDE // 2 :].std(dim=(1, 2)) > 3)
    for kind in (dark[:200], dark[200:], masked[:200], masked[200:]):
        assert 0.1 < kind.float().mean() < 0.3
    assert 0.5 < (mixed == 200).all(dim=3).all(dim=2).float().mean() < 0.7  # flat: plain, blurred or with few pixels


def test_other_conditions_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^condition is 'wet': use one of plain, blurred, low resolution, dark"):
        degrade(faces(), "wet", torch_generator(0, ""))  # type: ignore[arg-type]
