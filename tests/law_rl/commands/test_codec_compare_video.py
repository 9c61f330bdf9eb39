"""`law-rl codec compare-video` end to end with tiny untrained models."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from law_rl.commands.codec_batch import Tell
from law_rl.commands.codec_clip_settings import ClipSetting, measure_path
from law_rl.compression.video.clip_metrics import MeasuredClip
from law_rl.compression.video.model_file import VideoModel
from law_rl.compression.video.network.video_network import build_video
from law_rl.compression.video.peers import VideoPeer, video_peers
from law_rl.compression.video.sources import open_clip
from tests.law_rl.commands.cli import complaint, law_rl
from tests.law_rl.commands.video_codecs import INTRA, MODEL, write_clip, write_models
from tests.law_rl.compression.video.tiny import CONFIG, intra_model
from tests.law_rl.report.runs import Page

pytest.importorskip("av")
COMPARE = ("codec", "compare-video")
OWN = ("--models", MODEL, "second.safetensors", "--intra", INTRA)


def two_peers(gop: int) -> tuple[VideoPeer, ...]:
    """x264 and x265 at rates that the tiny models reach, too."""
    return tuple(replace(peer, crfs=(51, 30)) for peer in video_peers(gop)[::2])


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two models and their intra model."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr("law_rl.commands.codec_compare_video.video_peers", two_peers)
    write_models(tmp_path)
    network = build_video(CONFIG, 3, lambda_=1024.0)
    second = VideoModel.export(network, lambda_=512, quality=1, intra=intra_model().hash, provenance={})
    second.save(tmp_path / "second.safetensors")
    return tmp_path


def mean_of(rows: list[Mapping[str, float]], key: str) -> float:
    return float(np.mean([row[key] for row in rows]))


def test_json_has_every_point_of_every_clip(place: Path) -> None:
    write_clip(place / "in/a", 3)
    write_clip(place / "in/b", 2, 180, 190)
    flags = ("--gop", "2", "--report", "new/report.html", "--json")
    out, error = law_rl(*COMPARE, "in", *OWN, *flags, cwd=place)
    result = json.loads(out)
    names = ["x264 veryfast", "x265 veryfast"]
    assert (result["clips"], result["gop"]) == (2, 2)
    assert list(result["curves"]) == ["video codec (law-rl)", *names]
    assert list(result["peers"]) == list(result["bd_rates"]) == list(result["mean_bd_rates_of_clips"]) == names
    assert result["peers"]["x264 veryfast"].startswith("x264 - core ") and "-g 2" in result["peers"]["x264 veryfast"]
    settings = ["tiny", "second", *["crf 51", "crf 30"] * 2]
    assert [clip["name"] for clip in result["each"]] == ["in/a", "in/b"]
    for clip in result["each"]:
        assert [each["setting"] for each in clip["points"]] == settings
        assert all((each["ms_ssim"] is None) == (clip["name"] == "in/a") for each in clip["points"])
    columns = list(zip(*(clip["points"] for clip in result["each"]), strict=True))
    means = [point for curve in result["curves"].values() for point in curve["points"]]
    for mean, column in zip(means, columns, strict=True):
        assert mean["bpp"] == pytest.approx(mean_of(list(column), "bpp"))
        assert mean["psnr"] == pytest.approx(mean_of(list(column), "psnr"))
    content = two_peers(2)[0].encode(list(open_clip(place / "in/a")), None, 30)
    assert result["each"][0]["points"][3]["bytes"] == len(content)
    assert "report: new/report.html" in error
    page = Page((place / "new/report.html").read_text(encoding="utf-8"))
    assert [row[0] for row in page.tables[1]] == ["clip, at the same PSNR", "a", "b", "mean"]


def test_the_means_of_clips_are_those_of_their_rates(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spread(monkeypatch)
    write_clip(place / "in/a", 3)
    write_clip(place / "in/b", 3, seed=40)
    result = json.loads(law_rl(*COMPARE, "in", *OWN, "--json", cwd=place)[0])
    for name, rates in result["mean_bd_rates_of_clips"].items():
        each = [clip["bd_rates"][name]["psnr"]["percent"] for clip in result["each"]]
        assert rates["psnr"] == pytest.approx(sum(each) / 2) and rates["ms_ssim"] is None
    text, _ = law_rl(*COMPARE, "in", *OWN, cwd=place)
    rates = result["mean_bd_rates_of_clips"]["x264 veryfast"]["psnr"]
    row = next(line for line in text.splitlines() if line.startswith("│ x264 veryfast"))
    assert f"{rates:+.1f} %" in row and row.count("not measured") == 2
    assert "All have an intra frame every 10 frames." in text and "x265 veryfast is x265 (build" in text


def spread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the second model reach another quality than the first, which untrained ones do not."""

    def changed(path: Path, frames: str, settings: Sequence[ClipSetting], tell: Tell) -> list[MeasuredClip]:
        first, second, *peers = measure_path(path, frames, settings, tell)
        at = replace(first, psnr=peers[0].psnr + 0.5), replace(second, psnr=peers[0].psnr + 2, bpp=2 * first.bpp)
        return [*at, *peers]

    monkeypatch.setattr("law_rl.commands.codec_compare_video.measure_path", changed)


def test_clips_that_others_cannot_code_are_named_and_left_out(place: Path) -> None:
    write_clip(place / "in/a", 2)
    write_clip(place / "in/odd", 2, 70, 91)
    write_clip(place / "in/small", 2, 2, 2)
    out, error = law_rl(*COMPARE, "in", *OWN, "--json", cwd=place, status=2)
    assert [clip["name"] for clip in json.loads(out)["each"]] == ["in/a"]
    assert "law-rl: in/odd is 91 x 70, and x264 and x265 halve the colours of even sides: crop it by a pixel" in error
    assert "law-rl: in/small: x26" in error
    assert error.strip().endswith("law-rl: 2 of 3 clips failed, see above; the others are done")


def test_what_this_ffmpeg_lacks_is_said(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(VideoPeer, "available", property(lambda self: self.codec == "libx264"))
    write_clip(place / "a", 2)
    text, _ = law_rl(*COMPARE, "a", *OWN, cwd=place)
    assert "not compared, as PyAV's FFmpeg lacks it: x265 veryfast" in text and "│ x265" not in text


def test_bad_input_gets_one_sentence(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_clip(place / "a", 2)
    cases = {
        ("a", *OWN, "--gop", "0"): "gop is 0: give the number of frames",
        ("a", *OWN, "--frames", "3:1"): "--frames is '3:1', which are none",
        ("a", "--models", MODEL): "no codec model that ships has the hash",
        ("a", "--models", MODEL, "--intra", "gone.safetensors"): "there is no codec model gone.safetensors",
        ("gone", *OWN): "There is no clip gone",
    }
    for arguments, words in cases.items():
        assert words in complaint(*COMPARE, *arguments, cwd=place)
    monkeypatch.setattr("law_rl.compression.video.pyav.find_spec", lambda name: None)
    assert "pip install 'law-rl[video]'" in complaint(*COMPARE, "a", *OWN, cwd=place)
