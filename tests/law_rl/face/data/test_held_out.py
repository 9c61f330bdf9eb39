"""Cutting by identity: where every image goes, for persons with any numbers of images."""

from typing import Any

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from law_rl.counters import torch_generator
from law_rl.data.augment import AugmentConfig
from law_rl.data.dataset import Split, channel_statistics
from law_rl.data.mask_faces import mask_faces
from law_rl.face.data.face_dataset import FaceDataset
from law_rl.face.data.held_out import draw_identities, split_identities, with_copies

SIDE = 8
NONE = AugmentConfig()
FLIPS = AugmentConfig(flip=True)
SIZES = [3, 1, 5, 2, 4, 1, 2, 6, 0, 4]


def photographs(sizes: list[int]) -> Split:
    """A ramp for each image; its first two pixels are its person and its number. They come in no order of persons."""
    order = torch.randperm(sum(sizes), generator=torch_generator(0, "test order"))
    persons = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))[order]
    images = (torch.arange(SIDE * SIDE).view(SIDE, SIDE) * 3).to(torch.uint8).repeat(len(persons), 1, 1, 1)
    seen: dict[int, int] = {}
    for image, person in zip(images, persons.tolist(), strict=True):
        image[0, 0, 0], image[0, 0, 1] = person, seen.setdefault(person, 0)
        seen[person] += 1
    return Split(images=images, targets=persons)


def marks(images: torch.Tensor) -> list[tuple[int, ...]]:
    """(person, number) of each image."""
    return [tuple(pixels) for pixels in images[:, 0, 0, :2].tolist()]


def split(sizes: list[int], validation: list[int], test: list[int], **changes: Any) -> FaceDataset:
    arguments: dict[str, Any] = {"far": 0.01, "least": 2, "most": 10, "copies": NONE, "count": 0} | changes
    return split_identities(
        "tiny",
        photographs(sizes),
        [f"person {number}" for number in range(len(sizes))],
        validation=torch.tensor(validation),
        test=torch.tensor(test),
        **arguments,
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 7), min_size=6, max_size=14), st.data(), st.integers(2, 5), st.integers(2, 5))
def test_every_image_goes_where_its_person_goes(sizes: list[int], data: st.DataObject, least: int, most: int) -> None:
    several = [person for person, size in enumerate(sizes) if size >= 2]
    assume(len(several) >= 4)
    shuffled = data.draw(st.permutations(several))
    validation, test = sorted(shuffled[:2]), sorted(shuffled[2:4])
    trained = [p for p in range(len(sizes)) if sizes[p] >= least and p not in (*validation, *test)]
    if len(trained) < 2:
        with pytest.raises(ValueError, match=f"{len(trained)} of {len(sizes)} persons of tiny are left to train on"):
            split(sizes, validation, test, least=least, most=most)
        return
    cut = split(sizes, validation, test, least=least, most=most)
    assert sorted(marks(cut.train.images)) == [(p, number) for p in trained for number in range(sizes[p])]
    assert cut.class_names == tuple(f"person {p}" for p in trained)
    assert [trained[label] for label in cut.train.targets.tolist()] == [p for p, _ in marks(cut.train.images)]
    for part, persons in ((cut.validation, validation), (cut.test, test)):
        assert sorted(marks(part.faces.images)) == [(p, n) for p in persons for n in range(min(sizes[p], most))]
        assert [i - len(sizes) for i in part.faces.targets.tolist()] == [p for p, _ in marks(part.faces.images)]
    parts = [{p for p, _ in marks(images)} for images in (cut.train.images, cut.validation.faces.images)]
    parts.append({p for p, _ in marks(cut.test.faces.images)})
    assert sum(map(len, parts)) == len(set.union(*parts))


def test_whoever_has_one_image_is_in_no_part() -> None:
    cut = split(SIZES, [0, 3], [4])
    seen = {p for p, _ in marks(torch.cat([cut.train.images, cut.validation.faces.images, cut.test.faces.images]))}
    assert seen == {person for person, size in enumerate(SIZES) if size >= 2}


def test_labels_are_right_and_known_to_be() -> None:
    cut = split(SIZES, [0], [3])
    assert cut.train.mislabelled is not None and not cut.train.mislabelled.any()


def test_one_person_cannot_be_validated_and_tested_on() -> None:
    with pytest.raises(ValueError, match=r"validation and test share the identity 14: cut the data by identity"):
        split(SIZES, [0, 4], [4, 3])


@pytest.mark.parametrize("least", [5, 7])
def test_too_few_persons_to_train_on_are_refused(least: int) -> None:
    with pytest.raises(ValueError, match=r"of 10 persons of tiny are left to train on, with 2 held out and at least"):
        split(SIZES, [2], [9], least=least)


# Masks and statistics


def test_the_test_faces_come_masked_too_and_the_same_each_time() -> None:
    one, again = (split(SIZES, [0, 3], [4, 7]).test for _ in range(2))
    assert one.masked is not None and again.masked is not None
    assert torch.equal(one.masked, again.masked)
    assert torch.equal(one.masked, mask_faces(one.faces.images, torch_generator(0, "masked test faces")))
    assert torch.equal(one.masked[:, :, : SIDE // 2], one.faces.images[:, :, : SIDE // 2])
    assert bool((one.masked != one.faces.images).flatten(1).any(1).all())


def test_inputs_are_normalised_as_the_training_images_are() -> None:
    cut = split(SIZES, [0, 3], [4, 7], copies=FLIPS, count=1)
    assert (cut.mean, cut.std) == channel_statistics(cut.train.images)


# Copies


@pytest.mark.parametrize("count", [0, 1, 3])
def test_copies_follow_the_images_and_keep_their_labels(count: int) -> None:
    plain, more = split(SIZES, [0, 3], [4, 7]), split(SIZES, [0, 3], [4, 7], copies=FLIPS, count=count)
    size = len(plain.train)
    assert len(more.train) == (count + 1) * size
    versions, labels = (torch.split(part, size) for part in (more.train.images, more.train.targets))
    assert torch.equal(versions[0], plain.train.images)
    assert all(torch.equal(each, plain.train.targets) for each in labels)
    mirrored = [(version != versions[0]).flatten(1).any(1) for version in versions[1:]]
    for version, turned in zip(versions[1:], mirrored, strict=True):
        assert torch.equal(version[turned], versions[0][turned].flip(3)) and 0 < int(turned.sum()) < size
    assert len({tuple(turned.tolist()) for turned in mirrored}) == count
    for part in ("validation", "test"):
        assert torch.equal(getattr(more, part).faces.images, getattr(plain, part).faces.images)


def test_copies_are_drawn_once_and_for_all() -> None:
    faces, results = photographs([4, 4, 4]), []
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        results.append(with_copies(faces, AugmentConfig(crop=2, mask=0.5), 2))
        assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(results[0].images, results[1].images)
    longer = with_copies(faces, AugmentConfig(crop=2, mask=0.5), 3)
    assert torch.equal(longer.images[:36], results[0].images), "one copy more leaves the others as they are"


# Drawing


@settings(max_examples=40, deadline=None)
@given(st.sets(st.integers(0, 500), min_size=2, max_size=30), st.data())
def test_persons_are_drawn_without_return(persons: set[int], data: st.DataObject) -> None:
    every = torch.tensor(sorted(persons))
    count = data.draw(st.integers(1, len(persons) - 1))
    drawn = draw_identities(every, count, "test_identities").tolist()
    assert len(set(drawn)) == count and set(drawn) <= persons
    assert drawn == draw_identities(every, count, "test_identities").tolist()
    if count + 1 < len(persons):
        assert drawn == draw_identities(every, count + 1, "test_identities").tolist()[:count]


def test_different_parts_draw_differently() -> None:
    persons = torch.arange(100)
    drawn = [draw_identities(persons, 20, name).tolist() for name in ("test_identities", "validation_identities")]
    assert drawn[0] != drawn[1] and drawn[0] != list(range(20))


@pytest.mark.parametrize("count", [5, 6])
def test_more_persons_than_there_are_cannot_be_drawn(count: int) -> None:
    with pytest.raises(ValueError, match=f"test_identities asks for {count} of 5 persons: leave some to train on"):
        draw_identities(torch.arange(5), count, "test_identities")
