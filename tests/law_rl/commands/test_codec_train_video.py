"""`law-rl codec train-video` end to end: the files, stages, a stop, and what is refused."""

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from law_rl.commands.codec_train_video import NETWORKS, StageText
from law_rl.compression import training
from law_rl.compression.pictures import write_picture
from law_rl.compression.training import Moment, Training
from law_rl.compression.training_step import BLOCK
from law_rl.compression.video import training_clips
from law_rl.compression.video.container import VideoReader
from law_rl.compression.video.model_card import VideoCard
from law_rl.compression.video.model_file import VideoModel
from law_rl.compression.video.training_config import VideoTrainingConfig
from law_rl.compression.video.video_codec import load_video_codec
from tests.law_rl.commands.cli import complaint, law_rl
from tests.law_rl.compression.video.tiny import CONFIG, intra_model, moving, video_model

SHORT = ("--steps", str(BLOCK + 1), "--batch", "1", "--crop", "64", "--clips", "3", "--clip-frames", "2")
TRAIN = ("codec", "train-video", "holiday", "--intra", "intra.safetensors", *SHORT, "--out")


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(NETWORKS, ("edic", "small"), CONFIG)
    monkeypatch.setattr(training_clips, "HELD_OUT", 1)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with three photographs and an intra model."""
    intra_model().save(tmp_path / "intra.safetensors")
    (tmp_path / "holiday").mkdir()
    for number in range(3):
        write_picture(tmp_path / "holiday" / f"{number}.png", moving(1, 70, 90, seed=20 * number)[0])
    return tmp_path


def test_it_writes_a_model_that_codes_and_its_card(place: Path) -> None:
    before = {path.name for path in place.iterdir()}
    out, _ = law_rl(*TRAIN, "mine.safetensors", "--lambda", "256", "--quality", "3", cwd=place)
    assert "2 photographs of holiday move in 3 clips of 2 frames, 1 are held out; intra codes first frames" in out
    assert "law-rl codec encode-video CLIP --intra intra.safetensors --model mine.safetensors" in out
    codec = load_video_codec(place / "mine.safetensors", intra=place / "intra.safetensors")
    file, frames = io.BytesIO(), moving(2)
    codec.encode(frames, file)
    assert [frame.shape for _, frame in codec.decode(VideoReader(file.getvalue()))] == [frames[0].shape] * 2
    card = VideoCard.read(place / "mine.safetensors")
    assert (card.quality, card.steps, card.training.lambda_, card.video) == (3, BLOCK + 1, 256, CONFIG)
    assert (card.intra.name, card.intra.hash, card.start) == ("intra", intra_model().hash.hex(), "")
    assert (card.clips.count, card.clips.frames, card.clips.size, card.clips.held_out) == (3, 2, 64, 1)
    assert card.bytes == (place / "mine.safetensors").stat().st_size
    assert codec.model.provenance == {name: value for name, value in card.to_json().items() if name != "bytes"}
    page = (place / "mine.md").read_text()
    assert "holiday: 2 to train on, 1 for validation" in page and str(place) not in page
    written = {path.name for path in place.iterdir()} - before
    assert written == {"mine.json", "mine.md", "mine.safetensors"}


def test_a_killed_training_ends_with_the_same_weights(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    law_rl(*TRAIN, "whole.safetensors", cwd=place)
    run_block = Training.run_block

    def stopped(self: Training[Any]) -> None:
        if self.step:
            raise KeyboardInterrupt
        run_block(self)

    with monkeypatch.context() as patch:
        patch.setattr(training, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
        patch.setattr(Training, "run_block", stopped)
        law_rl(*TRAIN, "mine.safetensors", cwd=place, status=1)
    assert (place / "mine.checkpoint").exists() and not (place / "mine.safetensors").exists()
    assert "other settings or data: delete it" in complaint(*TRAIN, "mine.safetensors", "--seed", "1", cwd=place)
    out, error = law_rl(*TRAIN, "mine.safetensors", "--json", cwd=place)
    assert json.loads(out)["steps"] == BLOCK + 1
    assert f"taken up at step {BLOCK}" in error
    assert not (place / "mine.checkpoint").exists()
    whole, gone_on = (VideoModel.load(place / f"{name}.safetensors") for name in ("whole", "mine"))
    assert whole.hash == gone_on.hash


def test_it_goes_on_from_another_model(place: Path) -> None:
    video_model().save(place / "start.safetensors")
    rates = ("--learning-rate", "1e-9", "--start", "start.safetensors", "--json")
    card = json.loads(law_rl(*TRAIN, "mine.safetensors", *rates, cwd=place)[0])
    assert card["start"] == video_model().hash.hex()
    assert {card["training"][name] for name in ("flow", "motion", "compensation")} == {0.0}
    for name, weight in VideoModel.load(place / "mine.safetensors").weights.items():
        assert np.allclose(weight.float(), video_model().weights[name].float(), atol=2e-3), name


@pytest.mark.parametrize("size", ["small", "paper"])
def test_networks_differ_by_edics_parts_alone(size: Literal["small", "paper"], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    plain, edic = NETWORKS["dvc", size], NETWORKS["edic", size]
    assert (edic.residual.components, edic.residual.attention, edic.enhancement > 0) == (2, "z", True)
    without = replace(edic.residual, components=1, attention="none")
    assert replace(edic, residual=without, enhancement=0, enhancement_blocks=1) == plain


def test_a_stage_is_named_and_tells_means_of_itself_alone() -> None:
    config = VideoTrainingConfig(flow=0.25, motion=0.25, compensation=0.0)
    text = StageText(config, 0.0)

    def at(progress: float) -> str:
        return text(Moment(step=100, progress=progress, seconds=1.0, cost=0.5, bpp=0.25, distortion=0.01))

    told = [at(progress) for progress in (0.1, 0.3, 0.4, 0.6, 1.0)]
    numbers = "step 100, cost 0.500, 0.250 bits per pixel, 20.00 dB"
    assert told == [
        "flow, step 100, cost 0.500",
        "motion, step 100",
        f"motion, {numbers}",
        "all, step 100",
        f"all, {numbers}",
    ]


def test_what_it_refuses(place: Path) -> None:
    (place / "old.safetensors").touch()
    assert "old.safetensors exists: give another name" in complaint(*TRAIN, "old.safetensors", cwd=place)
    assert "new.json is what is written beside a model" in complaint(*TRAIN, "new.json", cwd=place)
    for flags, sentence in (
        (("--quality", "0"), "quality is 0: give a whole number from 1 to 255"),
        (("--clips", "0"), "clips is 0: give"),
        (("--clip-frames", "1"), "frames is 1: give 2 at least"),
        (("--crop", "100"), "crop is 100: give a multiple of 64"),
        (("--crop", "128"), "is as large as a frame of 128 x 128"),
        (("--intra", "9"), "no model of quality 9 ships"),
        (("--intra", "old.safetensors"), "old.safetensors is"),
        (("--start", "intra.safetensors"), "intra.safetensors is"),
        (("--device", "nowhere"), "device is 'nowhere'"),
    ):
        assert sentence in complaint(*TRAIN, "new.safetensors", *flags, cwd=place), flags
    video_model().save(place / "start.safetensors")
    flags = ("--start", "start.safetensors", "--parts", "dvc")
    assert "start.safetensors has other parts or another size" in complaint(*TRAIN, "new", *flags, cwd=place)
    assert "nowhere does not exist" in complaint("codec", "train-video", "nowhere", "--out", "new", cwd=place)
    assert not list(place.glob("new*"))
