"""What becomes of a comparison of videos."""

import json
from pathlib import Path
from typing import Any

from benchmarks.video_peers import OURS, main


def rate(percent: float) -> dict[str, float]:
    return {"percent": percent, "low": 28.0, "high": 34.0}


def test_points_and_rates_become_tables(tmp_path: Path) -> None:
    point: dict[str, Any] = {"setting": "quality 1", "bpp": 0.25, "psnr": 29.5, "ms_ssim": 0.95}
    clips = [
        {"name": f"clips/{name}", "points": [{"frames": 20}], "bd_rates": {"x264 veryfast": {"psnr": found}}}
        for name, found in (("one", rate(50.4)), ("two", None))
    ]
    found = {
        "gop": 10,
        "peers": {"x264 veryfast": "core 165: -preset veryfast"},
        "curves": {OURS: {"points": [point]}},
        "mean_bd_rates_of_clips": {"x264 veryfast": {"psnr": None, "ms_ssim": 40.0}},
        "each": clips,
    }
    (tmp_path / "compared.json").write_text(json.dumps(found))
    main([str(tmp_path / "compared.json"), "--out", str(tmp_path)])
    text = (tmp_path / "video_peers.md").read_text()
    assert "clips/one" not in (tmp_path / "video_peers.json").read_text()
    assert "| quality 1 | 0.2500 | 29.50 | 0.9500 |" in text
    assert "| x264 veryfast | +50 % | no overlap | no overlap | +40 % |" in text
    assert "- x264 veryfast: core 165: -preset veryfast" in text and "Frames: one 20, two 20" in text
