import dataclasses

import pytest
import torch

from law_rl.data.dataset import Dataset, Split, channel_statistics, normalise

DEVICES = [
    "cpu",
    pytest.param(
        "cuda", marks=[pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")]
    ),
]


def make_split(size: int, seed: int) -> Split:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (size, 2, 3, 4), dtype=torch.uint8, generator=generator)
    targets = torch.randint(0, 3, (size,), generator=generator)
    return Split(images=images, targets=targets, true_targets=(targets + (torch.arange(size) % 2)) % 3)


def make_dataset() -> Dataset:
    return Dataset(
        name="toy",
        class_names=("a", "b", "c"),
        mean=(1.0, 2.0),
        std=(3.0, 4.0),
        train=make_split(7, 0),
        validation=make_split(5, 1),
        test=make_split(6, 2),
    )


def test_split_reports_its_mislabelled_samples_and_its_length() -> None:
    split = make_split(5, 0)
    assert len(split) == 5
    assert split.mislabelled is not None
    assert split.mislabelled.tolist() == [False, True, False, True, False]
    assert dataclasses.replace(split, true_targets=None).mislabelled is None


@pytest.mark.parametrize("index", [torch.tensor([3, 0]), torch.tensor([False, True, False, True, True])])
def test_subset_takes_images_and_both_labels(index: torch.Tensor) -> None:
    split = make_split(5, 0)
    part = split.subset(index)
    assert torch.equal(part.images, split.images[index])
    assert torch.equal(part.targets, split.targets[index])
    assert part.true_targets is not None and split.true_targets is not None
    assert torch.equal(part.true_targets, split.true_targets[index])
    assert dataclasses.replace(split, true_targets=None).subset(index).true_targets is None


@pytest.mark.parametrize(
    ("field", "value", "names"),
    [
        ("images", torch.zeros(5, 2, 3, 4), "Split.images"),
        ("images", torch.zeros(5, 3, 4, dtype=torch.uint8), "Split.images"),
        ("targets", torch.zeros(4, dtype=torch.int64), "Split.targets"),
        ("targets", torch.zeros(5), "Split.targets"),
        ("true_targets", torch.zeros(4, dtype=torch.int64), "Split.true_targets"),
    ],
)
def test_split_refuses_wrong_tensors(field: str, value: torch.Tensor, names: str) -> None:
    with pytest.raises(ValueError, match=names):
        dataclasses.replace(make_split(5, 0), **{field: value})


def test_dataset_properties() -> None:
    dataset = make_dataset()
    assert dataset.classes == 3
    assert dataset.image_shape == (2, 3, 4)


@pytest.mark.parametrize("device", ["meta", *DEVICES])
def test_to_moves_every_tensor(device: str) -> None:
    moved = make_dataset().to(device)
    for split in (moved.train, moved.validation, moved.test):
        assert split.true_targets is not None
        assert {split.images.device.type, split.targets.device.type, split.true_targets.device.type} == {device}


@pytest.mark.parametrize("device", DEVICES)
def test_content_hash_depends_on_content_alone(device: str) -> None:
    dataset = make_dataset()
    reference = dataset.content_hash()
    assert len(reference) == 64 and int(reference, 16) >= 0
    assert make_dataset().to(device).content_hash() == reference
    strided = dataclasses.replace(
        dataset.train, images=dataset.train.images.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
    )
    assert dataclasses.replace(dataset, train=strided).content_hash() == reference


def test_content_hash_notices_every_part() -> None:
    dataset = make_dataset()
    changed = [dataclasses.replace(dataset, name="other"), dataclasses.replace(dataset, class_names=("a", "b", "d"))]
    for part in ("train", "validation", "test"):
        split = getattr(dataset, part)
        images, targets = split.images.clone(), split.targets.clone()
        images[-1, -1, -1, -1] += 1
        targets[-1] = (targets[-1] + 1) % 3
        changed.append(dataclasses.replace(dataset, **{part: dataclasses.replace(split, images=images)}))
        changed.append(dataclasses.replace(dataset, **{part: dataclasses.replace(split, targets=targets)}))
    hashes = {dataset.content_hash(), *(other.content_hash() for other in changed)}
    assert len(hashes) == len(changed) + 1


@pytest.mark.parametrize("device", DEVICES)
def test_normalise_matches_float64(device: str) -> None:
    images = make_split(9, 3).images.to(device)
    before = images.clone()
    mean, std = (120.5, 13.25), (61.0, 3.5)
    result = normalise(images, mean, std)
    oracle = torch.stack([(images[:, c].double() - mean[c]) / std[c] for c in range(2)], dim=1)
    assert result.dtype == torch.float32 and result.device == images.device
    torch.testing.assert_close(result.double(), oracle, rtol=1e-6, atol=1e-6)
    assert torch.equal(images, before)


def test_normalise_refuses_the_wrong_number_of_channels() -> None:
    with pytest.raises(ValueError, match="2 channels"):
        normalise(make_split(2, 0).images, (1.0,), (1.0,))


def test_channel_statistics_match_float64_over_several_chunks() -> None:
    images = torch.randint(0, 256, (2100, 3, 2, 2), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    images[:, 2] = 17
    mean, std = channel_statistics(images)
    values = images.double().transpose(0, 1).flatten(1)
    assert mean == pytest.approx(values.mean(1).tolist(), rel=1e-12)
    assert std[:2] == pytest.approx(values.std(1, correction=0)[:2].tolist(), rel=1e-9)
    assert std[2] == 1.0
    assert torch.equal(normalise(images, mean, std)[:, 2], torch.zeros(2100, 2, 2))
