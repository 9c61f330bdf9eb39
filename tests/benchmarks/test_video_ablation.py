"""What is said of each part of the video codec, from models as the trainings write them."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from benchmarks import video_ablation
from benchmarks.train_videos import Chain
from benchmarks.video_ablation import Options, main, read_rows, report, seed_gains, seed_rates
from law_rl.compression.video.model_file import VideoModel
from tests.law_rl.compression.video.tiny import intra_model, moving, video_model

POINTS = {3: (1024.0, 0.8, 32.0), 2: (384.0, 0.4, 29.0), 1: (128.0, 0.2, 26.0)}


def rows(bits: dict[str, list[float]]) -> list[dict[str, Any]]:
    """Models of which each variant needs `bits`, one for each seed, times those of the plain codec; on two clips."""
    return [
        {"variant": variant, "seed": seed, "quality": quality, "lambda": lambda_, "clip": clip, "bpp": bpp * factor}
        | {"psnr": psnr, "predicted_bpp": bpp, "motion_bpp": 0.1}
        | {"warped_psnr": 20.0, "prediction_psnr": 21.0, "predicted_psnr": psnr}
        for variant, factors in bits.items()
        for seed, factor in enumerate(factors)
        for quality, (lambda_, bpp, psnr) in POINTS.items()
        for clip in ("a", "b")
    ]


def test_rates_and_costs_are_beside_the_plain_codec_of_the_same_seed() -> None:
    found = rows({"DVC": [1.0, 2.0], "EDIC in DVC": [0.9, 1.0], "no refinement": [1.1, 2.2]})
    assert seed_rates(found, "EDIC in DVC") == {
        0: pytest.approx([-10.0, -10.0]),
        1: pytest.approx([-50.0, -50.0]),
    }
    better, worse = seed_gains(found, "EDIC in DVC"), seed_gains(found, "no refinement")
    assert better[1] > better[0] > 0 > worse[0]
    assert "| EDIC in DVC | -30.00 [" in report(found) and "| no refinement | +10.00 [" in report(found)


def test_curves_without_overlap_are_told() -> None:
    found = rows({"DVC": [1.0], "no motion codec": [1.0]})
    found = [row | {"psnr": row["psnr"] - 20} if row["variant"] == "no motion codec" else row for row in found]
    assert seed_rates(found, "no motion codec") == {0: []}
    assert "none (2 without overlap)" in report(found)


def test_models_are_measured_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(VideoModel, "intra_model", lambda self: intra_model())
    (tmp_path / "clips" / "one").mkdir(parents=True)
    for number, frame in enumerate(moving(3, 64, 64)):
        Image.fromarray(frame).save(tmp_path / "clips" / "one" / f"{number}.png")
    options = Options(clips=tmp_path / "clips", models=tmp_path)
    with pytest.raises(FileNotFoundError, match="no finished DVC"):
        read_rows(options)
    for variant in ("DVC", "EDIC in DVC"):
        for quality in POINTS:
            replace(video_model(), quality=quality).save(Chain(variant=variant, seed=0).path(tmp_path, quality))
    main([str(options.clips), "--models", str(tmp_path), "--out", str(tmp_path / "out")])
    kept = json.loads((tmp_path / "out" / "video_ablation.json").read_text())["rows"]
    assert {row["variant"] for row in kept} == {"DVC", "EDIC in DVC"} and len(kept) == 6
    monkeypatch.setattr(video_ablation, "validate_video", lambda *_: pytest.fail("measured again"))
    assert read_rows(options) == kept
