"""`law-rl codec evaluate-video` end to end with a tiny untrained model."""

import io
import json
import math
from pathlib import Path
from typing import Any

import pytest

from law_rl.compression.image_metrics import psnr
from law_rl.compression.video.container import VideoReader
from law_rl.compression.video.sources import open_clip
from law_rl.compression.video.video_codec import VideoCodec
from tests.law_rl.commands.cli import complaint, law_rl
from tests.law_rl.commands.video_codecs import INTRA, MODEL, write_clip, write_models

OWN = ("--model", MODEL, "--intra", INTRA)


@pytest.fixture(autouse=True)
def usual_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture
def codec(tmp_path: Path) -> VideoCodec:
    return write_models(tmp_path)


def evaluate(*arguments: str, cwd: Path, status: int = 0) -> tuple[dict[str, Any], str]:
    out, error = law_rl("codec", "evaluate-video", *arguments, *OWN, "--json", cwd=cwd, status=status)
    return json.loads(out), error


def test_it_measures_whole_files(tmp_path: Path, codec: VideoCodec) -> None:
    write_clip(tmp_path / "in/a", 3)
    write_clip(tmp_path / "in/large", 2, 180, 190)
    result, error = evaluate("in", "--gop", "2", cwd=tmp_path)
    assert [(row["name"], row["frames"]) for row in result["clips"]] == [("in/a", 3), ("in/large", 2)]
    for row in result["clips"]:
        frames, file = list(open_clip(tmp_path / row["name"])), io.BytesIO()
        codec.encode(frames, file, gop=2)
        decoded = [frame for _, frame in codec.decode(VideoReader(file.getvalue()))]
        pairs = zip(frames, decoded, strict=True)
        assert row["bytes"] == len(file.getvalue())
        assert row["bpp"] == pytest.approx(8 * row["bytes"] / (row["frames"] * row["width"] * row["height"]))
        assert row["psnr"] == pytest.approx(math.fsum(psnr(*pair) for pair in pairs) / len(frames))
        assert (row["ms_ssim"] is None) == (row["height"] < 176)
        assert row["encode_fps"] > 0 and row["decode_fps"] > 0
    mean = result["mean"]
    assert mean["bpp"] == pytest.approx(sum(row["bpp"] for row in result["clips"]) / 2) and mean["frames"] == 2.5
    assert mean["ms_ssim"] is None
    assert "evaluate: 2/2 clips, about 0 s left" in error


def test_the_table_has_a_row_a_clip_and_the_means(tmp_path: Path, codec: VideoCodec) -> None:
    write_clip(tmp_path / "in/a", 3)
    write_clip(tmp_path / "in/b", 3, seed=9)
    text, _ = law_rl("codec", "evaluate-video", "in", "--frames", "1:", *OWN, cwd=tmp_path)
    rows = [line.split() for line in text.splitlines() if "90x70" in line or "mean of" in line]
    assert [row[:3] for row in rows] == [["a", "90x70", "2"], ["b", "90x70", "2"], ["mean", "of", "2"]]
    assert [len(row) for row in rows] == [8, 8, 9]


def test_clips_that_fail_are_named_and_the_others_are_finished(tmp_path: Path, codec: VideoCodec) -> None:
    for name in "abc":
        write_clip(tmp_path / "in" / name, 3, seed=ord(name))
    (tmp_path / "in/b/2.png").write_text("no picture")
    (tmp_path / "in/c/2.png").unlink()
    result, error = evaluate("in", "--frames", ":3", cwd=tmp_path, status=2)
    assert [row["name"] for row in result["clips"]] == ["in/a"]
    assert "law-rl: in/b/2.png cannot be read as a picture" in error
    assert "law-rl: in/c: the cut of c is [0, 3), it has 2 frames: give frames inside" in error
    assert error.strip().endswith("law-rl: 2 of 3 clips failed, see above; the others are done")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("a", *OWN, "--quality", "1"), "give one of them"),
        (("a", "--model", "gone.safetensors"), "there is no video model gone.safetensors"),
        (("a", "--model", MODEL), "no codec model that ships has the hash"),
        (("a", *OWN, "--gop", "0"), "gop is 0: give a number of frames from 1 to 65535"),
        (("a", *OWN, "--frames", "5"), "--frames is '5': give FIRST:LAST"),
        (("a", *OWN, "--frames", "2:9"), "a: the cut of a is [2, 9), it has 3 frames"),
        (("gone", *OWN), "There is no clip gone"),
        ((*OWN,), "no clip is named"),
    ],
)
def test_bad_input_gets_one_sentence(tmp_path: Path, codec: VideoCodec, arguments: tuple[str, ...], words: str) -> None:
    write_clip(tmp_path / "a", 3)
    assert words in complaint("codec", "evaluate-video", *arguments, cwd=tmp_path)
