"""Faces from a configuration: drawings, the pack of LFW, folders and records, all cut by identity."""

import io
import struct
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from law_rl.data.augment import AugmentConfig
from law_rl.data.faces import PACK, TEST_FOLDS, read_lfw_pack
from law_rl.data.places import NODE_CACHE
from law_rl.face.data import sources
from law_rl.face.data.face_dataset import FaceDataset
from law_rl.face.data.sources import FaceDataConfig

SIDE = 16
PERSONS, IMAGES = 14, 5
SIZES = [3, 1, 4, 2, 6, 1, 3, 2, 5, 4, 1, 3, 3]
FOLDS = [8, 8, 9, 9, 0, 9, 1, 2, -1, 7, -1, 3, -1]
"""Of the persons of the small pack."""

TESTED = {0, 2, 3}
"""Those of folds 8 and 9, counted from 0, with two images or more."""

CONFIG = FaceDataConfig(image_size=SIDE, least=2, validation_identities=2, test_identities=3)


@pytest.fixture(autouse=True)
def few_drawings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(sources, "SYNTHETIC_PERSONS", PERSONS)
    monkeypatch.setattr(sources, "SYNTHETIC_IMAGES", IMAGES)
    sources._load.cache_clear()
    yield
    sources._load.cache_clear()


def encoded(person: int, number: int, kind: str = "PNG") -> bytes:
    """One tone that tells person and number."""
    buffer = io.BytesIO()
    Image.new("L", (20, 20), 16 * person + number).save(buffer, kind, lossless=True)
    return buffer.getvalue()


def marks(images: torch.Tensor) -> list[tuple[int, int]]:
    """(person, number) of each image."""
    return [divmod(int(pixel), 16) for pixel in images[:, 0, 5, 5].tolist()]


def in_folders(root: Path) -> FaceDataConfig:
    for person, size in enumerate(SIZES):
        folder = root / "faces" / f"Person_{person:02d}"
        folder.mkdir(parents=True)
        for number in range(size):
            (folder / f"{number:04d}.png").write_bytes(encoded(person, number))
    return replace(CONFIG, name="folders", root=str(root / "faces"))


def in_records(root: Path) -> FaceDataConfig:
    """Records in no order of persons; the writer's framing without its cuts, which these images do not need."""
    blob, lines = b"", []
    order = [(person, number) for person, size in enumerate(SIZES) for number in range(size)][::-1]
    for key, (person, number) in enumerate(order):
        content = struct.pack("<IfQQ", 0, 100.0 + person, key, 0) + encoded(person, number)
        lines.append(f"{key}\t{len(blob)}\n")
        blob += struct.pack("<II", 0xCED7230A, len(content)) + content + b"\0" * (-len(content) % 4)
    (root / "train.rec").write_bytes(blob)
    (root / "train.idx").write_text("".join(lines))
    return replace(CONFIG, name="records", root=str(root / "train.rec"))


def in_pack(root: Path) -> FaceDataConfig:
    """Images of a person from the last to the first; pairs of folds 0, 8 and 9, one with a person of one image."""
    faces = [(person, number) for person, size in enumerate(SIZES) for number in range(size, 0, -1)]
    blobs = [encoded(*face, "webp") for face in faces]
    pairs = [((4, 1), (4, 2), 0), ((4, 1), (8, 1), 0), ((0, 1), (0, 3), 8), ((0, 2), (1, 1), 8)]
    pairs += [((2, 4), (2, 1), 9), ((2, 1), (3, 2), 9)]
    (root / PACK).parent.mkdir(parents=True)
    np.savez(
        root / PACK,
        blobs=np.frombuffer(b"".join(blobs), np.uint8),
        offsets=np.cumsum([0, *map(len, blobs)]),
        person=np.array([person for person, _ in faces], np.uint16),
        image_no=np.array([number for _, number in faces], np.uint16),
        person_fold=np.array(FOLDS, np.int8),
        pair_a=np.array([faces.index(one) for one, _, _ in pairs], np.uint16),
        pair_b=np.array([faces.index(other) for _, other, _ in pairs], np.uint16),
        pair_same=np.array([one[0] == other[0] for one, other, _ in pairs], np.uint8),
        pair_fold=np.array([fold for *_, fold in pairs], np.uint8),
    )
    return replace(CONFIG, name="lfw", root=str(root))


WRITERS: dict[str, Callable[[Path], FaceDataConfig]] = {"folders": in_folders, "records": in_records, "lfw": in_pack}


def persons_of(data: FaceDataset) -> list[set[int]]:
    """The persons of training, validation and test."""
    parts = (data.train.images, data.validation.faces.images, data.test.faces.images)
    return [{person for person, _ in marks(images)} for images in parts]


@pytest.mark.parametrize("name", WRITERS)
def test_no_person_is_in_two_parts(tmp_path: Path, name: str) -> None:
    data = WRITERS[name](tmp_path).load(0)
    train, validation, test = persons_of(data)
    assert len(train) + len(validation) + len(test) == len(train | validation | test)
    assert len(validation) == 2 and len(test) == 3 and data.classes == len(train) == len(data.class_names)
    assert train | validation | test == {person for person, size in enumerate(SIZES) if size >= 2}
    assert (data.name, data.metric, data.image_shape) == (name, "TAR@0.01", (1, SIDE, SIDE))
    assert len(data.train) == sum(SIZES[person] for person in train)


@pytest.mark.parametrize("name", WRITERS)
def test_a_held_out_person_shows_so_many_images_and_rare_persons_are_not_trained_on(tmp_path: Path, name: str) -> None:
    config = WRITERS[name](tmp_path)
    few = replace(config, most=2).load(0)
    for images in (few.validation.faces.images, few.test.faces.images):
        shown = [person for person, _ in marks(images)]
        assert {shown.count(person) for person in shown} == {2}
    often = persons_of(replace(config, least=3).load(0))
    assert all(SIZES[person] >= 3 for person in often[0]) and often[2] == persons_of(few)[2]


@pytest.mark.parametrize("name", ["synthetic", *WRITERS])
def test_no_seed_changes_the_data(tmp_path: Path, name: str) -> None:
    config = CONFIG if name == "synthetic" else WRITERS[name](tmp_path)
    data = config.load(0)
    assert config.load(5) is data
    sources._load.cache_clear()
    again = config.load(1)
    assert again is not data and again.content_hash() == data.content_hash()


@pytest.mark.parametrize("name", ["synthetic", *WRITERS])
def test_colours_are_three_channels(tmp_path: Path, name: str) -> None:
    config = CONFIG if name == "synthetic" else WRITERS[name](tmp_path)
    grey, coloured = config.load(0), replace(config, grey=False).load(0)
    assert coloured.image_shape == (3, SIDE, SIDE) and len(coloured.mean) == 3
    assert torch.equal(coloured.train.images, grey.train.images.expand(-1, 3, -1, -1))


def test_names_are_those_of_folders_and_the_labels_of_records(tmp_path: Path) -> None:
    for name, word in (("folders", "Person_{:02d}"), ("records", "{}")):
        (tmp_path / name).mkdir()
        data = WRITERS[name](tmp_path / name).load(0)
        base = 100 if name == "records" else 0
        assert data.class_names == tuple(word.format(base + person) for person in sorted(persons_of(data)[0]))


# Drawings


def test_drawings_need_no_file_and_stand_for_no_person() -> None:
    data = CONFIG.load(0)
    assert len(data.train) == (PERSONS - 5) * IMAGES and data.classes == PERSONS - 5
    assert all(name.startswith("synthetic ") for name in data.class_names)
    assert len(data.validation) == 2 * IMAGES and len(data.test) == 3 * IMAGES
    assert data.test.masked is not None and data.validation.masked is not None and data.test.protocol is None


def test_copies_are_added_to_the_training_images_alone() -> None:
    plain, more = CONFIG.load(0), replace(CONFIG, copies=2, augment=AugmentConfig(flip=True, crop=1)).load(0)
    assert len(more.train) == 3 * len(plain.train) and len(more.test) == len(plain.test)
    assert torch.equal(more.train.images[: len(plain.train)], plain.train.images)
    assert more.content_hash() != plain.content_hash()


# Labeled Faces in the Wild


def test_the_test_persons_are_those_of_the_official_folds(tmp_path: Path) -> None:
    data = in_pack(tmp_path).load(0)
    train, validation, test = persons_of(data)
    assert test == TESTED and not (train | validation) & {person for person, fold in enumerate(FOLDS) if fold in (8, 9)}
    by_person: dict[int, list[int]] = {}
    for person, number in marks(data.test.faces.images):
        by_person.setdefault(person, []).append(number)
    assert by_person == {person: list(range(1, SIZES[person] + 1)) for person in TESTED}, "in the order of numbers"


def test_the_official_pairs_of_the_test_folds_are_kept(tmp_path: Path) -> None:
    protocol = in_pack(tmp_path).load(0).test.protocol
    assert protocol is not None
    ends = [tuple(marks(protocol.images[pair])) for pair in protocol.pairs]
    assert ends == [((0, 1), (0, 3)), ((0, 2), (1, 1)), ((2, 4), (2, 1)), ((2, 1), (3, 2))]
    assert protocol.same.tolist() == [True, False, True, False] and protocol.fold.tolist() == [8, 8, 9, 9]
    assert len(protocol.images) == 7, "each image once"


def test_the_first_place_that_has_the_pack_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = in_pack(tmp_path)
    expected = config.load(0).content_hash()
    monkeypatch.setenv("LAW_RL_DATA", str(tmp_path))
    assert replace(config, root="").load(0).content_hash() == expected


@pytest.mark.slow
def test_the_real_pack(shared_data: Path, decoded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NODE_CACHE, str(decoded))
    if not (shared_data / PACK).is_file():
        pytest.skip(f"no faces in {shared_data}")
    pack = read_lfw_pack(shared_data / PACK, SIDE)
    monkeypatch.setattr(sources, "read_lfw_pack", lambda path, size: pack)
    data = FaceDataConfig(name="lfw", root=str(shared_data), image_size=SIDE).load(0)
    assert data.classes == 433 and len(torch.unique(data.test.faces.targets)) == 346
    trained = {int(name.removeprefix("person ")) for name in data.class_names}
    held_out = [{int(i) - len(pack.person_fold) for i in part.faces.targets} for part in (data.validation, data.test)]
    assert len(held_out[0]) == 60 and not trained & held_out[0] and not (trained | held_out[0]) & held_out[1]
    protocol = data.test.protocol
    assert (
        protocol is not None
        and len(protocol.pairs) == 1200
        and torch.bincount(protocol.fold)[-2:].tolist() == [600] * 2
    )
    official = pack.pairs[torch.isin(pack.pair_fold, torch.tensor(TEST_FOLDS))]
    assert torch.equal(protocol.images[protocol.pairs], pack.images[official])
    assert not (trained | held_out[0]) & set(pack.person[official].flatten().tolist())
    assert int(torch.bincount(data.train.targets).min()) >= 4
    assert int(torch.unique(data.test.faces.targets, return_counts=True)[1].max()) <= 10


# What is refused


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "casia"}, "name is 'casia': use one of synthetic, lfw, folders, records"),
        ({"name": "folders"}, "root is empty: set it to where the folders are"),
        ({"name": "records"}, "root is empty: set it to where the records are"),
        ({"image_size": 15}, "image_size is 15: give a side from 16 to 1024"),
        ({"image_size": 2000}, "image_size is 2000"),
        ({"least": 1}, "least is 1 and most 10: give at least 2 images of a person"),
        ({"most": 1}, "least is 4 and most 1"),
        ({"validation_identities": 1}, "validation_identities is 1 and test_identities 100: give at least 2 persons"),
        ({"test_identities": 0}, "validation_identities is 60 and test_identities 0"),
        ({"copies": -1}, "copies is -1 and augment .*: give a number of copies and how they are changed, or neither"),
        ({"copies": 1}, "copies is 1 and augment"),
        ({"augment": AugmentConfig(flip=True)}, "copies is 0 and augment .*flip=True"),
        ({"far": 0.0}, "far is 0.0: give a false acceptance rate above 0 and below 1"),
        ({"far": 1.0}, "far is 1.0"),
    ],
)
def test_a_configuration_checks_itself(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as raised:
        FaceDataConfig(**changes)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", WRITERS)
def test_missing_files_are_named(tmp_path: Path, name: str) -> None:
    config: Any = FaceDataConfig(name=name, root=str(tmp_path / "nowhere"))  # type: ignore[arg-type]
    with pytest.raises(FileNotFoundError, match="nowhere") as raised:
        config.load(0)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"test_identities": 14}, "test_identities asks for 14 of 14 persons: leave some to train on"),
        ({"validation_identities": 11}, "validation_identities asks for 11 of 11 persons"),
        ({"validation_identities": 10}, "1 of 14 persons of synthetic are left to train on, with 13 held out"),
        ({"least": 6}, "0 of 14 persons of synthetic are left to train on, .* at least 6 images each"),
    ],
)
def test_numbers_that_do_not_fit_the_data_are_refused(changes: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message) as raised:
        replace(CONFIG, **changes).load(0)  # type: ignore[arg-type]
    assert "\n" not in str(raised.value)


def test_a_damaged_image_is_named(tmp_path: Path) -> None:
    config = in_folders(tmp_path)
    (tmp_path / "faces" / "Person_04" / "0003.png").write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"Person_04.0003\.png cannot be read"):
        config.load(0)
