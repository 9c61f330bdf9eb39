"""Which of the models that ship are taken."""

from pathlib import Path

import pytest

from law_rl.commands.codec_models import Shelf

FILES = {quality: Path(f"m{quality}.safetensors") for quality in (2, 5, 7, 9)}


def shelf(*qualities: int) -> Shelf:
    return Shelf(
        shipped=lambda: {quality: FILES[quality] for quality in qualities}, kind="model", trained_by="train-it"
    )


@pytest.mark.parametrize(("qualities", "middle"), [((2,), 2), ((2, 5), 2), ((2, 5, 7), 5), ((2, 5, 7, 9), 5)])
def test_the_middle_quality_is_the_default(qualities: tuple[int, ...], middle: int) -> None:
    assert shelf(*qualities).chosen(None, None) == middle


def test_a_quality_or_a_file_is_what_was_named() -> None:
    assert shelf(2, 5, 7).chosen(7, None) == 7 and shelf().chosen(None, Path("mine")) == Path("mine")
    with pytest.raises(ValueError, match="--quality names a model that ships and --model a file: give one of them"):
        shelf(2).chosen(2, Path("mine"))


def test_all_that_ship_are_compared_unless_files_are_named() -> None:
    assert shelf(2, 5).compared([]) == [("quality 2", 2), ("quality 5", 5)]
    mine = Path("some/mine.safetensors")
    assert shelf(2, 5).compared([mine]) == [("mine", mine)]


def test_where_none_ships_one_has_to_be_named() -> None:
    for act in (lambda: shelf().chosen(None, None), lambda: shelf().compared([])):
        with pytest.raises(FileNotFoundError, match=r"no model ships with this law-rl: .*`law-rl codec train-it`"):
            act()
