"""Patches: what they are cut from, that parts share nothing, and how busy they are."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from law_rl.compression.patches import PatchConfig, cut, gradient_energy
from law_rl.compression.rd_cost import RD_DB
from law_rl.counters import numpy_generator
from tests.law_rl.compression.patch_trainings import dataset, drawn

PARTS = ("train", "validation", "test")


@settings(max_examples=20, deadline=None)
@given(st.integers(64, 150), st.integers(64, 150), st.sampled_from([32, 64]))
def test_patches_are_windows_of_the_image(height: int, width: int, step: int) -> None:
    image = numpy_generator(height, "test image", width).integers(0, 256, (height, width, 3)).astype(np.uint8)
    expected = [
        image[top : top + 64, left : left + 64]
        for top in range(0, height - 63, step)
        for left in range(0, width - 63, step)
    ]
    found = cut(image, 64, step)
    assert len(found) == len(expected)
    assert all(np.array_equal(one.permute(1, 2, 0).numpy(), other) for one, other in zip(found, expected, strict=True))


def test_the_samples_need_no_file_and_are_measured_where_they_were_not_trained_on() -> None:
    """Every column of pixels of both photographs belongs to one part."""
    data = PatchConfig(train=0, validation=0).load()
    assert [len(getattr(data, part)) for part in PARTS] == [264, 72, 72]
    whole = [set(map(bytes, getattr(data, part).numpy().transpose(0, 3, 1, 2).reshape(-1, 192))) for part in PARTS]
    assert all(len(columns) > 1000 for columns in whole)
    assert whole[0].isdisjoint(whole[1]) and whole[0].isdisjoint(whole[2]) and whole[1].isdisjoint(whole[2])


def test_so_many_patches_are_kept_as_are_asked_for() -> None:
    every, few = PatchConfig(train=0).load(), PatchConfig(train=10, validation=3, test=2).load()
    assert [len(getattr(few, part)) for part in PARTS] == [10, 3, 2]
    known = set(map(bytes, every.train.numpy().reshape(len(every.train), -1)))
    assert set(map(bytes, few.train.numpy().reshape(10, -1))) <= known
    assert few.content_hash() == PatchConfig(train=10, validation=3, test=2).load().content_hash()
    assert few.content_hash() != replace(few, test=few.test.flip(0)).content_hash()


def test_photographs_of_a_folder_are_each_in_one_part(tmp_path: Path) -> None:
    folder = tmp_path / "bsds" / "train"
    folder.mkdir(parents=True)
    for shade in range(10):
        Image.fromarray(np.full((64, 130, 3), 20 * shade, np.uint8)).save(folder / f"{shade}.png")
    data = PatchConfig(name="bsds", root=str(tmp_path)).load()
    shades = [set(getattr(data, part).unique().tolist()) for part in PARTS]
    assert [len(each) for each in shades] == [6, 2, 2] and len(set.union(*shades)) == 10
    assert [len(getattr(data, part)) for part in PARTS] == [12, 4, 4]


def test_missing_photographs_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="bsds"):
        PatchConfig(name="bsds", root=str(tmp_path)).load()


def test_gradient_energy_is_its_definition() -> None:
    images = drawn(6, 3)
    for image, energy in zip(images.double() / 255, gradient_energy(images).tolist(), strict=True):
        along = (image[:, :, 1:] - image[:, :, :-1]).square().mean()
        down = (image[:, 1:] - image[:, :-1]).square().mean()
        assert energy == pytest.approx(((along + down) / 2).log().item(), abs=1e-4)
    assert torch.allclose(gradient_energy(images.float() / 255), gradient_energy(images))
    assert gradient_energy(torch.zeros(2, 3, 64, 64, dtype=torch.uint8)).tolist() == pytest.approx([-13.8155] * 2)


def test_a_data_set_moves_as_a_whole() -> None:
    moved = dataset().to("meta")
    assert {getattr(moved, part).device.type for part in PARTS} == {"meta"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "kodak"}, "name is 'kodak': use samples, which need no file, or bsds"),
        ({"size": 96}, "size is 96: give a multiple of 64 pixels"),
        ({"size": 0}, "size is 0: give a multiple of 64"),
        ({"train": -1}, "train is -1: give a number of patches, or 0 for all"),
    ],
)
def test_what_is_no_data_set_is_refused_in_one_sentence(changes: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PatchConfig(**changes)  # type: ignore[arg-type]


def test_the_metric_is_that_of_its_data() -> None:
    assert PatchConfig().metric == dataset().metric == RD_DB
