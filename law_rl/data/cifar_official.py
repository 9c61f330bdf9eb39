"""The files of https://www.cs.toronto.edu/~kriz/cifar.html: python and binary version, as archive or unpacked."""

import hashlib
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from law_rl.data.restricted_pickle import unpickle_arrays

Pair = tuple[np.ndarray, np.ndarray]  # images uint8 [N, 3, 32, 32], labels [N]


@dataclass(frozen=True, kw_only=True)
class Release:
    """One official release: its folder, its archive with checksum, its files in order and how to decode one."""

    directory: str
    archive: str
    archive_md5: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    decode: Callable[[bytes], Pair]
    file_md5: Mapping[str, str] = field(default_factory=dict)


def read_release(release: Release, root: Path) -> tuple[Pair, Pair] | None:
    """The training and the test part under `root`, from the folder or else the archive; None where neither is there.

    Raises ValueError for a file whose checksum is not the published one or that cannot be decoded.
    """
    names = release.train + release.test
    if (root / release.directory).is_dir():
        files = _directory_files(root / release.directory, names, release.file_md5)
    elif (root / release.archive).is_file():
        files = _archive_files(root / release.archive, names, release.archive_md5)
    else:
        return None
    return _decode_files(release, release.train, files, root), _decode_files(release, release.test, files, root)


def _directory_files(directory: Path, names: Sequence[str], checksums: Mapping[str, str]) -> dict[str, bytes]:
    missing = [name for name in names if not (directory / name).is_file()]
    if missing:
        raise FileNotFoundError(f"{directory} lacks the file {missing[0]}: unpack the official archive again.")
    files = {name: (directory / name).read_bytes() for name in names}
    for name, data in files.items():
        _check_md5(directory / name, hashlib.md5(data).hexdigest(), checksums.get(name))
    return files


def _archive_files(archive: Path, names: Sequence[str], checksum: str) -> dict[str, bytes]:
    """Read in one pass; nothing is written to disk."""
    with archive.open("rb") as file:
        _check_md5(archive, hashlib.file_digest(file, "md5").hexdigest(), checksum)
    files: dict[str, bytes] = {}
    with tarfile.open(archive, "r|gz") as members:
        for member in members:
            content = members.extractfile(member) if Path(member.name).name in names else None
            if content is not None:
                files[Path(member.name).name] = content.read()
    missing = [name for name in names if name not in files]
    if missing:
        raise ValueError(f"{archive} lacks the file {missing[0]}: download it again.")
    return files


def _check_md5(path: Path, found: str, published: str | None) -> None:
    if published is not None and found != published:
        raise ValueError(f"{path} has the md5 sum {found} in place of the published {published}: download it again.")


def _decode_files(release: Release, names: Sequence[str], files: Mapping[str, bytes], root: Path) -> Pair:
    pairs = []
    for name in names:
        try:
            pairs.append(release.decode(files[name]))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"{name} of {release.directory} in {root} cannot be read ({error}): download it again."
            ) from error
    return np.concatenate([images for images, _ in pairs]), np.concatenate([labels for _, labels in pairs])


def decode_python(data: bytes, labels: str) -> Pair:
    """One file of the python version: a pickled dictionary with `data` uint8 [N, 3072] and a list of labels."""
    content = unpickle_arrays(data)
    return np.asarray(content["data"]).reshape(-1, 3, 32, 32), np.asarray(content[labels], dtype=np.int64)


def decode_binary(data: bytes, label_bytes: int) -> Pair:
    """One file of the binary version: records of the label bytes, of which the last counts, and 3,072 pixels."""
    records = np.frombuffer(data, dtype=np.uint8).reshape(-1, label_bytes + 3072)
    return records[:, label_bytes:].reshape(-1, 3, 32, 32), records[:, label_bytes - 1].astype(np.int64)


RELEASES: dict[str, tuple[Release, ...]] = {
    "cifar10": (
        Release(
            directory="cifar-10-batches-py",
            archive="cifar-10-python.tar.gz",
            archive_md5="c58f30108f718f92721af3b95e74349a",
            train=tuple(f"data_batch_{number}" for number in range(1, 6)),
            test=("test_batch",),
            decode=partial(decode_python, labels="labels"),
            file_md5={
                "data_batch_1": "c99cafc152244af753f735de768cd75f",
                "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
                "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
                "data_batch_4": "634d18415352ddfa80567beed471001a",
                "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
                "test_batch": "40351d587109b95175f43aff81a1287e",
            },
        ),
        Release(
            directory="cifar-10-batches-bin",
            archive="cifar-10-binary.tar.gz",
            archive_md5="c32a1d4ab5d03f1284b67883e8d87530",
            train=tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
            test=("test_batch.bin",),
            decode=partial(decode_binary, label_bytes=1),
        ),
    ),
    "cifar100": (
        Release(
            directory="cifar-100-python",
            archive="cifar-100-python.tar.gz",
            archive_md5="eb9058c3a382ffc7106e4002c42a8d85",
            train=("train",),
            test=("test",),
            decode=partial(decode_python, labels="fine_labels"),
            file_md5={
                "train": "16019d7e3df5f24257cddd939b257f8d",
                "test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
            },
        ),
        Release(
            directory="cifar-100-binary",
            archive="cifar-100-binary.tar.gz",
            archive_md5="03b5dce01913d631647c71ecec9e9cb8",
            train=("train.bin",),
            test=("test.bin",),
            decode=partial(decode_binary, label_bytes=2),
        ),
    ),
}
