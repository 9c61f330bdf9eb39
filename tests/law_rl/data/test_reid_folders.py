from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from law_rl.classification.retrieval import retrieval_scores
from law_rl.data.dataset import Split
from law_rl.data.reid_folders import read_reid

SIZE = (6, 4)
PERSONS, CAMERAS, EACH = 5, 3, 2


def write_box(path: Path, identity: int, camera: int, number: int = 0) -> str:
    """A picture from which identity, camera and number can be told, in red, green and blue."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (5, 9), (identity, camera, number)).save(path)
    return path.name


def boxes_of(split: Split) -> list[tuple[int, ...]]:
    """(identity, camera, number) of every image."""
    return [tuple(image[:, 0, 0].tolist()) for image in split.images]


def market_name(identity: int, camera: int, number: int) -> str:
    start = "-1" if identity < 0 else f"{identity:04d}"
    return f"{start}_c{camera}s1_{number:06d}_00.png"


def write_market(root: Path) -> Path:
    """Training persons 2, 4, ...; test persons 1, 3, 5."""
    for person in range(2, 2 + 2 * PERSONS, 2):
        for camera in range(1, 1 + CAMERAS):
            for number in range(EACH):
                path = root / "bounding_box_train" / market_name(person, camera, number)
                write_box(path, person, camera, number)
    for person in (1, 3, 5):
        write_box(root / "query" / market_name(person, 1, 9), person, 1, 9)
        for camera in (1, 2):
            write_box(root / "bounding_box_test" / market_name(person, camera, 0), person, camera)
    for number in range(2):
        for folder in ("bounding_box_train", "query", "bounding_box_test"):
            write_box(root / folder / market_name(0, 2, number), 0, 2, number)
            write_box(root / folder / market_name(-1, 2, number), 255, 2, number)
    (root / "query" / "Thumbs.db").write_text("no image")
    return root


def msmt_name(identity: int, camera: int, number: int) -> str:
    return f"{identity:04d}/{identity:04d}_{number:03d}_{camera:02d}_0303morning_0015_0.png"


def write_list(path: Path, folder: str, boxes: Iterable[tuple[int, int, int]]) -> None:
    lines = []
    for box in boxes:
        name = msmt_name(*box)
        write_box(path.parent / folder / name, *box)
        lines.append(f"{name} {box[0]}\n")
    path.write_text("".join(lines))


def write_msmt(root: Path, folders: tuple[str, str] = ("train", "test")) -> Path:
    """Training and test persons are both numbered from 0, as in the original."""
    boxes = [(person, camera, 0) for person in range(PERSONS) for camera in range(1, 1 + CAMERAS)]
    root.mkdir(parents=True, exist_ok=True)
    write_list(root / "list_train.txt", folders[0], boxes)
    write_list(root / "list_val.txt", folders[0], [(person, 14, 1) for person in range(PERSONS)])
    write_list(root / "list_query.txt", folders[1], [(0, 3, 100), (1, 3, 100)])
    write_list(root / "list_gallery.txt", folders[1], [(0, 4, 101), (0, 3, 102), (1, 5, 103), (2, 5, 104)])
    return root


def test_market_training_part_is_cut_by_identity(tmp_path: Path) -> None:
    dataset = read_reid(write_market(tmp_path), image_size=SIZE, validation_identities=2)
    trained = [int(name) for name in dataset.class_names]
    assert len(trained) == 3 and dataset.image_shape == (3, *SIZE)
    boxes = boxes_of(dataset.train)
    assert [trained[label] for label in dataset.train.targets.tolist()] == [person for person, *_ in boxes]
    held_out = {2, 4, 6, 8, 10} - set(trained)
    every = {(person, camera, number) for person in range(2, 12, 2) for camera in (1, 2, 3) for number in range(EACH)}
    assert sorted(boxes) == sorted(box for box in every if box[0] in trained)
    query, gallery = boxes_of(dataset.validation.query), boxes_of(dataset.validation.gallery)
    assert sorted(query) == sorted((person, camera, 0) for person in held_out for camera in (1, 2, 3))
    assert sorted(gallery) == sorted(box for box in every if box[0] in held_out)
    assert dataset.mean == pytest.approx(dataset.train.images.double().mean(dim=(0, 2, 3)).tolist())


def test_market_junk_is_ignored_and_distractors_are_in_the_gallery_alone(tmp_path: Path) -> None:
    dataset = read_reid(write_market(tmp_path), image_size=SIZE, validation_identities=2)
    test = dataset.test
    assert boxes_of(test.query) == [(1, 1, 9), (3, 1, 9), (5, 1, 9)]
    assert boxes_of(test.gallery) == [(0, 2, 0), (0, 2, 1), *((p, c, 0) for p in (1, 3, 5) for c in (1, 2))]
    assert not torch.isin(test.gallery.targets[:2], test.query.targets).any()


@pytest.mark.parametrize("layout", [write_market, write_msmt])
def test_targets_and_cameras_belong_to_the_images(tmp_path: Path, layout: type) -> None:
    dataset = read_reid(layout(tmp_path), image_size=SIZE, validation_identities=2)
    for part in (dataset.validation, dataset.test):
        assert part.query_cameras is not None and part.gallery_cameras is not None
        offsets = set()
        for split, cameras in ((part.query, part.query_cameras), (part.gallery, part.gallery_cameras)):
            persons, numbers, _ = zip(*boxes_of(split), strict=True)
            assert cameras.tolist() == list(numbers)
            offsets |= {target - person for target, person in zip(split.targets.tolist(), persons, strict=True)}
        assert len(offsets) == 1


@pytest.mark.parametrize("layout", [write_market, write_msmt])
def test_the_parts_can_be_scored(tmp_path: Path, layout: type) -> None:
    dataset = read_reid(layout(tmp_path), image_size=SIZE, validation_identities=2)
    for part in (dataset.validation, dataset.test):
        embeddings = [
            torch.nn.functional.one_hot(split.images[:, 0, 0, 0].long(), 256).double()
            for split in (part.query, part.gallery)
        ]
        scores = retrieval_scores(
            *embeddings,
            query_identities=part.query.targets,
            gallery_identities=part.gallery.targets,
            query_cameras=part.query_cameras,
            gallery_cameras=part.gallery_cameras,
        )
        assert scores.queries == (len(part.query)) and scores.mean_average_precision == pytest.approx(100)


@pytest.mark.parametrize("folders", [("train", "test"), ("mask_train_v2", "mask_test_v2")])
def test_msmt_lists_say_what_is_read(tmp_path: Path, folders: tuple[str, str]) -> None:
    write_msmt(tmp_path, folders)
    write_box(tmp_path / folders[0] / msmt_name(0, 1, 77), 0, 1, 77)  # in no list
    dataset = read_reid(tmp_path, image_size=SIZE, validation_identities=1)
    trained = [int(name) for name in dataset.class_names]
    held_out = ({*range(PERSONS)} - set(trained)).pop()
    official = {(person, camera, camera == 14) for person in range(PERSONS) for camera in (1, 2, 3, 14)}
    assert set(boxes_of(dataset.train)) == {box for box in official if box[0] != held_out}
    assert boxes_of(dataset.test.query) == [(0, 3, 100), (1, 3, 100)]
    assert boxes_of(dataset.test.gallery) == [(0, 4, 101), (0, 3, 102), (1, 5, 103), (2, 5, 104)]


def test_msmt_needs_no_list_val(tmp_path: Path) -> None:
    (write_msmt(tmp_path) / "list_val.txt").unlink()
    dataset = read_reid(tmp_path, image_size=SIZE, validation_identities=1)
    assert len(dataset.train) == (PERSONS - 1) * CAMERAS


def test_duke_names_are_read(tmp_path: Path) -> None:
    for folder, person in (
        ("bounding_box_train", 1),
        ("bounding_box_train", 2),
        ("query", 5),
        ("bounding_box_test", 5),
    ):
        for camera in (1, 8):
            write_box(tmp_path / folder / f"{person:04d}_c{camera}_f0046182.jpg", person, camera)
    dataset = read_reid(tmp_path, image_size=SIZE, validation_identities=1)
    assert dataset.test.query_cameras is not None and dataset.test.query_cameras.tolist() == [1, 8]
    assert dataset.classes == 1


def test_images_are_resized_to_height_and_width(tmp_path: Path) -> None:
    write_market(tmp_path)
    halves = np.zeros((16, 6, 3), np.uint8)
    halves[8:, :, 0] = 200
    Image.fromarray(halves).save(tmp_path / "query" / market_name(1, 1, 9))
    image = read_reid(tmp_path, image_size=(8, 3), validation_identities=1).test.query.images[0]
    assert image.shape == (3, 8, 3)
    assert bool((image[0, :3] == 0).all()) and bool((image[0, 5:] == 200).all()) and bool((image[1:] == 0).all())


def test_the_split_is_always_the_same_and_grows(tmp_path: Path) -> None:
    write_market(tmp_path)
    one, same, two = (read_reid(tmp_path, image_size=SIZE, validation_identities=count) for count in (1, 1, 2))
    assert one.content_hash() == same.content_hash()
    assert set(boxes_of(one.validation.query)) < set(boxes_of(two.validation.query))


@pytest.mark.parametrize("missing", ["query", "bounding_box_test"])
def test_a_missing_market_folder_is_named(tmp_path: Path, missing: str) -> None:
    (write_market(tmp_path) / missing).rename(tmp_path / "elsewhere")
    with pytest.raises(FileNotFoundError, match=f"{missing} does not exist: a data set like Market-1501 needs"):
        read_reid(tmp_path, image_size=SIZE, validation_identities=1)
    (tmp_path / missing).mkdir()
    with pytest.raises(FileNotFoundError, match=f"{missing} holds no images"):
        read_reid(tmp_path, image_size=SIZE, validation_identities=1)


def test_missing_msmt_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(
        FileNotFoundError, match=r"neither the folder bounding_box_train .* nor the file list_train\.txt"
    ):
        read_reid(tmp_path, image_size=SIZE)
    write_msmt(tmp_path)
    (tmp_path / "list_query.txt").rename(tmp_path / "kept")
    with pytest.raises(FileNotFoundError, match=r"list_query\.txt does not exist: MSMT17 needs"):
        read_reid(tmp_path, image_size=SIZE, validation_identities=1)
    (tmp_path / "list_query.txt").write_text("")
    with pytest.raises(FileNotFoundError, match=r"list_query\.txt holds no images"):
        read_reid(tmp_path, image_size=SIZE, validation_identities=1)
    (tmp_path / "test").rename(tmp_path / "elsewhere")
    with pytest.raises(FileNotFoundError, match="not the folders train and test or mask_train_v2"):
        read_reid(tmp_path, image_size=SIZE, validation_identities=1)


@pytest.mark.parametrize("line", ["0000/0000_000_01_x.png", "0000/0000_000_01_x.png one", "", "a b 3"])
def test_a_broken_line_of_a_list_is_named(tmp_path: Path, line: str) -> None:
    with (write_msmt(tmp_path) / "list_gallery.txt").open("a") as file:
        file.write(f"{line}\n")
    with pytest.raises(ValueError, match=r"list_gallery\.txt, line 5, is"):
        read_reid(tmp_path, image_size=SIZE, validation_identities=1)


def test_pictures_and_names_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    write_market(tmp_path / "a")
    damaged = tmp_path / "a" / "query" / market_name(3, 1, 9)
    damaged.write_bytes(damaged.read_bytes()[:40])
    with pytest.raises(ValueError, match=r"0003_c1s1_000009_00\.png cannot be read .*: copy the data set again"):
        read_reid(tmp_path / "a", image_size=SIZE, validation_identities=1)
    write_box(tmp_path / "a" / "query" / "person.png", 1, 1)
    with pytest.raises(ValueError, match=r"query/person\.png does not name its camera"):
        read_reid(tmp_path / "a", image_size=SIZE, validation_identities=1)
    (write_msmt(tmp_path / "b") / "test" / msmt_name(1, 5, 103)).unlink()
    with pytest.raises(ValueError, match=r"0001_103_05_0303morning_0015_0\.png cannot be read"):
        read_reid(tmp_path / "b", image_size=SIZE, validation_identities=1)


def test_a_person_in_training_and_test_part_is_refused(tmp_path: Path) -> None:
    write_market(tmp_path)
    write_box(tmp_path / "bounding_box_test" / market_name(4, 2, 5), 4, 2, 5)
    with pytest.raises(ValueError, match=r"0004_c2s1_000005_00\.png shows a person who is in bounding_box_train too"):
        read_reid(tmp_path, image_size=SIZE, validation_identities=1)


@pytest.mark.parametrize("count", [0, PERSONS])
def test_validation_identities_must_leave_some_to_train(tmp_path: Path, count: int) -> None:
    write_market(tmp_path)
    with pytest.raises(ValueError, match=f"validation_identities={count} does not fit"):
        read_reid(tmp_path, image_size=SIZE, validation_identities=count)
    with pytest.raises(ValueError, match=r"image_size=\(8, 0\)"):
        read_reid(tmp_path, image_size=(8, 0))
