"""`law-rl codec encode-video` end to end with tiny untrained models."""

import io
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from law_rl.commands.codec_frames import bounds, cut_clip, frames_asked, in_words
from law_rl.compression.video.shipped import shipped_video_models
from law_rl.compression.video.sinks import clip_writer
from law_rl.compression.video.sources import open_clip
from law_rl.compression.video.video_codec import VideoCodec
from tests.law_rl.commands.cli import complaint, law_rl
from tests.law_rl.commands.video_codecs import INTRA, MODEL, video_codec, with_models, write_clip, write_models
from tests.law_rl.compression.video.tiny import moving


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    write_models(folder)
    return folder


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


def encode(*arguments: str, models: Path, cwd: Path, status: int = 0) -> tuple[str, str]:
    return with_models("encode-video", *arguments, models=models, cwd=cwd, status=status)


def refused(*arguments: str, models: Path, cwd: Path) -> str:
    _, error = encode(*arguments, models=models, cwd=cwd, status=2)
    assert len(error.strip().splitlines()) == 1 and error.startswith("law-rl: ")
    return error


def encoded(frames: list[np.ndarray], gop: int, rate: Fraction | None) -> bytes:
    file = io.BytesIO()
    video_codec().encode(frames, file, gop=gop, rate=rate)
    return file.getvalue()


def write_y4m(path: Path, count: int) -> Path:
    with clip_writer(path, 48, 40, Fraction(30000, 1001)) as writer:
        for frame in moving(count, 40, 48):
            writer.write(frame)
    return path


def test_a_folder_becomes_a_file_beside_it(tmp_path: Path, models: Path) -> None:
    write_clip(tmp_path / "clip.v2", 3, 40, 48)
    out, _ = encode("clip.v2/", "--gop", "2", models=models, cwd=tmp_path)
    content = (tmp_path / "clip.v2.edicv").read_bytes()
    assert content == encoded(moving(3, 40, 48), 2, None)
    progress, said = out.strip().splitlines()
    assert progress.startswith("encode, ") and ": 3/3 frames, about 0 s left" in progress
    cost = f"{len(content):,} bytes, {8 * len(content) / (40 * 48 * 3):.4f} bits per pixel, "
    assert said.startswith(f"clip.v2.edicv: 3 frames, {cost}") and said.endswith(" frames per second")
    assert "kbit/s" not in said


def test_the_folder_one_stands_in_is_named_too(tmp_path: Path, models: Path) -> None:
    encode(".", models=models, cwd=write_clip(tmp_path / "clip", 1, 40, 48))
    assert (tmp_path / "clip.edicv").exists()


def test_frames_that_are_asked_for_are_encoded_at_their_rate(tmp_path: Path, models: Path) -> None:
    clip = open_clip(write_y4m(tmp_path / "clip.y4m", 5))
    out, _ = encode("clip.y4m", "new/x.edicv", "--frames", "1:3", models=models, cwd=tmp_path)
    content = (tmp_path / "new/x.edicv").read_bytes()
    assert content == encoded(list(clip)[1:3], 10, Fraction(30000, 1001))
    assert f"2 frames, {len(content):,} bytes" in out
    assert f"{8 * len(content) / 2 * 30 / 1.001 / 1000:.1f} kbit/s" in out
    assert list((tmp_path / "new").iterdir()) == [tmp_path / "new/x.edicv"]


def test_what_cannot_be_encoded_is_said_in_a_sentence(tmp_path: Path, models: Path) -> None:
    write_clip(tmp_path / "clip", 2, 40, 48)
    (tmp_path / "empty").mkdir()
    (tmp_path / "old.edicv").write_bytes(b"mine")
    for arguments, words in {
        ("clip", "x.mp4"): "x.mp4 is no name for a compressed clip: end it in .edicv",
        ("none.mp4",): "There is no none.mp4: check its name",
        ("clip", "a.edicv", "b.edicv"): "3 names are given: give what to read, and what to write or nothing",
        ("clip", "old.edicv"): "old.edicv exists: give --overwrite to write over it, or another name",
        ("old.edicv",): "old.edicv would be written over itself: give another name",
        ("old.edicv", "x.edicv"): "old.edicv cannot be read as a video",
        ("empty",): "empty holds no picture",
        ("clip", "--frames", "1:9"): "the cut of clip is [1, 9), it has 2 frames: give frames inside",
        ("clip", "--frames", "5"): "--frames is '5': give FIRST:LAST, such as 0:100, :100 or 100:",
        ("clip", "--gop", "0"): "gop is 0: give a number from 1 to 65535",
        ("clip", "--quality", "1"): "--quality names a model that ships and --model a file: give one of them",
        ("clip", "--device", "abacus"): "device is 'abacus', which torch has not here",
    }.items():
        assert words in refused(*arguments, models=models, cwd=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip", "empty", "old.edicv"]
    assert (tmp_path / "old.edicv").read_bytes() == b"mine"


def test_models_that_are_not_there_or_others_are_refused(tmp_path: Path, models: Path) -> None:
    write_clip(tmp_path / "clip", 1, 40, 48)
    video, intra = str(models / MODEL), str(models / INTRA)
    for arguments, words in {
        ("--model", "none.safetensors"): "there is no video model none.safetensors: give a path or one that ships",
        ("--model", intra): "video",
        ("--model", video): "no codec model that ships has the hash",
        ("--model", video, "--intra", video): "codec",
        ("--quality", "77"): "no model of quality 77 ships",
    }.items():
        assert words in complaint("codec", "encode-video", "clip", *arguments, cwd=tmp_path)
    assert not (tmp_path / "clip.edicv").exists()


@pytest.mark.skipif(not shipped_video_models(), reason="no video model ships")
def test_the_middle_one_of_the_models_that_ship_is_taken(tmp_path: Path) -> None:
    write_clip(tmp_path / "clip", 2, 40, 48)
    law_rl("codec", "encode-video", "clip", cwd=tmp_path)
    law_rl("codec", "encode-video", "clip", "first.edicv", "--quality", "1", cwd=tmp_path)
    for name, quality in (("clip.edicv", (len(shipped_video_models()) + 1) // 2), ("first.edicv", 1)):
        out, _ = law_rl("codec", "info", name, cwd=tmp_path)
        assert f"model: quality {quality}, hash " in out and str(shipped_video_models()[quality]) in out
    law_rl("codec", "decode-video", "clip.edicv", "back", cwd=tmp_path)
    errors = np.stack(list(open_clip(tmp_path / "back"))).astype(float) - moving(2, 40, 48)
    assert np.square(errors).mean() < 100


def test_an_older_file_stays_unless_it_is_asked(tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_clip(tmp_path / "clip", 2, 40, 48)
    (tmp_path / "clip.edicv").write_bytes(b"mine")
    with monkeypatch.context() as patch:
        patch.setattr(VideoCodec, "_encode_frame", stopped)
        encode("clip", "--overwrite", models=models, cwd=tmp_path, status=1)
    assert (tmp_path / "clip.edicv").read_bytes() == b"mine" and len(list(tmp_path.iterdir())) == 2
    encode("clip", "--overwrite", models=models, cwd=tmp_path)
    assert (tmp_path / "clip.edicv").read_bytes() == encoded(moving(2, 40, 48), 10, None)


def stopped(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_clip_that_ends_too_early_leaves_no_file(tmp_path: Path, models: Path) -> None:
    write_clip(tmp_path / "clip", 3, 40, 48)
    (tmp_path / "clip/2.png").write_bytes(b"no picture")
    assert "clip/2.png" in encode("clip", models=models, cwd=tmp_path, status=2)[1]
    assert list(tmp_path.iterdir()) == [tmp_path / "clip"]


def test_other_videos_need_pyav(tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "clip.mp4").touch()
    monkeypatch.setattr("law_rl.compression.video.pyav.find_spec", lambda name: None)
    error = refused("clip.mp4", models=models, cwd=tmp_path)
    assert error == "law-rl: reading clip.mp4 needs PyAV: pip install 'law-rl[video]'\n"


def test_a_clip_of_unknown_length_is_encoded_to_its_end(tmp_path: Path, models: Path) -> None:
    pytest.importorskip("av", reason="needs PyAV: pip install 'law-rl[video]'")
    with clip_writer(tmp_path / "clip.mkv", 48, 40, Fraction(25)) as writer:
        for frame in moving(4, 40, 48):
            writer.write(frame)
    out, _ = encode("clip.mkv", "--frames", "2:", models=models, cwd=tmp_path)
    assert (tmp_path / "clip.edicv").read_bytes() == encoded(moving(4, 40, 48)[2:], 10, Fraction(25))
    assert out.startswith("clip.edicv: 2 frames, ")
    assert "the video has no frames" in refused("clip.mkv", "x.edicv", "--frames", "4:", models=models, cwd=tmp_path)


@pytest.mark.parametrize(
    ("text", "expected"), [("", (0, None)), (":", (0, None)), ("3:", (3, None)), (":7", (0, 7)), ("3:7", (3, 7))]
)
def test_frames_are_named_by_first_and_last(text: str, expected: tuple[int, int | None], tmp_path: Path) -> None:
    assert bounds(text) == expected
    assert list(frames_asked(text, 9)) == list(range(9))[slice(*expected)]
    clip = open_clip(write_clip(tmp_path / "clip", 9, 8, 8))
    assert np.array_equal(list(cut_clip(clip, text)), moving(9, 8, 8)[slice(*expected)])


@pytest.mark.parametrize("text", ["3", "-1:3", "a:b", "1:2:3", "1 :2", "1.5:2", "٣:٤"])
def test_other_texts_name_no_frames(text: str) -> None:
    with pytest.raises(ValueError, match="give FIRST:LAST, such as"):
        bounds(text)


@pytest.mark.parametrize("text", ["3:3", "5:2", "0:0"])
def test_no_frames_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="which are none: give a FIRST below LAST"):
        bounds(text)


@pytest.mark.parametrize("text", ["9:", "2:10", "12:13"])
def test_frames_that_are_not_there_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"there are 9 frames: give some of 0:9"):
        frames_asked(text, 9)


def test_frames_in_words() -> None:
    assert [in_words(range(3, 4)), in_words(range(10, 20))] == ["frame 3", "frames 10 to 19"]
