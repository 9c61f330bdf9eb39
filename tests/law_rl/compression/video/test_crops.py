"""Clips as samples: what they are made of, that parts share nothing, and how samples are numbered."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from law_rl.compression.bitstream.model_file import CodecModel
from law_rl.compression.photograph_parts import photograph_parts
from law_rl.compression.shipped import model_path
from law_rl.compression.video.crops import CropConfig
from law_rl.compression.video.objective import as_bytes, pixels
from law_rl.compression.video.synthetic import synthetic_clips
from tests.law_rl.compression.video.crop_trainings import crops, dataset

CONFIG = CropConfig(train=3, validation=2, test=2, frames=3)
PARTS = ("train", "validation", "test")


def test_samples_are_the_frames_with_one_before_them() -> None:
    part = crops(4, 0)
    assert len(part) == 8
    clips, times = part.places(torch.arange(8))
    assert list(zip(clips.tolist(), times.tolist(), strict=True)) == [(n, t) for n in range(4) for t in (1, 2)]


def test_each_part_moves_photographs_of_its_own() -> None:
    data, photographs = CONFIG.load(), photograph_parts("samples", "")
    for seed, (name, count) in enumerate(zip(PARTS, (3, 2, 2), strict=True)):
        expected = synthetic_clips(photographs[seed], count=count, frames=3, size=64, seed=seed).frames
        assert torch.equal(getattr(data, name).frames, expected)


def test_decoded_frames_are_those_of_the_image_model_that_ships() -> None:
    part = CONFIG.load().validation
    network = CodecModel.load(model_path(1)).network().eval()
    with torch.no_grad():
        expected = as_bytes(network(pixels(part.frames[:, 0])).reconstruction)
    assert part.intra.shape == part.frames.shape
    assert (part.intra[:, 0].int() - expected.int()).abs().max() <= 1


def test_the_hash_tells_frames_and_decoded_ones() -> None:
    data = dataset()
    assert data.content_hash() == replace(data).content_hash()
    for name in PARTS:
        part = getattr(data, name)
        for changes in ({"frames": 255 - part.frames}, {"intra": 255 - part.intra}):
            assert replace(data, **{name: replace(part, **changes)}).content_hash() != data.content_hash()


def test_a_data_set_moves_as_a_whole() -> None:
    moved = dataset().to("meta")
    parts = [getattr(moved, part) for part in PARTS]
    assert {each.device.type for part in parts for each in (part.frames, part.intra)} == {"meta"}


def test_missing_photographs_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="bsds"):
        replace(CONFIG, name="bsds", root=str(tmp_path)).load()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "kodak"}, "name is 'kodak': use samples, which need no file, or bsds"),
        ({"frames": 1}, "frames is 1: give 2 at least, as a frame is predicted from another"),
        ({"test": 0}, "test is 0: give a number of clips, 1 or more"),
    ],
)
def test_what_is_no_data_set_is_refused_in_one_sentence(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(CONFIG, **changes)
