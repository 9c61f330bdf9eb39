import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits

from law_rl.data.dataset import Dataset, Split
from law_rl.data.imbalance import long_tail_counts
from law_rl.data.noise import NoiseConfig
from law_rl.data.places import data_places, find_file
from law_rl.data.sources import DataConfig, load_dataset

UNIFORM = NoiseConfig(kind="uniform", rate=0.4)


def keys(split: Split) -> list[bytes]:
    return [image.tobytes() for image in split.images.numpy()]


def write_npz(root: Path, train: int, test: int) -> None:
    """A small cifar10.npz whose images carry their official index in the first two bytes."""
    arrays: dict[str, np.ndarray] = {}
    for part, size in (("train", train), ("test", test)):
        images = np.zeros((size, 32, 32, 3), np.uint8)
        images[:, 0, 0, 0], images[:, 0, 0, 1] = np.arange(size) % 256, np.arange(size) // 256
        arrays |= {f"{part}_x": images, f"{part}_y": np.arange(size) % 10}
    np.savez(root / "cifar10.npz", **arrays)  # type: ignore[arg-type]


def official_index(split: Split) -> torch.Tensor:
    return split.images[:, 0, 0, 0].long() + 256 * split.images[:, 1, 0, 0].long()


def test_digits_are_cut_into_three_disjoint_parts() -> None:
    dataset = load_dataset(DataConfig(), seed=0)
    assert [len(dataset.train), len(dataset.validation), len(dataset.test)] == [1000, 297, 500]
    assert dataset.image_shape == (1, 8, 8) and dataset.classes == 10 and dataset.name == "digits"
    bunch = load_digits()
    expected = sorted(
        (image.astype(np.uint8).tobytes(), target) for image, target in zip(bunch.images, bunch.target, strict=True)
    )
    parts = [dataset.train, dataset.validation, dataset.test]
    found = [pair for part in parts for pair in zip(keys(part), part.targets.tolist(), strict=True)]
    assert sorted(found) == expected
    assert int(dataset.train.images.max()) == 16


def test_digits_are_stratified() -> None:
    dataset = load_dataset(DataConfig(), seed=0)
    sizes = torch.bincount(torch.from_numpy(load_digits().target))
    for part in (dataset.train, dataset.validation, dataset.test):
        assert (torch.bincount(part.targets) - sizes * len(part) / 1797).abs().max() < 2


def test_mean_and_std_are_those_of_the_training_images() -> None:
    dataset = load_dataset(DataConfig(train=400), seed=0)
    pixels = dataset.train.images.double()
    assert dataset.mean == pytest.approx([pixels.mean().item()])
    assert dataset.std == pytest.approx([pixels.std(correction=0).item()])


def test_only_the_training_labels_depend_on_the_seed() -> None:
    config = DataConfig(noise=UNIFORM)
    clean, first, second = load_dataset(DataConfig(), 1), load_dataset(config, 1), load_dataset(config, 2)
    for noisy in (first, second):
        assert torch.equal(noisy.train.images, clean.train.images)
        assert noisy.train.true_targets is not None
        assert torch.equal(noisy.train.true_targets, clean.train.targets)
        for part in ("validation", "test"):
            assert torch.equal(getattr(noisy, part).images, getattr(clean, part).images)
            assert torch.equal(getattr(noisy, part).targets, getattr(clean, part).targets)
            assert not getattr(noisy, part).mislabelled.any()
    assert not torch.equal(first.train.targets, second.train.targets)
    assert first.content_hash() == load_dataset(config, 1).content_hash()
    assert len({clean.content_hash(), first.content_hash(), second.content_hash()}) == 3
    assert clean.train.mislabelled is not None and not clean.train.mislabelled.any()


def test_noise_has_its_rate() -> None:
    wrong = [load_dataset(DataConfig(noise=UNIFORM), seed).train.mislabelled for seed in range(40)]
    share = torch.stack([mask for mask in wrong if mask is not None]).float().mean().item()
    assert abs(share - 0.36) < 5 * (0.36 * 0.64 / 40_000) ** 0.5


def test_clean_images_are_shared_between_calls() -> None:
    first, second = (load_dataset(DataConfig(noise=UNIFORM), seed) for seed in (1, 2))
    assert first.train.images.data_ptr() == second.train.images.data_ptr()


def test_a_smaller_training_set_is_a_stratified_part_of_the_larger_with_the_same_noise() -> None:
    large = load_dataset(DataConfig(noise=UNIFORM), 3)
    small = load_dataset(DataConfig(noise=UNIFORM, train=500), 3)
    labels = dict(zip(keys(large.train), large.train.targets.tolist(), strict=True))
    assert [labels[key] for key in keys(small.train)] == small.train.targets.tolist()
    assert small.train.true_targets is not None
    assert (torch.bincount(small.train.true_targets) - 50).abs().max() <= 2
    assert keys(small.validation) == keys(large.validation)


def test_imbalance_makes_a_long_tail_of_the_training_images_alone() -> None:
    balanced, tailed = load_dataset(DataConfig(train=500), 0), load_dataset(DataConfig(train=500, imbalance=20.0), 0)
    sizes = torch.bincount(balanced.train.targets)
    expected = torch.minimum(long_tail_counts(int(sizes.max()), 10, 20.0), sizes)
    assert torch.bincount(tailed.train.targets).tolist() == expected.tolist()
    assert set(keys(tailed.train)) < set(keys(balanced.train))
    assert keys(tailed.validation) == keys(balanced.validation)


def test_files_are_cut_from_the_official_parts(tmp_path: Path) -> None:
    write_npz(tmp_path, train=600, test=50)
    dataset = load_dataset(DataConfig(name="cifar10", root=str(tmp_path)), 0)
    assert [len(dataset.train), len(dataset.validation), len(dataset.test)] == [540, 60, 50]
    indices = official_index(dataset.train).tolist() + official_index(dataset.validation).tolist()
    assert sorted(indices) == list(range(600))
    assert torch.equal(official_index(dataset.test), torch.arange(50))
    for part in (dataset.train, dataset.validation, dataset.test):
        assert torch.equal(part.targets, official_index(part) % 10)
        assert len(set(torch.bincount(part.targets).tolist())) == 1


@pytest.mark.parametrize("imbalance", [1.0, 10.0])
def test_human_labels_follow_their_images_through_the_split(tmp_path: Path, imbalance: float) -> None:
    write_npz(tmp_path, train=600, test=50)
    human = np.random.default_rng(0).integers(0, 10, 600)
    (tmp_path / "labels").mkdir()
    np.savez(tmp_path / "labels" / "human.npz", worse_label=human, clean_label=np.arange(600) % 10)
    noise = NoiseConfig(kind="human", labels="labels/human.npz")
    config = DataConfig(name="cifar10", root=str(tmp_path), train=300, noise=noise, imbalance=imbalance)
    dataset = load_dataset(config, 0)
    assert dataset.train.targets.tolist() == human[official_index(dataset.train).numpy()].tolist()
    assert torch.equal(dataset.validation.targets, official_index(dataset.validation) % 10)


def test_only_the_chosen_images_of_a_folder_are_decoded(tmp_path: Path) -> None:
    for part, count in (("train", 20), ("val", 3)):
        for label, name in enumerate("ab"):
            (tmp_path / part / name).mkdir(parents=True)
            for number in range(count):
                Image.new("RGB", (5, 7), (number, label, 0)).save(tmp_path / part / name / f"{number:02d}.png")
    config = DataConfig(name="folder", root=str(tmp_path), image_size=4, train=10, validation=6)
    dataset = load_dataset(config, 0)
    assert [len(dataset.train), len(dataset.validation), len(dataset.test)] == [10, 6, 6]
    assert dataset.image_shape == (3, 4, 4) and dataset.class_names == ("a", "b")
    assert torch.bincount(dataset.train.targets).tolist() == [5, 5]
    assert torch.equal(dataset.train.images[:, 1, 0, 0].long(), dataset.train.targets)
    assert not set(keys(dataset.train)) & set(keys(dataset.validation))
    used = {(int(i[1, 0, 0]), int(i[0, 0, 0])) for i in (*dataset.train.images, *dataset.validation.images)}
    unused = next((label, number) for label in (0, 1) for number in range(20) if (label, number) not in used)
    (tmp_path / "train" / "ab"[unused[0]] / f"{unused[1]:02d}.png").write_bytes(b"damaged")
    again = load_dataset(dataclasses.replace(config, root=f"{tmp_path}/../{tmp_path.name}"), 0)
    assert again.content_hash() == dataset.content_hash()


def test_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("LAW_RL_DATA", raising=False)
    usual = (tmp_path / "data", tmp_path.parent / "shared" / "data", tmp_path / "home" / ".cache" / "law_rl")
    assert data_places("") == usual
    monkeypatch.setenv("LAW_RL_DATA", "~/sets")
    assert data_places("") == (tmp_path / "home" / "sets", *usual)
    assert data_places("mine") == (tmp_path / "mine",)


def test_a_named_file_is_looked_for_in_the_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("b", "c"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.npz").touch()
    places = [tmp_path / folder for folder in ("a", "b", "c")]
    assert find_file("x.npz", places) == str(tmp_path / "b" / "x.npz")
    assert find_file("c/x.npz", places) == "c/x.npz"
    assert find_file("y.npz", places) == "y.npz"


def test_the_environment_variable_leads_to_the_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "first").mkdir()
    (tmp_path / "second").mkdir()
    write_npz(tmp_path / "first", train=100, test=10)
    write_npz(tmp_path / "second", train=200, test=20)
    monkeypatch.chdir(tmp_path)

    def load(place: str) -> Dataset:
        monkeypatch.setenv("LAW_RL_DATA", str(tmp_path / place))
        return load_dataset(DataConfig(name="cifar10"), 0)

    assert [len(load(place).test) for place in ("first", "second", "first")] == [10, 20, 10]


def test_missing_data_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=f"cifar100 was not found: .*{tmp_path}.*DataConfig.root"):
        load_dataset(DataConfig(name="cifar100", root=str(tmp_path)), 0)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "mnist"}, "name='mnist'"),
        ({"train": -1}, "train=-1"),
        ({"validation": -2}, "validation=-2"),
        ({"image_size": 8}, "image_size=8"),
        ({"name": "folder", "root": "x"}, "image_size=0"),
        ({"name": "folder", "image_size": 8}, "root is empty"),
        ({"imbalance": 0.1}, "imbalance=0.1"),
    ],
)
def test_wrong_settings_are_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DataConfig(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("fields", [{"train": 1001}, {"validation": 1297}, {"train": 1297}])
def test_counts_that_do_not_fit_are_refused(fields: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="do not fit into the 1297 training images of digits"):
        load_dataset(DataConfig(**fields), 0)  # type: ignore[arg-type]
