from typing import Any, Literal

import pytest
import torch
from torch.nn.functional import pad

from law_rl.data.augment import AugmentConfig, augment
from law_rl.data.mask_faces import mask_faces


def candidates(image: torch.Tensor, config: AugmentConfig) -> list[torch.Tensor]:
    """Every result that augmenting one image [C, H, W] may have: all crops of the padded image, mirrored or not."""
    mode = "constant" if config.padding == "zeros" else "reflect"
    padded = pad(image.double(), (config.crop,) * 4, mode=mode).to(image.dtype) if config.crop else image
    _, height, width = image.shape
    shifts = range(2 * config.crop + 1)
    crops = [padded[:, top : top + height, left : left + width] for top in shifts for left in shifts]
    return crops + [crop.flip(2) for crop in crops] if config.flip else crops


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
@pytest.mark.parametrize("padding", ["zeros", "reflect"])
@pytest.mark.parametrize(("flip", "crop"), [(True, 0), (False, 2), (True, 2), (True, 1)])
def test_every_image_is_one_of_the_possible_results_and_each_is_as_likely(
    flip: bool, crop: int, padding: Literal["zeros", "reflect"], dtype: torch.dtype
) -> None:
    config = AugmentConfig(flip=flip, crop=crop, padding=padding)
    image = torch.randperm(2 * 6 * 7, generator=torch.Generator().manual_seed(0)).view(2, 6, 7).to(dtype) + 1
    possible = torch.stack(candidates(image, config))
    count = 200 * len(possible)
    result = augment(image.expand(count, -1, -1, -1), config, torch.Generator().manual_seed(1))
    assert result.dtype == dtype and result.shape == (count, 2, 6, 7)
    found = (result[:, None] == possible[None]).flatten(2).all(2)
    assert torch.equal(found.sum(1), torch.ones(count, dtype=torch.int64))
    frequency = found.sum(0)
    assert (frequency - 200).abs().max() < 5 * 200**0.5


def test_images_of_a_batch_stay_in_place() -> None:
    config = AugmentConfig(flip=True, crop=2)
    images = torch.randint(0, 256, (20, 3, 4, 5), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    before = images.clone()
    result = augment(images, config, torch.Generator().manual_seed(1))
    for image, augmented in zip(images, result, strict=True):
        assert any(torch.equal(augmented, possible) for possible in candidates(image, config))
    assert torch.equal(images, before)


def test_the_generator_alone_decides() -> None:
    config = AugmentConfig(flip=True, crop=2, padding="zeros")
    images = torch.randint(0, 256, (50, 1, 6, 6), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    first = augment(images, config, torch.Generator().manual_seed(7))
    torch.manual_seed(11)
    assert torch.equal(first, augment(images, config, torch.Generator().manual_seed(7)))
    assert not torch.equal(first, augment(images, config, torch.Generator().manual_seed(8)))
    channels_last = images.contiguous(memory_format=torch.channels_last)
    assert torch.equal(first, augment(channels_last, config, torch.Generator().manual_seed(7)))


@pytest.mark.parametrize("moves", [{}, {"flip": True}, {"crop": 2}, {"flip": True, "crop": 2}])
def test_masks_are_drawn_before_the_image_is_moved(moves: dict[str, Any]) -> None:
    images = torch.randint(0, 256, (50, 3, 12, 12), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(1)
    masked = mask_faces(images, generator, 0.5)
    expected = augment(masked, AugmentConfig(**moves), generator)
    result = augment(images, AugmentConfig(**moves, mask=0.5), torch.Generator().manual_seed(1))
    assert torch.equal(result, expected) and not torch.equal(masked, images)


def test_without_masks_crops_take_their_numbers_first_and_flips_last() -> None:
    generator = torch.Generator().manual_seed(1)
    down, across = (torch.randint(-2, 3, (20, 1), generator=generator).flatten().tolist() for _ in range(2))
    mirrored = (torch.rand(20, 1, generator=generator) < 0.5).flatten().tolist()
    images = torch.randint(1, 256, (20, 1, 6, 6), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    config = AugmentConfig(flip=True, crop=2, padding="zeros")
    result = augment(images, config, torch.Generator().manual_seed(1))
    for image, augmented, row, column, flips in zip(images, result, down, across, mirrored, strict=True):
        crop = pad(image, (2, 2, 2, 2))[:, 2 + row : 8 + row, 2 + column : 8 + column]
        assert torch.equal(augmented, crop.flip(2) if flips else crop)


def test_a_setting_tells_whether_it_changes_images() -> None:
    assert not AugmentConfig().changes and not AugmentConfig(padding="zeros").changes
    for config in (AugmentConfig(flip=True), AugmentConfig(crop=1), AugmentConfig(mask=0.1)):
        assert config.changes


def test_no_augmentation_returns_the_images() -> None:
    images = torch.zeros(2, 1, 3, 3)
    assert augment(images, AugmentConfig(), torch.Generator()) is images


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_works_on_a_gpu() -> None:
    config = AugmentConfig(flip=True, crop=2)
    images = torch.randint(0, 256, (20, 3, 4, 5), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    result = augment(images.cuda(), config, torch.Generator(device="cuda").manual_seed(1))
    assert result.is_cuda
    for image, augmented in zip(images, result.cpu(), strict=True):
        assert any(torch.equal(augmented, possible) for possible in candidates(image, config))


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="crop=-1"):
        AugmentConfig(crop=-1)
    for mask in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match=f"mask={mask} is no share"):
            AugmentConfig(mask=mask)
    with pytest.raises(ValueError, match="padding='wrap'"):
        AugmentConfig(padding="wrap")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="crop=3 cannot reflect an image of side 3"):
        augment(torch.zeros(1, 1, 3, 4), AugmentConfig(crop=3), torch.Generator())
    with pytest.raises(ValueError, match="give aligned faces as uint8"):
        augment(torch.zeros(1, 1, 4, 4), AugmentConfig(mask=0.5), torch.Generator())
