"""What is learned from and what is measured on come from photographs apart, and each is as the intra model sees it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from law_rl.compression.photograph_files import PhotographFiles
from law_rl.compression.video import training_clips as module
from law_rl.compression.video.objective import intra_frames
from law_rl.compression.video.synthetic import synthetic_clips
from law_rl.compression.video.training_clips import IntraFile, TrainingClips, training_clips
from law_rl.compression.video.video_codec import GOP
from tests.law_rl.compression.video.tiny import intra_model, moving

INTRA = IntraFile(name="tiny", model=intra_model())


def photograph(seed: int) -> NDArray[np.uint8]:
    return moving(1, 80, 90, seed=seed)[0]


def made(monkeypatch: pytest.MonkeyPatch, count: int = 3) -> TrainingClips:
    monkeypatch.setattr(module, "HELD_OUT", 2)
    files = PhotographFiles(name="x", terms="", train=(photograph(0), photograph(9)), validation=(photograph(40),))
    return training_clips(files, INTRA, count=count, frames=3, size=64, seed=7)


def test_clips_are_of_the_photographs_of_their_part(monkeypatch: pytest.MonkeyPatch) -> None:
    clips = made(monkeypatch)
    files = clips.photographs
    train = synthetic_clips(files.train, count=3, frames=3, size=64, seed=7)
    held_out = synthetic_clips(files.validation, count=2, frames=GOP, size=64, seed=0)
    assert clips.train.content_hash == train.content_hash
    assert clips.validation.content_hash == held_out.content_hash
    assert torch.equal(clips.decoded, intra_frames(train.frames, intra_model().network()))


def test_frames_to_measure_on_are_arrays_of_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    clips = made(monkeypatch)
    frames = [np.stack(list(clip)) for clip in clips.held_out()]
    assert [clip.shape for clip in frames] == [(GOP, 64, 64, 3)] * 2
    assert np.array_equal(frames[1][4], clips.validation.frames[1, 4].permute(1, 2, 0).numpy())


def test_no_clips_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="clips is 0: give"):
        made(monkeypatch, count=0)


def test_an_intra_model_is_a_quality_that_ships_or_a_file(tmp_path: Path) -> None:
    assert IntraFile.load("1").name == "small-256"
    intra_model().save(tmp_path / "mine.safetensors")
    found = IntraFile.load(str(tmp_path / "mine.safetensors"))
    assert (found.name, found.model.hash) == ("mine", intra_model().hash)
    with pytest.raises(FileNotFoundError, match="there is no codec model nothing: give a path"):
        IntraFile.load("nothing")
