"""What becomes of a comparison's JSON."""

import json
from pathlib import Path
from typing import Any

from benchmarks.codec_kodak import OURS, main, verdict


def rates(jpeg: float, webp: float) -> dict[str, dict[str, Any]]:
    return {
        name: {"psnr": {"percent": value, "low": 28.0, "high": 34.0}, "ms_ssim": None}
        for name, value in (("JPEG", jpeg), ("WebP", webp))
    }


def test_the_verdict_names_what_was_reached() -> None:
    text = verdict(rates(-30.0, 0.5))
    assert "need fewer bits than JPEG (-30.0 %; must) and NOT fewer bits than WebP (+0.5 %; aim)" in text
    assert "NOT fewer bits than JPEG" in verdict(rates(3.0, -1.0))
    assert "NOT fewer bits than WebP (no overlap" in verdict(rates(-1.0, 0.0) | {"WebP": {"psnr": None}})


def test_points_and_rates_become_tables(tmp_path: Path) -> None:
    point = {"setting": "quality 1", "bpp": 0.25, "psnr": 29.5, "ms_ssim": 0.95}
    found = {"pictures": 2, "curves": {OURS: {"published": False, "points": [point]}}, "bd_rates": rates(-30.0, -1.0)}
    (tmp_path / "compared.json").write_text(json.dumps(found))
    main([str(tmp_path / "compared.json"), "--out", str(tmp_path)])
    text = (tmp_path / "codec_kodak.md").read_text()
    assert "| quality 1 | 0.2500 | 29.50 | 0.9500 |" in text and "| JPEG | -30.0 % | no overlap |" in text
    assert json.loads((tmp_path / "codec_kodak.json").read_text())["bd_rates"] == found["bd_rates"]
