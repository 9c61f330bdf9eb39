"""Cards of any kind are read back, and several are one page."""

from dataclasses import replace
from pathlib import Path

import pytest

from law_rl.compression.card import write_card, write_model, write_set_card
from law_rl.compression.model_card import CodecCard
from law_rl.compression.validation import Validation
from tests.law_rl.compression.test_model_card import CARD
from tests.law_rl.compression.video.tiny import intra_model


def test_a_card_is_read_back_and_another_file_refused(tmp_path: Path) -> None:
    write_card(tmp_path / "two.safetensors", CARD)
    assert CodecCard.read(tmp_path / "two.safetensors") == CARD
    (tmp_path / "two.json").write_text("{}")
    with pytest.raises(ValueError, match=r"two\.json is no card of an image codec"):
        CodecCard.read(tmp_path / "two.safetensors")


def test_a_set_of_models_is_one_page_with_its_curve(tmp_path: Path) -> None:
    better = replace(CARD, quality=3, validation=Validation(bpp=0.9, psnr=33.0))
    for name, card in (("three", better), ("two", CARD)):
        (tmp_path / f"{name}.safetensors").touch()
        write_card(tmp_path / f"{name}.safetensors", card)
    write_set_card(tmp_path, CodecCard)
    page = (tmp_path / "README.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith(("| two.", "| three."))]
    assert [row.split(" | ")[0] for row in rows] == ["| two.safetensors", "| three.safetensors"]


def test_a_folder_without_models_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no model"):
        write_set_card(tmp_path, CodecCard)


def test_a_model_holds_the_facts_of_its_card_and_the_card_its_size(tmp_path: Path) -> None:
    path = tmp_path / "one.safetensors"
    card = write_model(path, intra_model(), CARD)
    assert card == replace(CARD, bytes=path.stat().st_size) == CodecCard.read(path)
    provenance = intra_model().load(path).provenance
    assert provenance == {name: value for name, value in card.to_json().items() if name != "bytes"}
