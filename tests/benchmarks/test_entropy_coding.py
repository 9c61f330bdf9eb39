"""What is timed is a whole coding: latents of known probabilities at the cost of these."""

from pathlib import Path

import pytest

from benchmarks.entropy_coding import Options, drawn_latents, drawn_parameters, measured
from benchmarks.entropy_coding import main as benchmark


@pytest.mark.parametrize("components", [1, 3])
def test_coding_costs_what_the_probabilities_say(components: int) -> None:
    options = Options(height=128, width=128, channels=8, latents=48, rounds=1)
    found = measured(components, options)
    assert found["bytes"] == pytest.approx(found["ideal"], rel=0.005, abs=8)
    assert found["encode"] == found["encode z"] + found["encode y"] >= found["encode, least"] > 0


def test_one_gaussian_quantises_off_its_mean_and_more_to_whole_numbers() -> None:
    parameters = drawn_parameters(1, 500)
    offsets = drawn_latents(parameters)[0] - parameters.means[0] / 16
    assert (offsets == offsets.round()).all() and (parameters.means[0] % 16).any()
    whole = drawn_latents(drawn_parameters(3, 500))[0]
    assert (whole == whole.round()).all()


def test_the_table_is_written(tmp_path: Path) -> None:
    sizes = ["--height", "64", "--width", "64", "--channels", "4", "--latents", "6", "--rounds", "1"]
    benchmark([*sizes, "--out", str(tmp_path)])
    assert "K = 3" in (tmp_path / "entropy_coding.md").read_text()
