"""The card of a codec says what it was trained on, under which terms, and how good it is."""

import json
from pathlib import Path

import numpy as np

from law_rl.compression.card import PhotographFacts, write_card
from law_rl.compression.model_card import CodecCard
from law_rl.compression.network.codec_network import CodecConfig
from law_rl.compression.photograph_files import PhotographFiles
from law_rl.compression.training_config import TrainingConfig
from law_rl.compression.validation import Validation

IMAGE = np.zeros((4, 6, 3), np.uint8)
FILES = PhotographFiles(name="my_trip", terms="Mine alone.", train=(IMAGE, IMAGE), validation=(IMAGE,))
CARD = CodecCard(
    codec=CodecConfig(width=8, latents=12),
    training=TrainingConfig(lambda_=512.0, batch=4, crop=128, seed=5),
    quality=2,
    parameters=12_345,
    bytes=34_567,
    photographs=PhotographFacts.of(FILES),
    validation=Validation(bpp=0.4321, psnr=30.456),
    steps=9_000,
    seconds=600.0,
    device="CPU",
)


def test_both_files_tell_the_facts(tmp_path: Path) -> None:
    write_card(tmp_path / "two.safetensors", CARD)
    card = json.loads((tmp_path / "two.json").read_text())
    assert card["photographs"] == {
        "name": "my_trip",
        "terms": "Mine alone.",
        "hash": FILES.content_hash(),
        "train": 2,
        "validation": 1,
    }
    assert (card["validation"], card["bytes"]) == ({"bpp": 0.4321, "psnr": 30.456}, 34_567)
    page = (tmp_path / "two.md").read_text()
    for words in (
        "| two.safetensors | 2 | 512 | 0.432 | 30.46 |",
        "my\\_trip: 2 to train on, 1 for validation",
        "Mine alone.",
        "34,567 bytes, 12,345 parameters",
        "9,000 steps of 4 crops of 128 x 128 in 10 minutes (CPU, float32)",
        'load_codec("two.safetensors")',
    ):
        assert words in page
