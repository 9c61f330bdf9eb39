"""What the ablation says of each module, from rows as the trainings write them."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from benchmarks.codec_ablation import Options, bd_rates, curves, main, parameters, read_rows, report, verdict
from benchmarks.codec_jobs import VARIANTS
from law_rl.compression.network.codec_network import SMALL, CodecConfig, build_codec

RATES = {256.0: (0.2, 26.0), 768.0: (0.4, 29.0), 2048.0: (0.8, 32.0)}


def rows(savings: dict[str, list[float]]) -> list[dict[str, Any]]:
    """Trainings of which each variant needs `savings`, one for each seed, times the plain codec's bits."""
    return [
        {
            "name": f"{variant}-{lambda_:g}-seed{seed}",
            "variant": variant,
            "codec": asdict(CodecConfig(**({"width": 4, "latents": 6} | dict(VARIANTS[variant])))),
            "training": {"lambda_": lambda_, "seed": seed},
            "bpp": bpp * factor,
            "psnr": psnr,
            "steps": 100 + seed,
        }
        for variant, factors in savings.items()
        for seed, factor in enumerate(factors)
        for lambda_, (bpp, psnr) in RATES.items()
    ]


def write(folder: Path, found: list[dict[str, Any]]) -> Path:
    folder.mkdir()
    (folder / "results.json").write_text(json.dumps({"rows": found}))
    return folder


def test_the_bd_rate_of_a_seed_is_against_the_plain_codec_of_that_seed() -> None:
    found = bd_rates(curves(rows({"3 components": [0.9, 1.2], "plain": [1.0, 2.0]})))
    assert list(found) == ["3 components"]
    assert found["3 components"] == pytest.approx([-10.0, -40.0])


def test_a_module_pays_where_its_interval_lies_below_zero() -> None:
    assert verdict([-3.0, -2.5, -3.2]) == "pays"
    assert verdict([3.0, 2.5, 3.2]) == "costs"
    assert verdict([-3.0, 2.5, -3.2]) == "not shown"
    assert verdict([-3.0]) == "one seed does not tell"
    table = report({"enhancement": [-3.0, -2.5, -3.2]}, {"plain": 0.1, "enhancement": 0.15}, dict.fromkeys(VARIANTS, 9))
    assert "| enhancement | -2.90 [" in table and "| 3 | pays | 9 | 150 | +50 % |" in table


def test_the_results_of_several_folders_are_one(tmp_path: Path) -> None:
    one = write(tmp_path / "one", [*rows({"plain": [1.0, 1.0]}), {"variant": "small"}])
    other = write(tmp_path / "other", rows({"all": [0.8, 0.9], "attention on y": [1.01, 1.0]}))
    main(["--folders", str(one), str(other), "--rounds", "1", "--threads", "1", "--out", str(tmp_path / "out")])
    result = json.loads((tmp_path / "out" / "codec_ablation.json").read_text())
    assert list(result["bd_rates"]) == ["attention on y", "all"]
    assert result["bd_rates"]["all"] == pytest.approx([-20.0, -10.0])
    assert set(result["decoding_seconds"]) == set(result["parameters"]) == {"plain", "attention on y", "all"}
    text = (tmp_path / "out" / "codec_ablation.md").read_text()
    assert "| all | -15.00 [" in text and "100 to 101 steps" in text


def test_what_cannot_be_compared_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"results\.json: run benchmarks.train_codecs --ablation"):
        read_rows([tmp_path])
    with pytest.raises(ValueError, match="no variant 'plain'"):
        read_rows([write(tmp_path / "other", rows({"all": [1.0]}))])
    with pytest.raises(ValueError, match="plain-256-seed0 is there twice"):
        curves(2 * rows({"plain": [1.0]}))
    with pytest.raises(ValueError, match="all and plain have other lambdas at seed 1"):
        curves(rows({"plain": [1.0], "all": [1.0, 1.0]}))
    with pytest.raises(ValueError, match="all and plain have other lambdas at seed 0"):
        curves(rows({"plain": [1.0], "all": [1.0]})[:-1])


def test_parameters_are_those_of_the_network() -> None:
    assert Options().threads == 2
    assert parameters(SMALL) == sum(p.numel() for p in build_codec(SMALL, 0).parameters())
