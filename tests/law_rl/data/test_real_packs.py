import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from law_rl.data.cifar_official import RELEASES, decode_python
from law_rl.data.cifar_packs import PACKS, read_pack
from law_rl.data.noise import NoiseConfig, corrupt

RATES = {"aggre_label": 0.0901, "worse_label": 0.4021, "random_label1": 0.1723}


@pytest.fixture(scope="module")
def packs(shared_data: Path) -> Path:
    if not (shared_data / "cifar10" / "cifar10_test.npz").is_file():
        pytest.skip(f"no packs in {shared_data}")
    return shared_data


@pytest.fixture(scope="module")
def cifar10_test(packs: Path) -> tuple[np.ndarray, np.ndarray]:
    return read_pack(packs / "cifar10" / "cifar10_test.npz")


def official_pickle(images: np.ndarray, labels: np.ndarray, names: np.ndarray) -> bytes:
    """CIFAR-10's official `test_batch`, written as Python 2 wrote it; its md5 sum says whether that succeeded."""
    memo = 0

    def remember() -> bytes:
        nonlocal memo
        memo += 1
        return b"q" + bytes([memo]) if memo < 256 else b"r" + memo.to_bytes(4, "little")

    def text(value: bytes) -> bytes:
        return b"U" + bytes([len(value)]) + value

    def batched(items: list[bytes]) -> bytes:
        return b"".join(b"(" + b"".join(items[start : start + 1000]) + b"e" for start in range(0, len(items), 1000))

    parts = [
        b"\x80\x02}",
        remember(),
        b"(",
        text(b"batch_label"),
        remember(),
        text(b"testing batch 1 of 1"),
        remember(),
    ]
    parts += [text(b"labels"), remember(), b"]", remember(), batched([b"K" + bytes([label]) for label in labels])]
    parts += [text(b"data"), remember(), b"cnumpy.core.multiarray\n_reconstruct\n", remember()]
    parts += [b"cnumpy\nndarray\n", remember(), b"K\x00\x85", text(b"b"), b"\x87R", remember()]
    parts += [b"(K\x01M\x10'M\x00\x0c\x86cnumpy\ndtype\n", remember(), text(b"u1"), b"K\x00K\x01\x87R", remember()]
    parts += [b"(K\x03U\x01|NNN", 2 * b"J\xff\xff\xff\xff", b"K\x00tb\x89T", images.size.to_bytes(4, "little")]
    parts += [images.tobytes(), b"tb", text(b"filenames"), remember(), b"]", remember()]
    parts += [batched([text(bytes(name)) + remember() for name in names]), b"u."]
    return b"".join(parts)


def test_the_pack_and_the_official_pickle_hold_the_same_images(
    packs: Path, cifar10_test: tuple[np.ndarray, np.ndarray]
) -> None:
    images, labels = cifar10_test
    with np.load(packs / "cifar10" / "cifar10_test.npz") as arrays:
        data = official_pickle(images, labels, arrays["names"])
    assert hashlib.md5(data).hexdigest() == RELEASES["cifar10"][0].file_md5["test_batch"]
    read_images, read_labels = decode_python(data, "labels")
    assert np.array_equal(read_images, images) and np.array_equal(read_labels, labels)


def test_the_test_part_is_complete(cifar10_test: tuple[np.ndarray, np.ndarray]) -> None:
    images, labels = cifar10_test
    assert images.shape == (10_000, 3, 32, 32) and images.dtype == np.uint8
    assert np.bincount(labels).tolist() == [1000] * 10


def test_the_cifar100_pack_has_every_class(packs: Path) -> None:
    images, labels = read_pack(packs / "cifar100" / PACKS["cifar100"][1][0])
    assert images.shape == (5000, 3, 32, 32) and np.bincount(labels).tolist() == [50] * 100


def test_a_strip_is_a_column_of_images(packs: Path, cifar10_test: tuple[np.ndarray, np.ndarray]) -> None:
    with np.load(packs / "cifar10" / "cifar10_test.npz") as arrays:
        first = arrays["strips"][: arrays["offsets"][1]].tobytes()
    with Image.open(io.BytesIO(first)) as strip:
        assert strip.size == (32, 32 * 500)
        pixel = strip.convert("RGB").getpixel((5, 32 * 7 + 9))
    assert cifar10_test[0][7, :, 9, 5].tolist() == list(pixel)  # type: ignore[arg-type]


@pytest.mark.parametrize("column", RATES)
def test_human_labels_have_their_published_rates(packs: Path, column: str) -> None:
    labels = [np.load(packs / "cifar10" / f"cifar10_train_{part}.npz")["y"] for part in (0, 1)]
    targets = torch.from_numpy(np.concatenate(labels).astype(np.int64))
    noise = NoiseConfig(kind="human", labels=str(packs / "noisy_labels" / "cifar10n.npz"), column=column)
    wrong = (corrupt(targets, 10, noise, seed=0) != targets).double().mean().item()
    assert wrong == pytest.approx(RATES[column], abs=5e-5)
    with pytest.raises(ValueError, match="another order"):
        corrupt(targets.flip(0), 10, noise, seed=0)
