"""The card of a video codec says what moved, from where it began, and how good it is."""

from dataclasses import replace
from pathlib import Path

import pytest

from law_rl.compression.card import write_card, write_set_card
from law_rl.compression.video.model_card import ClipFacts, IntraFacts, VideoCard
from law_rl.compression.video.training_clips import IntraFile
from law_rl.compression.video.training_config import VideoTrainingConfig
from law_rl.compression.video.validation import VideoValidation
from tests.law_rl.compression.test_model_card import CARD as IMAGE_CARD
from tests.law_rl.compression.video.tiny import CONFIG, intra_model

CARD = VideoCard(
    video=CONFIG,
    training=VideoTrainingConfig(lambda_=384.0, flow=0.1, motion=0.0, compensation=0.05, seed=5),
    quality=2,
    parameters=12_345,
    bytes=34_567,
    photographs=IMAGE_CARD.photographs,
    intra=IntraFacts.of(IntraFile(name="small-768", model=intra_model())),
    clips=ClipFacts(count=300, frames=6, size=128, seed=5, held_out=16, held_out_frames=10),
    start="",
    validation=VideoValidation(
        bpp=0.2345,
        psnr=30.456,
        predicted_bpp=0.1234,
        predicted_psnr=30.111,
        motion_bpp=0.0456,
        prediction_psnr=27.0,
        warped_psnr=26.0,
    ),
    steps=900,
    seconds=600.0,
    device="CPU",
)


def test_the_page_tells_the_facts(tmp_path: Path) -> None:
    write_card(tmp_path / "two.safetensors", CARD)
    page = (tmp_path / "two.md").read_text()
    for words in (
        "# two, a video codec",
        "| two.safetensors | 2 | 384 | 0.234 | 30.46 | 0.123 | 0.046 | 30.11 |",
        "flow channels (4,), flow kernel 5, flow levels 2, flow finest 4, motion 4, compensation 4, residual width 8",
        f"small-768 ({intra_model().hash.hex()})",
        "300 clips of 6 frames of 128 x 128 to train on (seed 5), 16 of 10 frames for validation",
        "| frames are predicted from | decoded frames |",
        "| stages | flow 10 %, compensation 5 % of the training, then all |",
        "900 steps of 4 frames of 128 x 128 in 10 minutes (CPU, float32)",
        "Mine alone.",
        'load_video_codec("two.safetensors")',
    ):
        assert words in page.replace("\\", "")
    assert "went on from" not in page


def test_one_that_went_on_says_from_where(tmp_path: Path) -> None:
    config = replace(CARD.training, flow=0.0, compensation=0.0)
    write_card(tmp_path / "two.safetensors", replace(CARD, start="0123456789abcdef", training=config))
    page = (tmp_path / "two.md").read_text()
    assert "| went on from | the model 0123456789abcdef |" in page and "| stages | all parts together |" in page


def test_a_card_is_read_back(tmp_path: Path) -> None:
    write_card(tmp_path / "two.safetensors", CARD)
    assert VideoCard.read(tmp_path / "two.safetensors") == CARD
    write_card(tmp_path / "two.safetensors", IMAGE_CARD)
    with pytest.raises(ValueError, match=r"two\.json is no card of a video codec"):
        VideoCard.read(tmp_path / "two.safetensors")


def test_a_set_of_models_is_one_page(tmp_path: Path) -> None:
    for name, bpp in (("one", 0.5), ("two", 0.1)):
        (tmp_path / f"{name}.safetensors").touch()
        write_card(tmp_path / f"{name}.safetensors", replace(CARD, validation=replace(CARD.validation, bpp=bpp)))
    write_set_card(tmp_path, VideoCard)
    page = (tmp_path / "README.md").read_text()
    assert page.startswith("# Video codecs") and page.index("| two.safetensors |") < page.index("| one.safetensors |")
