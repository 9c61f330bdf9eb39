import dataclasses

import pytest
import torch

from law_rl.data.dataset import Split
from law_rl.data.retrieval import RetrievalDataset, RetrievalSplit

DEVICES = [
    "cpu",
    pytest.param(
        "cuda", marks=[pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")]
    ),
]


def make_split(targets: list[int], seed: int) -> Split:
    images = torch.randint(
        0, 256, (len(targets), 2, 3, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed)
    )
    return Split(images=images, targets=torch.tensor(targets))


def make_retrieval(first: int, seed: int) -> RetrievalSplit:
    return RetrievalSplit(
        query=make_split([first, first + 1], seed),
        gallery=make_split([first, first + 1, first + 2], seed + 1),
        query_cameras=torch.tensor([1, 2]),
        gallery_cameras=torch.tensor([3, 3, 1]),
    )


def make_dataset() -> RetrievalDataset:
    return RetrievalDataset(
        name="toy",
        class_names=("a", "b"),
        mean=(1.0, 2.0),
        std=(3.0, 4.0),
        train=make_split([0, 1, 1], 0),
        validation=make_retrieval(2, 1),
        test=make_retrieval(5, 3),
    )


def test_properties() -> None:
    dataset = make_dataset()
    assert dataset.classes == 2
    assert dataset.image_shape == (2, 3, 4)
    assert dataset.validation.identities.tolist() == [2, 3, 4] and dataset.test.identities.tolist() == [5, 6, 7]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"query_cameras": None}, "RetrievalSplit.query_cameras is missing"),
        ({"gallery_cameras": None}, "RetrievalSplit.gallery_cameras is missing"),
        ({"query_cameras": torch.tensor([1])}, r"query_cameras must be int64 \[2\]"),
        ({"gallery_cameras": torch.zeros(3)}, r"gallery_cameras must be int64 \[3\]"),
        (
            {"gallery": Split(images=torch.zeros(3, 2, 4, 4, dtype=torch.uint8), targets=torch.zeros(3).long())},
            r"query has images \(2, 3, 4\) and gallery \(2, 4, 4\)",
        ),
    ],
)
def test_a_split_whose_parts_do_not_fit_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(make_retrieval(0, 0), **changes)  # type: ignore[arg-type]
    dataclasses.replace(make_retrieval(0, 0), query_cameras=None, gallery_cameras=None)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"validation": make_retrieval(1, 1)}, "train and validation share the identity 1"),
        ({"test": make_retrieval(-2, 1)}, "train and test share the identity 0"),
        ({"test": make_retrieval(4, 1)}, "validation and test share the identity 4"),
        ({"train": make_split([0, 2], 0)}, r"labels within 0\.\.1"),
        ({"train": make_split([0, -1], 0)}, r"labels within 0\.\.1"),
        ({"train": make_split([0], 0).subset(torch.tensor([], dtype=torch.int64))}, "needs images"),
    ],
)
def test_identities_in_two_parts_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(make_dataset(), **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("device", DEVICES)
def test_to_moves_every_tensor(device: str) -> None:
    moved = make_dataset().to(device)
    tensors = [tensor for tensor in moved._tensors() if tensor is not None]
    assert len(tensors) == 14 and {tensor.device.type for tensor in tensors} == {device}
    bare = dataclasses.replace(make_retrieval(0, 0), query_cameras=None, gallery_cameras=None).to(device)
    assert bare.query_cameras is None and bare.gallery.images.device.type == device


@pytest.mark.parametrize("device", DEVICES)
def test_content_hash_depends_on_content_alone(device: str) -> None:
    reference = make_dataset().content_hash()
    assert len(reference) == 64 and int(reference, 16) >= 0
    assert make_dataset().to(device).content_hash() == reference


def test_content_hash_notices_every_tensor_and_name() -> None:
    hashes = {make_dataset().content_hash()}
    for number in range(14):
        dataset = make_dataset()
        tensor = [part for part in dataset._tensors() if part is not None][number]
        tensor.view(-1)[-1] += 1
        hashes.add(dataset.content_hash())
    dataset = make_dataset()
    bare = dataclasses.replace(dataset.test, query_cameras=None, gallery_cameras=None)
    for changes in ({"name": "other"}, {"class_names": ("a", "c")}, {"test": bare}):
        hashes.add(dataclasses.replace(dataset, **changes).content_hash())
    assert len(hashes) == 18
