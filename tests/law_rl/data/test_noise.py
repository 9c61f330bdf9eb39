from pathlib import Path

import numpy as np
import pytest
import torch

from law_rl.data.noise import NoiseConfig, corrupt

SIZE = 40_000


def assert_share(share: float, expected: float, samples: int) -> None:
    """Within five standard deviations of a binomial share."""
    assert abs(share - expected) <= 5 * (expected * (1 - expected) / samples) ** 0.5


@pytest.mark.parametrize("classes", [2, 10, 100])
@pytest.mark.parametrize("rate", [0.0, 0.4, 1.0])
def test_uniform_noise_draws_from_all_classes(classes: int, rate: float) -> None:
    targets = torch.arange(SIZE) % classes
    noisy = corrupt(targets, classes, NoiseConfig(kind="uniform", rate=rate), seed=0)
    wrong = (noisy != targets).float().mean().item()
    assert_share(wrong, rate * (1 - 1 / classes), SIZE)
    offsets = torch.bincount((noisy - targets) % classes, minlength=classes)[1:] / SIZE
    for offset in offsets.tolist():
        assert_share(offset, rate / classes, SIZE)
    for label in (torch.bincount(noisy, minlength=classes) / SIZE).tolist():
        assert_share(label, 1 / classes, SIZE)


@pytest.mark.parametrize("rate", [0.2, 1.0])
def test_flip_noise_goes_to_one_other_class(rate: float) -> None:
    targets = torch.arange(SIZE) % 10
    partners = []
    for seed in range(5):
        noisy = corrupt(targets, 10, NoiseConfig(kind="flip", rate=rate), seed)
        for label in range(10):
            of_class = noisy[targets == label]
            assert_share((of_class != label).float().mean().item(), rate, len(of_class))
            others = set(of_class[of_class != label].tolist())
            assert len(others) == 1
            partners.append((label, others.pop()))
    assert {(partner - label) % 10 for label, partner in partners} == set(range(1, 10))


@pytest.mark.parametrize("kind", ["uniform", "flip"])
def test_noise_is_fixed_by_the_seed(kind: str) -> None:
    targets = torch.arange(1000) % 10
    before = targets.clone()
    config = NoiseConfig(kind=kind, rate=0.4)  # type: ignore[arg-type]
    torch.manual_seed(1)
    first = corrupt(targets, 10, config, seed=3)
    torch.manual_seed(2)
    assert torch.equal(first, corrupt(targets, 10, config, seed=3))
    assert not torch.equal(first, corrupt(targets, 10, config, seed=4))
    assert torch.equal(targets, before) and first.dtype == torch.int64


def test_no_noise_is_a_copy() -> None:
    targets = torch.arange(4)
    noisy = corrupt(targets, 4, NoiseConfig(), seed=0)
    assert torch.equal(noisy, targets) and noisy.data_ptr() != targets.data_ptr()


def test_flip_needs_two_classes() -> None:
    with pytest.raises(ValueError, match="2 classes"):
        corrupt(torch.zeros(3, dtype=torch.int64), 1, NoiseConfig(kind="flip", rate=0.5), seed=0)


def test_human_labels_come_from_the_file_whatever_the_seed(tmp_path: Path) -> None:
    path = tmp_path / "labels.npz"
    targets = torch.tensor([0, 1, 2, 1])
    np.savez(path, worse_label=np.array([0, 2, 2, 0], np.uint8), clean_label=targets.numpy().astype(np.uint8))
    config = NoiseConfig(kind="human", labels=str(path))
    for seed in (0, 1):
        assert corrupt(targets, 3, config, seed).tolist() == [0, 2, 2, 0]


@pytest.mark.parametrize(
    ("labels", "clean", "message"),
    [
        ([0, 1, 2], None, "holds 3 labels, but the training part has 4 images"),
        ([0, 1, 2, 3], None, "outside 0..2"),
        ([0, 1, 2, -1], None, "outside 0..2"),
        ([0, 2, 2, 0], [1, 0, 2, 1], "another order"),
    ],
)
def test_human_labels_that_do_not_fit_are_refused(
    tmp_path: Path, labels: list[int], clean: list[int] | None, message: str
) -> None:
    columns = {"worse_label": labels} | ({} if clean is None else {"clean_label": clean})
    np.savez(tmp_path / "labels.npz", **{name: np.array(values) for name, values in columns.items()})  # type: ignore[arg-type]
    config = NoiseConfig(kind="human", labels=str(tmp_path / "labels.npz"))
    with pytest.raises(ValueError, match=message):
        corrupt(torch.tensor([0, 1, 2, 1]), 3, config, seed=0)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"kind": "gaussian"}, "kind='gaussian'"),
        ({"kind": "uniform", "rate": 1.5}, "rate=1.5"),
        ({"kind": "uniform", "rate": float("nan")}, "rate=nan"),
        ({"rate": 0.4}, "rate=0.4 has no effect"),
        ({"kind": "human", "labels": "a.npz", "rate": 0.4}, "rate=0.4 has no effect"),
        ({"kind": "human"}, "labels='' does not fit"),
        ({"kind": "flip", "rate": 0.1, "labels": "a.npz"}, "labels='a.npz' does not fit"),
    ],
)
def test_wrong_settings_are_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        NoiseConfig(**fields)  # type: ignore[arg-type]
