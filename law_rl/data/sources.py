"""From a configuration to a data set: which data, how it is split, what is done to the training labels."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import ClassVar, Literal

import torch

from law_rl.data.cifar import read_cifar
from law_rl.data.cifar_official import RELEASES
from law_rl.data.dataset import ACCURACY, Dataset, Split, channel_statistics
from law_rl.data.digits import read_digits
from law_rl.data.folders import read_folders
from law_rl.data.imbalance import long_tail_indices
from law_rl.data.node_cache import Content, cache_folder, cache_key, load_once
from law_rl.data.noise import NoiseConfig, corrupt
from law_rl.data.official import OfficialParts, Part
from law_rl.data.places import data_places, find_file
from law_rl.data.splits import fixed_order, split_stratified


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Which data set, and how it is cut and corrupted.

    `root`: the folder that holds the files; empty: $LAW_RL_DATA, ./data, ../shared/data, ~/.cache/law_rl.
    `train`: training images kept, stratified by class; 0: all that validation leaves.
    `validation`: clean images for the reward, held out of the official training part; 0: 297 for digits, else a
    tenth of that part but at most 5,000.
    `image_size`: for folders, the side in pixels to which images are resized and cropped.
    `imbalance`: largest class over smallest in the training images kept, on an exponential profile; 1: none.
    """

    metric: ClassVar[str] = ACCURACY
    name: Literal["digits", "cifar10", "cifar100", "folder"] = "digits"
    root: str = ""
    train: int = 0
    validation: int = 0
    image_size: int = 0
    noise: NoiseConfig = field(default_factory=NoiseConfig)
    imbalance: float = 1.0

    def __post_init__(self) -> None:
        if self.name not in ("digits", "cifar10", "cifar100", "folder"):
            raise ValueError(
                f"DataConfig.name={self.name!r} is unknown: use 'digits', 'cifar10', 'cifar100' or 'folder'."
            )
        for count in ("train", "validation"):
            if getattr(self, count) < 0:
                raise ValueError(f"DataConfig.{count}={getattr(self, count)} is negative: use 0 for the default.")
        if (self.image_size > 0) != (self.name == "folder") or self.image_size < 0:
            raise ValueError(
                f"DataConfig.image_size={self.image_size} does not fit name={self.name!r}: image folders, and they "
                "alone, need a side in pixels."
            )
        if self.name == "folder" and not self.root:
            raise ValueError("DataConfig.root is empty: set it to the folder that holds train/ and val/.")
        if not self.imbalance >= 1:
            raise ValueError(f"DataConfig.imbalance={self.imbalance} is below 1: use 1 for none, or for example 100.")

    def load(self, seed: int) -> Dataset:
        """`load_dataset` of this configuration."""
        return load_dataset(self, seed)


def load_dataset(config: DataConfig, seed: int) -> Dataset:
    """The data set of `config`, on the CPU, with the training labels corrupted by draws of `seed`.

    The split does not depend on the seed. Clean splits are kept per process and shared between calls: copy before
    writing to them. Where $LAW_RL_NODE_CACHE names a folder, all processes of the node share their memory. The noise
    is drawn over the whole official training part, so an image's noisy label does not depend on how many others are
    kept. Raises FileNotFoundError where files are missing, ValueError where counts do not fit or files are damaged.
    """
    places = data_places(config.root)
    clean = _clean_splits(replace(config, noise=NoiseConfig()), places)
    noise = config.noise
    if noise.kind == "none":
        return clean.dataset
    if noise.kind == "human":
        noise = replace(noise, labels=find_file(noise.labels, places))
    noisy = corrupt(clean.official_targets, clean.dataset.classes, noise, seed)
    return replace(clean.dataset, train=replace(clean.dataset.train, targets=noisy[clean.train_indices]))


@dataclass(frozen=True, kw_only=True, eq=False)
class _CleanSplits:
    """The data set before noise, the labels of the official training part, and which of it the training set is."""

    dataset: Dataset
    official_targets: torch.Tensor
    train_indices: torch.Tensor


@lru_cache(maxsize=4)
def _clean_splits(config: DataConfig, places: tuple[Path, ...]) -> _CleanSplits:
    folder = cache_folder()
    if folder is None or config.name == "digits":
        return _decode(config, places)
    key = cache_key((config, places), _source_files(config.name, places))
    return _unpack(config.name, load_once(folder, key, lambda: _pack(_decode(config, places))))


def _source_files(name: str, places: Sequence[Path]) -> Iterator[Path]:
    """All files and class folders that the data set could depend on, in a fixed order."""
    if name == "folder":
        patterns = ["train/*", "train/*/*", "val/*", "val/*/*"]
    else:
        releases = [form for release in RELEASES[name] for form in (release.archive, f"{release.directory}/*")]
        patterns = [*releases, f"{name}.npz", f"{name}/*"]
    for place in places:
        for pattern in patterns:
            yield from sorted(place.glob(pattern))


def _pack(clean: _CleanSplits) -> Content:
    dataset = clean.dataset
    tensors = {"official_targets": clean.official_targets, "train_indices": clean.train_indices}
    for name, split in (("train", dataset.train), ("validation", dataset.validation), ("test", dataset.test)):
        tensors |= {f"{name}.images": split.images.contiguous(), f"{name}.targets": split.targets}
    facts = {"class_names": dataset.class_names, "mean": dataset.mean, "std": dataset.std}
    return Content(tensors=tensors, texts={name: json.dumps(value) for name, value in facts.items()})


def _unpack(name: str, content: Content) -> _CleanSplits:
    tensors = content.tensors
    facts = {key: tuple(json.loads(text)) for key, text in content.texts.items()}

    def split(part: str) -> Split:
        targets = tensors[f"{part}.targets"]
        return Split(images=tensors[f"{part}.images"], targets=targets, true_targets=targets)

    dataset = Dataset(
        name=name,
        class_names=facts["class_names"],
        mean=facts["mean"],
        std=facts["std"],
        train=split("train"),
        validation=split("validation"),
        test=split("test"),
    )
    return _CleanSplits(
        dataset=dataset, official_targets=tensors["official_targets"], train_indices=tensors["train_indices"]
    )


def _decode(config: DataConfig, places: tuple[Path, ...]) -> _CleanSplits:
    parts = _read(config, places)
    targets = parts.train.targets
    train_indices, validation_indices = _train_and_validation(config, targets, len(parts.class_names))
    train = _clean_split(parts.train, train_indices)
    mean, std = channel_statistics(train.images)
    dataset = Dataset(
        name=config.name,
        class_names=parts.class_names,
        mean=mean,
        std=std,
        train=train,
        validation=_clean_split(parts.train, validation_indices),
        test=_clean_split(parts.test, torch.arange(len(parts.test.targets))),
    )
    return _CleanSplits(dataset=dataset, official_targets=targets, train_indices=train_indices)


def _read(config: DataConfig, places: tuple[Path, ...]) -> OfficialParts:
    match config.name:
        case "digits":
            return read_digits()
        case "folder":
            return read_folders(places[0], config.image_size)
        case _:
            return read_cifar(config.name, places)


def _train_and_validation(config: DataConfig, targets: torch.Tensor, classes: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Ascending indices into the official training part: `config.validation` held out, then train, then the tail."""
    default = 297 if config.name == "digits" else min(5000, len(targets) // 10)
    validation_size = config.validation or default
    train_size = config.train or len(targets) - validation_size
    if train_size <= 0 or validation_size <= 0 or train_size + validation_size > len(targets):
        raise ValueError(
            f"DataConfig.train={config.train} and validation={validation_size} do not fit into the {len(targets)} "
            f"training images of {config.name}: ask for fewer."
        )
    validation, rest = split_stratified(fixed_order(len(targets)), targets, validation_size)
    train, _ = split_stratified(rest, targets, train_size)
    if config.imbalance > 1:
        train = train[long_tail_indices(targets[train], classes, config.imbalance)]
    return train.sort().values, validation.sort().values


def _clean_split(part: Part, indices: torch.Tensor) -> Split:
    targets = part.targets[indices]
    return Split(images=part.images(indices), targets=targets, true_targets=targets)
