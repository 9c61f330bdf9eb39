import io
import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from law_rl.data.dataset import Split
from law_rl.data.faces import PACK, LfwPack, face_retrieval, read_faces, read_lfw_pack
from law_rl.data.places import NODE_CACHE

SIZES = [1, 5, 2, 4, 1, 6, 3, 1, 2, 4, 1, 7, 4, 1, 1, 1, 1]
FOLDS = [8, 8, 9, -1, 9, 0, 1, 0, 9, 7, 2, 3, -1, -1, 4, -1, 5]
SINGLES = {7, 10, 13, 14, 15, 16}  # one image, and not in folds 8 and 9
TRAINABLE = {3, 5, 9, 11, 12}  # at least 4 images, and not in folds 8 and 9


def picture(person: int, number: int) -> np.ndarray:
    """A grey ramp from which person and image can be told."""
    return np.full((8, 8), 10 * person + number) + np.arange(8)


def pack_arrays() -> dict[str, np.ndarray]:
    """Persons of `SIZES` images each, which do not stand in the order of their numbers."""
    faces = [(person, number) for person, size in enumerate(SIZES) for number in range(size, 0, -1)]
    blobs = []
    for face in faces:
        buffer = io.BytesIO()
        Image.fromarray(picture(*face).astype(np.uint8)).save(buffer, "webp", lossless=True)
        blobs.append(buffer.getvalue())
    return {
        "blobs": np.frombuffer(b"".join(blobs), np.uint8),
        "offsets": np.cumsum([0, *(len(blob) for blob in blobs)]),
        "person": np.array([person for person, _ in faces], np.uint16),
        "image_no": np.array([number for _, number in faces], np.uint16),
        "person_fold": np.array(FOLDS, np.int8),
        "pair_a": np.array([1, 2], np.uint16),
        "pair_b": np.array([3, 9], np.uint16),
        "pair_same": np.array([1, 0], np.uint8),
        "pair_fold": np.array([8, 9], np.uint8),
    }


def write_pack(root: Path, **changes: np.ndarray) -> Path:
    (root / PACK).parent.mkdir(parents=True, exist_ok=True)
    np.savez(root / PACK, **{**pack_arrays(), **changes})  # type: ignore[arg-type]
    return root / PACK


def faces_of(split: Split) -> list[tuple[int, int]]:
    """(person, image number) of every image, read from its first pixel."""
    return [divmod(value, 10) for value in split.images[:, 0, 0, 0].tolist()]


def all_of(persons: Sequence[int]) -> set[tuple[int, int]]:
    return {(person, number) for person in persons for number in range(1, SIZES[person] + 1)}


@pytest.fixture
def pack(tmp_path: Path) -> LfwPack:
    return read_lfw_pack(write_pack(tmp_path), 8)


def test_the_pack_is_decoded(pack: LfwPack) -> None:
    assert pack.images.shape == (sum(SIZES), 1, 8, 8) and pack.images.dtype == torch.uint8
    for image, person, number in zip(pack.images, pack.person.tolist(), pack.image_no.tolist(), strict=True):
        assert np.array_equal(image[0].numpy(), picture(person, number))
    assert torch.bincount(pack.person).tolist() == SIZES and pack.person_fold.tolist() == FOLDS
    assert pack.pairs.tolist() == [[1, 3], [2, 9]] and pack.pair_same.tolist() == [True, False]
    assert pack.pair_fold.tolist() == [8, 9]
    integers = (pack.person, pack.image_no, pack.pairs, pack.pair_fold, pack.person_fold)
    assert {tensor.dtype for tensor in integers} == {torch.int64} and pack.pair_same.dtype == torch.bool


def test_images_are_averaged_down(tmp_path: Path) -> None:
    small = read_lfw_pack(write_pack(tmp_path), 2)
    assert small.images.shape == (sum(SIZES), 1, 2, 2)
    ramp = small.images[:, 0].double() - 10 * small.person[:, None, None] - small.image_no[:, None, None]
    assert (ramp[:, :, 0] - 1.5).abs().max() <= 1 and (ramp[:, :, 1] - 5.5).abs().max() <= 1


def test_every_image_goes_where_its_person_goes(pack: LfwPack) -> None:
    dataset = face_retrieval(pack, per_identity=4, validation_identities=2)
    trained = [int(name) for name in dataset.class_names]
    assert len(trained) == 3 and set(trained) < TRAINABLE and trained == sorted(trained)
    assert set(faces_of(dataset.train)) == all_of(trained)
    assert [trained[label] for label in dataset.train.targets.tolist()] == [p for p, _ in faces_of(dataset.train)]
    held_out = sorted(TRAINABLE - set(trained))
    assert sorted(faces_of(dataset.validation.query)) == [(person, 1) for person in held_out]
    gallery = set(faces_of(dataset.validation.gallery))
    assert gallery >= {face for face in all_of(held_out) if face[1] > 1}
    distractors = {person for person, _ in gallery} - set(held_out)
    assert distractors <= SINGLES
    assert sorted(faces_of(dataset.test.query)) == [(1, 1), (2, 1), (8, 1)]
    assert set(faces_of(dataset.test.gallery)) == {
        face for face in all_of([0, 1, 2, 4, 8]) if face not in {(1, 1), (2, 1), (8, 1)}
    }


def test_identities_are_numbered_once_over_all_parts(pack: LfwPack) -> None:
    dataset = face_retrieval(pack, per_identity=4, validation_identities=2)
    for part in (dataset.validation, dataset.test):
        for split in (part.query, part.gallery):
            assert [identity - len(SIZES) for identity in split.targets.tolist()] == [p for p, _ in faces_of(split)]
    assert dataset.train.mislabelled is not None and not dataset.train.mislabelled.any()


@pytest.mark.parametrize("validation", [1, 2, 3])
def test_the_validation_gallery_is_filled_to_the_size_of_the_test_gallery(pack: LfwPack, validation: int) -> None:
    dataset = face_retrieval(pack, per_identity=4, validation_identities=validation)
    own = sum(SIZES[person] - 1 for person, _ in faces_of(dataset.validation.query))
    assert len(dataset.test.gallery) == 8
    assert len(dataset.validation.gallery) == max(8, own)


def test_the_validation_gallery_is_smaller_where_distractors_run_out(pack: LfwPack) -> None:
    folds = pack.person_fold.clone()
    folds[[10, 13, 14, 15, 16]] = 8
    dataset = face_retrieval(replace(pack, person_fold=folds), per_identity=4, validation_identities=1)
    (held_out, _), *_ = faces_of(dataset.validation.query)
    assert len(dataset.test.gallery) == 13
    assert {person for person, _ in faces_of(dataset.validation.gallery)} == {held_out, 7}


def test_the_split_depends_on_its_arguments_alone(pack: LfwPack) -> None:
    one, same = (face_retrieval(pack, per_identity=4, validation_identities=2) for _ in range(2))
    assert one.content_hash() == same.content_hash()
    more = face_retrieval(pack, per_identity=4, validation_identities=3)
    assert set(faces_of(more.validation.query)) > set(faces_of(one.validation.query))
    looser = face_retrieval(pack, per_identity=3, validation_identities=2)
    assert looser.classes == 4 and looser.test.query.targets.tolist() == one.test.query.targets.tolist()


@pytest.mark.parametrize(("per_identity", "validation"), [(4, 5), (4, 0), (1, 2), (8, 1)])
def test_numbers_that_leave_nothing_are_refused(pack: LfwPack, per_identity: int, validation: int) -> None:
    with pytest.raises(ValueError, match=f"per_identity={per_identity} and validation_identities={validation}"):
        face_retrieval(pack, per_identity=per_identity, validation_identities=validation)


def test_the_first_place_that_has_the_pack_is_used(tmp_path: Path) -> None:
    write_pack(tmp_path / "b")
    places = (tmp_path / "a", tmp_path / "b")
    dataset = read_faces(places, image_size=8, validation_identities=2)
    assert dataset.classes == 3 and dataset.image_shape == (1, 8, 8) and dataset.name == "lfw"
    assert dataset.mean == pytest.approx([dataset.train.images.double().mean().item()])
    assert read_faces(places, image_size=8, validation_identities=2) is dataset
    with pytest.raises(FileNotFoundError, match=r"lfwa_gray112\.npz in .*a; put it there, or set"):
        read_faces(places[:1], image_size=8)


def test_processes_of_a_node_share_the_decoded_pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_pack(tmp_path)
    plain = read_lfw_pack(path, 4)
    monkeypatch.setenv(NODE_CACHE, str(tmp_path / "node"))
    first = read_lfw_pack(path, 4)
    monkeypatch.setattr("law_rl.data.faces._decode", None)  # the second reading decodes nothing
    second = read_lfw_pack(path, 4)
    for name in vars(plain):
        values = [getattr(read, name) for read in (plain, first, second)]
        assert all(torch.equal(values[0], value) and values[0].dtype == value.dtype for value in values[1:])


def test_damaged_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / PACK
    with pytest.raises(FileNotFoundError, match=r"lfwa_gray112\.npz do not exist"):
        read_lfw_pack(path, 8)
    arrays = pack_arrays()
    blobs = arrays["blobs"].copy()
    blobs[int(arrays["offsets"][3]) : int(arrays["offsets"][4])] = 0
    for changes in ({"blobs": blobs}, {"person": arrays["person"][1:]}):
        write_pack(tmp_path, **changes)
        with pytest.raises(ValueError, match=r"lfwa_gray112\.npz cannot be read"):
            read_lfw_pack(path, 8)
    np.savez(path, **{name: array for name, array in arrays.items() if name != "image_no"})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"cannot be read \(.*image_no"):
        read_lfw_pack(path, 8)
    for content in (b"no pack", write_pack(tmp_path).read_bytes()[:-30]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"cannot be read .*copy the file again"):
            read_lfw_pack(path, 8)
    with pytest.raises(ValueError, match="image_size=0"):
        read_lfw_pack(path, 0)


@pytest.fixture(scope="module")
def real_path(shared_data: Path) -> Path:
    if not (shared_data / PACK).is_file():
        pytest.skip(f"no faces in {shared_data}")
    return shared_data / PACK


@pytest.mark.slow
def test_the_real_pack(real_path: Path, decoded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NODE_CACHE, str(decoded))
    pack = read_lfw_pack(real_path, 16)
    assert pack.images.shape == (13_233, 1, 16, 16) and len(pack.person_fold) == 5749
    assert torch.equal(pack.person[pack.pairs[:, 0]] == pack.person[pack.pairs[:, 1]], pack.pair_same)
    assert torch.equal(pack.person_fold[pack.person[pack.pairs]], pack.pair_fold[:, None].expand(6000, 2))
    dataset = face_retrieval(pack, per_identity=4, validation_identities=60)
    assert dataset.classes == 433 and int(torch.bincount(dataset.train.targets).min()) == 4
    query, gallery = dataset.test.query, dataset.test.gallery
    assert [len(query), len(gallery), len(dataset.test.identities)] == [346, 2325, 890]
    assert bool(torch.isin(query.targets, gallery.targets).all()) and len(torch.unique(query.targets)) == 346
    validation = dataset.validation
    assert [len(validation.query), len(validation.gallery)] == [60, 2325]


def test_the_real_folds_share_no_person(real_path: Path) -> None:
    with np.load(real_path) as arrays:
        folds = arrays["person_fold"][arrays["person"]]
        for pairs, side in itertools.product((arrays["pair_fold"],), ("pair_a", "pair_b")):
            assert np.array_equal(folds[arrays[side]], pairs)
