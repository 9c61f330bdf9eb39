import dataclasses
import hashlib
import io
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from law_rl.data.cifar import read_cifar
from law_rl.data.cifar_names import CLASS_NAMES
from law_rl.data.cifar_official import RELEASES, Release
from law_rl.data.cifar_packs import PACKS
from law_rl.data.official import OfficialParts

NAMES = ("cifar10", "cifar100")
PER_FILE = 4


def make_arrays(name: str, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Images [N, 3, 32, 32] and labels, as many as the part's official files hold with `PER_FILE` each."""
    generator = np.random.default_rng([len(name), len(part)])
    size = PER_FILE * len(getattr(RELEASES[name][0], part))
    images = generator.integers(0, 256, (size, 3, 32, 32), dtype=np.uint8)
    return images, generator.integers(0, len(CLASS_NAMES[name]), size)


def encode(release: Release, name: str, images: np.ndarray, labels: np.ndarray) -> bytes:
    if release is RELEASES[name][0]:
        key = "labels" if name == "cifar10" else "fine_labels"
        content = {"data": images.reshape(-1, 3072), key: labels.tolist(), "coarse_labels": [0] * len(labels)}
        return pickle.dumps(content, protocol=3)
    columns = [labels.astype(np.uint8)[:, None], images.reshape(-1, 3072)]
    if name == "cifar100":
        columns.insert(0, np.full((len(labels), 1), 7, np.uint8))
    return np.concatenate(columns, axis=1).tobytes()


def release_files(release: Release, name: str) -> dict[str, bytes]:
    files = {}
    for part in ("train", "test"):
        images, labels = make_arrays(name, part)
        for number, file in enumerate(getattr(release, part)):
            piece = slice(number * PER_FILE, (number + 1) * PER_FILE)
            files[file] = encode(release, name, images[piece], labels[piece])
    return files


def write_directory(root: Path, release: Release, name: str) -> None:
    (root / release.directory).mkdir()
    for file, data in release_files(release, name).items():
        (root / release.directory / file).write_bytes(data)


def write_archive(root: Path, release: Release, name: str) -> None:
    with tarfile.open(root / release.archive, "w:gz") as archive:
        for file, data in {"readme.html": b"read me", **release_files(release, name)}.items():
            member = tarfile.TarInfo(f"{release.directory}/{file}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


def trust(monkeypatch: pytest.MonkeyPatch, name: str, version: int, archive: Path | None = None) -> None:
    """Takes fabricated files for the official ones."""
    md5 = hashlib.md5(archive.read_bytes()).hexdigest() if archive else "none"
    releases = list(RELEASES[name])
    releases[version] = dataclasses.replace(releases[version], file_md5={}, archive_md5=md5)
    monkeypatch.setitem(RELEASES, name, tuple(releases))


def assert_parts(parts: OfficialParts, name: str) -> None:
    assert parts.class_names == CLASS_NAMES[name]
    for part in ("train", "test"):
        images, labels = make_arrays(name, part)
        read = getattr(parts, part)
        assert read.targets.dtype == torch.int64 and read.targets.tolist() == labels.tolist()
        everything = read.images(torch.arange(len(labels)))
        assert everything.dtype == torch.uint8 and torch.equal(everything, torch.from_numpy(images))
        assert torch.equal(read.images(torch.tensor([2, 0])), everything[[2, 0]])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("version", [0, 1], ids=["python", "binary"])
def test_directories_round_trip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, version: int) -> None:
    write_directory(tmp_path, RELEASES[name][version], name)
    trust(monkeypatch, name, version)
    assert_parts(read_cifar(name, [tmp_path / "nothing", tmp_path]), name)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("version", [0, 1], ids=["python", "binary"])
def test_archives_round_trip_and_need_their_checksum(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, version: int
) -> None:
    release = RELEASES[name][version]
    write_archive(tmp_path, release, name)
    with pytest.raises(ValueError, match=f"{release.archive} has the md5 sum .* {release.archive_md5}"):
        read_cifar(name, [tmp_path])
    trust(monkeypatch, name, version, tmp_path / release.archive)
    assert_parts(read_cifar(name, [tmp_path]), name)
    assert [path.name for path in tmp_path.iterdir()] == [release.archive]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("channels_last", [True, False])
def test_npz_round_trips(tmp_path: Path, name: str, channels_last: bool) -> None:
    arrays = {}
    for part in ("train", "test"):
        images, labels = make_arrays(name, part)
        arrays[f"{part}_x"] = images.transpose(0, 2, 3, 1) if channels_last else images
        arrays[f"{part}_y"] = labels.astype(np.uint8)
    np.savez(tmp_path / f"{name}.npz", **arrays)  # type: ignore[arg-type]
    assert_parts(read_cifar(name, [tmp_path]), name)


def write_pack(path: Path, images: np.ndarray, labels: np.ndarray) -> None:
    strips = []
    for start in range(0, len(images), 3):
        column = images[start : start + 3].transpose(0, 2, 3, 1).reshape(-1, 32, 3)
        buffer = io.BytesIO()
        Image.fromarray(column).save(buffer, "webp", lossless=True)
        strips.append(buffer.getvalue())
    offsets = np.cumsum([0] + [len(strip) for strip in strips])
    path.parent.mkdir(exist_ok=True)
    np.savez(path, strips=np.frombuffer(b"".join(strips), np.uint8), offsets=offsets, y=labels.astype(np.uint8))


@pytest.mark.parametrize("name", NAMES)
def test_packs_round_trip(tmp_path: Path, name: str) -> None:
    for part, files in zip(("train", "test"), PACKS[name], strict=True):
        images, labels = make_arrays(name, part)
        for file, images_piece, labels_piece in zip(
            files, np.array_split(images, len(files)), np.array_split(labels, len(files)), strict=True
        ):
            write_pack(tmp_path / name / file, images_piece, labels_piece)
    assert_parts(read_cifar(name, [tmp_path]), name)


@pytest.mark.parametrize("name", NAMES)
def test_files_of_an_official_directory_need_their_checksum(tmp_path: Path, name: str) -> None:
    release = RELEASES[name][0]
    write_directory(tmp_path, release, name)
    with pytest.raises(ValueError, match=f"{release.train[0]} has the md5 sum"):
        read_cifar(name, [tmp_path])


def test_missing_data_says_what_where_and_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as failure:
        read_cifar("cifar10", [tmp_path / "a", tmp_path / "b"])
    message = str(failure.value)
    for words in ("cifar-10-python.tar.gz", "cifar10.npz", str(tmp_path / "a"), str(tmp_path / "b"), "LAW_RL_DATA"):
        assert words in message
    assert message.endswith(".") and "\n" not in message and ". " not in message


def test_an_incomplete_directory_names_the_file(tmp_path: Path) -> None:
    write_directory(tmp_path, RELEASES["cifar10"][1], "cifar10")
    (tmp_path / "cifar-10-batches-bin" / "data_batch_3.bin").unlink()
    with pytest.raises(FileNotFoundError, match=r"lacks the file data_batch_3\.bin"):
        read_cifar("cifar10", [tmp_path])


def test_an_incomplete_archive_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release = RELEASES["cifar10"][1]
    with tarfile.open(tmp_path / release.archive, "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("cifar-10-batches-bin/data_batch_1.bin"), io.BytesIO())
    trust(monkeypatch, "cifar10", 1, tmp_path / release.archive)
    with pytest.raises(ValueError, match=r"lacks the file data_batch_2\.bin"):
        read_cifar("cifar10", [tmp_path])


def test_damaged_files_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_directory(tmp_path, RELEASES["cifar10"][1], "cifar10")
    damaged = tmp_path / "cifar-10-batches-bin" / "data_batch_2.bin"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"data_batch_2\.bin of cifar-10-batches-bin .* cannot be read"):
        read_cifar("cifar10", [tmp_path])
    write_directory(tmp_path, RELEASES["cifar100"][0], "cifar100")
    (tmp_path / "cifar-100-python" / "train").write_bytes(pickle.dumps({"data": len}, protocol=3))
    trust(monkeypatch, "cifar100", 0)
    with pytest.raises(ValueError, match=r"train of cifar-100-python .* builtins\.len"):
        read_cifar("cifar100", [tmp_path])


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (np.zeros((2, 32, 32, 3), np.uint8), np.array([0, 10]), r"outside 0\.\.9"),
        (np.zeros((2, 32, 32, 3), np.uint8), np.array([0]), "1 labels"),
        (np.zeros((2, 16, 16, 3), np.uint8), np.array([0, 1]), "3 x 32 x 32"),
        (np.zeros((2, 32, 32, 3), np.float32), np.array([0, 1]), "float32"),
    ],
)
def test_an_npz_with_other_contents_is_refused(
    tmp_path: Path, images: np.ndarray, labels: np.ndarray, message: str
) -> None:
    np.savez(tmp_path / "cifar10.npz", train_x=images, train_y=labels, test_x=images, test_y=labels)
    with pytest.raises(ValueError, match=message):
        read_cifar("cifar10", [tmp_path])


def test_an_npz_without_a_part_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "cifar10.npz", train_x=np.zeros(1), train_y=np.zeros(1), test_x=np.zeros(1))
    with pytest.raises(ValueError, match="lacks the array test_y"):
        read_cifar("cifar10", [tmp_path])


def test_class_names() -> None:
    assert CLASS_NAMES["cifar10"][:3] == ("airplane", "automobile", "bird") and len(set(CLASS_NAMES["cifar10"])) == 10
    assert len(set(CLASS_NAMES["cifar100"])) == 100 and list(CLASS_NAMES["cifar100"]) == sorted(CLASS_NAMES["cifar100"])
