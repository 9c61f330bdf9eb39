"""What face data must be: labels that fit, persons in one part only, a hash of all that it holds."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from law_rl.counters import torch_generator
from law_rl.data.dataset import Split
from law_rl.data.training_data import TrainingData
from law_rl.face.data.face_dataset import FaceDataset, FaceSplit, check_disjoint, tar_name
from law_rl.face.data.pair_set import PairSet

SIDE = 16


def faces(identities: list[int], purpose: str = "faces") -> Split:
    shape = (len(identities), 1, SIDE, SIDE)
    images = torch.randint(0, 256, shape, generator=torch_generator(0, purpose), dtype=torch.uint8)
    return Split(images=images, targets=torch.tensor(identities, dtype=torch.int64))


def pair_set() -> PairSet:
    return PairSet(
        images=faces([0, 1, 2], "pairs").images,
        pairs=torch.tensor([[0, 1], [1, 2], [0, 2]]),
        same=torch.tensor([True, False, True]),
        fold=torch.tensor([0, 1, 1]),
    )


def dataset(**changes: Any) -> FaceDataset:
    test = faces([9, 9, 8], "test")
    parts: dict[str, Any] = {
        "name": "tiny",
        "class_names": ("Ann", "Bob", "Eve"),
        "mean": (127.0,),
        "std": (74.0,),
        "far": 0.01,
        "train": faces([0, 0, 1, 1, 2, 2, 2], "train"),
        "validation": FaceSplit(faces=faces([5, 6, 5, 6], "validation")),
        "test": FaceSplit(faces=test, masked=test.images.flip(0), protocol=pair_set()),
    }
    return FaceDataset(**parts | changes)


def test_it_offers_what_training_asks_of_data() -> None:
    data: TrainingData = dataset()
    assert (data.classes, data.image_shape, data.metric) == (3, (1, SIDE, SIDE), "TAR@0.01")
    assert len(data.validation) == 4 and len(data.test) == 3


@pytest.mark.parametrize(("far", "name"), [(0.001, "TAR@0.001"), (0.1, "TAR@0.1"), (1e-6, "TAR@1e-06")])
def test_the_metric_names_the_false_acceptance_rate(far: float, name: str) -> None:
    assert dataset(far=far).metric == tar_name(far) == name


def test_another_training_part_is_normalised_as_before() -> None:
    data = dataset()
    part = data.with_train(data.train.subset(torch.tensor([6, 5, 2, 3, 0, 1])))
    assert len(part.train) == 6 and (part.mean, part.std, part.class_names) == (data.mean, data.std, data.class_names)
    assert part.validation is data.validation and part.test is data.test


# What is refused

REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "no images": (
        lambda: dataset(train=Split(images=torch.zeros(0, 1, 2, 2).byte(), targets=torch.zeros(0).long())),
        r"FaceDataset\.train needs images, and labels within 0\.\.2",
    ),
    "a label without a name": (lambda: dataset(train=faces([0, 0, 1, 1, 2, 2, 3, 3])), "labels within 0..2, one name"),
    "a negative label": (lambda: dataset(train=faces([0, 0, 1, 1, 2, 2, -1])), "labels within 0..2, one name"),
    "one image": (lambda: dataset(train=faces([0, 0, 2, 2, 1])), "fewer than two images of Bob: leave that identity"),
    "a name without images": (lambda: dataset(train=faces([0, 0, 1, 1])), "fewer than two images of Eve"),
    "trained and validated on": (
        lambda: dataset(validation=FaceSplit(faces=faces([5, 1, 5, 1]))),
        "train and validation share the identity 1: cut the data by identity",
    ),
    "trained and tested on": (
        lambda: dataset(test=FaceSplit(faces=faces([2, 8, 2, 8]))),
        "train and test share the identity 2",
    ),
    "validated and tested on": (
        lambda: dataset(test=FaceSplit(faces=faces([8, 6, 8, 6]))),
        "validation and test share the identity 6",
    ),
    "a mask missing": (
        lambda: FaceSplit(faces=faces([1, 2]), masked=faces([1]).images),
        r"FaceSplit\.masked has the shape \(1, 1, 16, 16\) and the faces \(2, 1, 16, 16\): give one masked image for",
    ),
    "a transfer set that leaves one image": (
        lambda: dataset().with_train(dataset().train.subset(torch.tensor([0, 1, 2, 4, 5]))),
        "fewer than two images of Bob",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_data_that_would_not_measure_recognition_is_refused(name: str) -> None:
    make, message = REFUSED[name]
    with pytest.raises(ValueError, match=message) as raised:
        make()
    assert "\n" not in str(raised.value)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.integers(0, 12), max_size=6), min_size=1, max_size=4))
def test_parts_are_disjoint_where_no_identity_is_in_two_of_them(parts: list[list[int]]) -> None:
    shared = any(set(one) & set(two) for place, one in enumerate(parts) for two in parts[place + 1 :])
    named = {f"part {place}": torch.tensor(part, dtype=torch.int64) for place, part in enumerate(parts)}
    if not shared:
        check_disjoint(named)
        return
    with pytest.raises(ValueError, match="share the identity") as raised:
        check_disjoint(named)
    words = str(raised.value).split(":")[0]
    one, two, identity = (int(word) for word in words.replace(" and", "").split() if word.isdigit())
    assert identity in parts[one] and identity in parts[two] and one != two


# The hash


def changed(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor with its last entry changed."""
    other = tensor.clone().flatten()
    other[-1] = ~other[-1] if tensor.dtype == torch.bool else (other[-1] + 1) % 3 if other[-1] < 3 else other[-1] - 1
    return other.view_as(tensor)


def replaced(holder: Any, *path: str) -> Any:
    """The holder with the tensor at the end of the path of fields changed."""
    value = getattr(holder, path[0])
    return replace(holder, **{path[0]: changed(value) if len(path) == 1 else replaced(value, *path[1:])})


HASHED = [
    *(("train", name) for name in ("images", "targets")),
    *((part, "faces", name) for part in ("validation", "test") for name in ("images", "targets")),
    ("test", "masked"),
    *(("test", "protocol", name) for name in ("images", "pairs", "same", "fold")),
]


@pytest.mark.parametrize("path", HASHED, ids=".".join)
def test_every_tensor_counts_in_the_hash(path: tuple[str, ...]) -> None:
    data = dataset()
    assert replaced(data, *path).content_hash() != data.content_hash()


def test_the_hash_is_of_the_content_alone() -> None:
    data = dataset()
    assert dataset().content_hash() == data.content_hash() and len(data.content_hash()) == 64
    test = data.test
    assert isinstance(test, FaceSplit)
    others = [
        dataset(name="other"),
        dataset(class_names=("Ann", "Bob", "Eva")),
        dataset(test=replace(test, masked=None)),
        dataset(test=replace(test, protocol=None)),
        dataset(validation=replace(data.validation, masked=data.validation.faces.images)),
    ]
    assert len({each.content_hash() for each in (data, *others)}) == 6
    transposed = replace(data.train, images=data.train.images.transpose(2, 3).contiguous().transpose(2, 3))
    assert data.with_train(transposed).content_hash() == data.content_hash()


# Devices


def test_on_its_own_device_nothing_is_copied() -> None:
    data = dataset()
    moved = data.to("cpu")
    assert moved.train.images is data.train.images
    pairs = zip(data.test.tensors(), moved.test.tensors(), strict=True)
    assert all(one is other for one, other in pairs) and len(list(data.test.tensors())) == 7


def test_masks_move_with_their_faces() -> None:
    moved = replace(dataset().test, protocol=None).to("meta")
    assert [tensor.device.type for tensor in moved.tensors()] == ["meta"] * 3
    assert FaceSplit(faces=faces([1, 2])).to("meta").masked is None


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_the_hash_is_the_same_on_the_gpu() -> None:
    data = dataset()
    moved = data.to("cuda")
    assert moved.content_hash() == data.content_hash()
    parts = (moved.train.images, moved.train.targets, *moved.validation.tensors(), *moved.test.tensors())
    assert {tensor.device.type for tensor in parts} == {"cuda"}
