"""`law-rl codec decode-video` and `info` end to end with tiny untrained models, on whole and on damaged files."""

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from law_rl.compression.pictures import read_picture
from law_rl.compression.video.container import VideoReader, open_video
from law_rl.compression.video.model_file import VideoModel
from law_rl.compression.video.network.video_network import build_video
from law_rl.compression.video.sources import open_clip
from law_rl.compression.video.video_codec import Frame, VideoCodec
from tests.law_rl.commands.cli import complaint, law_rl
from tests.law_rl.commands.video_codecs import INTRA, MODEL, video_codec, with_models, write_models
from tests.law_rl.compression.video.tiny import CONFIG, intra_model, moving, video_model

GOP, FRAMES = 2, 7
HEIGHT, WIDTH = 40, 48


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    write_models(folder)
    return folder


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A file of GOPs of 2, 2, 2 and 1 frames."""
    path = tmp_path_factory.mktemp("coded") / "x.edicv"
    with path.open("wb") as file:
        video_codec().encode(moving(FRAMES, HEIGHT, WIDTH), file, gop=GOP, rate=Fraction(25))
    return path.read_bytes()


@pytest.fixture(scope="module")
def decoded(content: bytes) -> list[Frame]:
    return [frame for _, frame in video_codec().decode(VideoReader(content))]


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def folder(tmp_path: Path, content: bytes) -> Path:
    (tmp_path / "x.edicv").write_bytes(content)
    return tmp_path


def decode(*arguments: str, models: Path, cwd: Path, status: int = 0) -> tuple[str, str]:
    return with_models("decode-video", *arguments, models=models, cwd=cwd, status=status)


def refused(*arguments: str, models: Path, cwd: Path) -> str:
    _, error = decode(*arguments, models=models, cwd=cwd, status=2)
    assert len(error.strip().splitlines()) == 1
    return error


def pictures(folder: Path) -> dict[int, Frame]:
    return {int(path.stem): read_picture(path) for path in sorted(folder.iterdir())}


def same(found: dict[int, Frame], decoded: list[Frame], numbers: list[int]) -> bool:
    return list(found) == numbers and all(np.array_equal(found[number], decoded[number]) for number in numbers)


def damage(path: Path, *gops: int) -> None:
    """Changes a byte in the payloads of these GOPs."""
    content = bytearray(path.read_bytes())
    entries = VideoReader(bytes(content)).gops
    for number in gops:
        content[entries[number].end - 6] ^= 1
    path.write_bytes(content)


def damage_head(path: Path, gop: int) -> None:
    """Changes the mark of a GOP and cuts the index off, so that nothing says where the GOP is."""
    content = bytearray(path.read_bytes())
    entries = VideoReader(bytes(content)).gops
    content[entries[gop].offset] ^= 1
    path.write_bytes(content[: entries[-1].end])


def cut_off(path: Path) -> None:
    """Ends the file within its last GOP."""
    content = path.read_bytes()
    path.write_bytes(content[: VideoReader(content).gops[-1].end - 3])


def test_a_file_becomes_a_folder_beside_it(folder: Path, models: Path, decoded: list[Frame]) -> None:
    out, error = decode("x.edicv", models=models, cwd=folder)
    assert same(pictures(folder / "x"), decoded, list(range(FRAMES)))
    progress, said = out.strip().splitlines()
    assert progress.startswith("decode, ") and ": 7/7 frames, about 0 s left" in progress and not error
    assert said.startswith("x: 7 frames, ") and said.endswith(" frames per second")


@pytest.mark.parametrize(("name", "most"), [("new/y.y4m", 2), ("y.mkv", 0)])
def test_other_clips_by_their_names(name: str, most: int, folder: Path, models: Path, decoded: list[Frame]) -> None:
    if most == 0:
        pytest.importorskip("av", reason="needs PyAV: pip install 'law-rl[video]'")
    decode("x.edicv", name, models=models, cwd=folder)
    clip = open_clip(folder / name)
    assert clip.rate == 25 and np.abs(np.stack(list(clip)).astype(int) - decoded).max() <= most


def test_only_the_gops_that_are_needed_are_decoded(
    folder: Path, models: Path, decoded: list[Frame], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    decode_gop: Callable[..., list[Frame]] = VideoCodec.decode_gop

    def counted(self: VideoCodec, reader: VideoReader, number: int) -> list[Frame]:
        asked.append(number)
        return decode_gop(self, reader, number)

    monkeypatch.setattr(VideoCodec, "decode_gop", counted)
    damage(folder / "x.edicv", 0, 3)
    decode("x.edicv", "y", "--frames", "3:6", models=models, cwd=folder)
    assert same(pictures(folder / "y"), decoded, [3, 4, 5]) and asked == [1, 2]


def test_models_that_ship_are_found_by_the_file(folder: Path, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    error = complaint("codec", "decode-video", "x.edicv", cwd=folder)
    assert error.startswith("law-rl: x.edicv: no video model that ships has the hash")
    ship(folder / "shipped", models, monkeypatch)
    law_rl("codec", "decode-video", "x.edicv", cwd=folder)
    assert len(pictures(folder / "x")) == FRAMES
    assert info(folder)["model_file"] == str(folder / "shipped/video.safetensors")


def ship(folder: Path, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tiny models as if they came with law-rl, that of videos in `folder`."""
    monkeypatch.setattr("law_rl.compression.video.model_file.model_of_hash", lambda model: models / INTRA)
    folder.mkdir()
    (folder / "video.safetensors").write_bytes((models / MODEL).read_bytes())
    monkeypatch.setattr("law_rl.compression.video.shipped.video_model_of_hash.__defaults__", (folder,))


def test_damaged_gops_are_left_out_of_a_folder_and_named(folder: Path, models: Path, decoded: list[Frame]) -> None:
    damage(folder / "x.edicv", 1, 3)
    out, error = decode("x.edicv", models=models, cwd=folder, status=2)
    assert same(pictures(folder / "x"), decoded, [0, 1, 4, 5]) and "x: 4 frames, " in out
    assert error.splitlines() == [
        "law-rl: frames 2 to 3 are lost with their GOP: its bytes are damaged: copy the file again",
        "law-rl: frame 6 is lost with its GOP: its bytes are damaged: copy the file again",
        "law-rl: x.edicv: 3 of 7 frames are lost, see above; the others are written to x",
    ]


def test_other_clips_repeat_the_frame_before(folder: Path, models: Path, decoded: list[Frame]) -> None:
    damage(folder / "x.edicv", 0, 2)
    _, error = decode("x.edicv", "y.y4m", models=models, cwd=folder, status=2)
    assert "frames 0 to 1 are lost" in error and "frames 4 to 5 are lost" in error
    expected = np.stack([decoded[number] for number in (2, 2, 2, 3, 3, 3, 6)])
    assert np.abs(np.stack(list(open_clip(folder / "y.y4m"))).astype(int) - expected).max() <= 2


def test_only_lost_frames_that_are_asked_for_are_named(folder: Path, models: Path, decoded: list[Frame]) -> None:
    damage(folder / "x.edicv", 1, 3)
    _, error = decode("x.edicv", "y", "--frames", "3:6", models=models, cwd=folder, status=2)
    assert same(pictures(folder / "y"), decoded, [4, 5])
    assert error.startswith("law-rl: frame 3 is lost with its GOP: ") and "1 of 3 frames are lost" in error


def test_a_gop_that_cannot_be_found_is_lost_too(folder: Path, models: Path, decoded: list[Frame]) -> None:
    damage_head(folder / "x.edicv", 1)
    _, error = decode("x.edicv", models=models, cwd=folder, status=2)
    assert same(pictures(folder / "x"), decoded, [0, 1, 4, 5, 6])
    assert "law-rl: frames 2 to 3 are lost with their GOP: its head is damaged" in error
    assert "2 of 7 frames are lost, see above; its end is missing or damaged, so that it may have had more" in error


def test_pixels_that_come_out_otherwise_are_lost(
    folder: Path, models: Path, decoded: list[Frame], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("law_rl.compression.video.video_codec.crc_of_pixels", lambda pixels: 0)
    _, error = decode("x.edicv", models=models, cwd=folder, status=2)
    assert "law-rl: frames 0 to 1 are lost with their GOP: frame 0 comes out otherwise than it was encoded" in error
    assert error.endswith("law-rl: x.edicv: no frame can be decoded, see above; nothing is written\n")
    assert list(folder.iterdir()) == [folder / "x.edicv"]


def test_a_file_that_is_cut_off_says_so(folder: Path, models: Path, decoded: list[Frame]) -> None:
    cut_off(folder / "x.edicv")
    _, error = decode("x.edicv", models=models, cwd=folder, status=2)
    assert "so that it may have had more frames; the others are written to x" in error
    assert set(pictures(folder / "x")) == set(range(6))
    assert same(pictures(folder / "x"), decoded, list(range(6)))
    decode("x.edicv", "y", "--frames", "2:6", models=models, cwd=folder)
    assert same(pictures(folder / "y"), decoded, [2, 3, 4, 5])


def test_a_file_without_frames_is_refused(folder: Path, models: Path) -> None:
    with open_video(folder / "x.edicv") as reader:
        begin = reader.gops[0].offset
    (folder / "x.edicv").write_bytes((folder / "x.edicv").read_bytes()[:begin])
    assert "x.edicv: no frame of it is left: copy the file again" in refused("x.edicv", models=models, cwd=folder)
    assert info(folder, status=2)["frames"] == 0


def test_what_cannot_be_decoded_is_said_in_a_sentence(folder: Path, models: Path) -> None:
    (folder / "old").mkdir()
    (folder / "old/notes.txt").touch()
    (folder / "old.y4m").touch()
    (folder / "other.edicv").write_bytes(b"something else")
    for arguments, words in {
        ("x.edicv", "x.mp4"): "x.mp4 is no name for a clip: end it in .mkv or .y4m, or in nothing",
        ("none.edicv",): "There is no none.edicv: check its name",
        ("x.edicv", "old"): "old exists: give --overwrite to write over it, or another name",
        ("x.edicv", "old.y4m"): "old.y4m exists: give --overwrite",
        ("x.edicv", "old", "--overwrite"): "old is or holds something else than a clip's frames",
        ("x.edicv", "x.edicv"): "x.edicv would be written over itself",
        ("other.edicv",): "other.edicv: ",
        ("x.edicv", "--frames", "3:9"): "--frames is '3:9', there are 7 frames: give some of 0:7",
        ("x.edicv", "--max-pixels", "1900"): "the video is 48 x 40, allowed are 1900 pixels a frame",
    }.items():
        assert words in refused(*arguments, models=models, cwd=folder)
    assert not (folder / "x").exists() and (folder / "old.y4m").read_bytes() == b""


def test_clips_that_exist_are_written_over_where_it_is_asked(folder: Path, models: Path, decoded: list[Frame]) -> None:
    (folder / "x").mkdir()
    decode("x.edicv", models=models, cwd=folder)
    decode("x.edicv", "--overwrite", "--frames", "1:2", models=models, cwd=folder)
    assert same(pictures(folder / "x"), decoded, [1])


def write_other_model(path: Path) -> str:
    network = build_video(CONFIG, 1, lambda_=1024.0)
    VideoModel.export(network, lambda_=1024, quality=2, intra=intra_model().hash).save(path)
    return str(path)


def test_the_wrong_model_is_refused(folder: Path, models: Path) -> None:
    other = write_other_model(folder / "other.safetensors")
    video, intra = str(models / MODEL), str(models / INTRA)
    for arguments, words in {
        ("--model", other, "--intra", intra): f"x.edicv: the video was made with model {video_model().hash.hex()}",
        ("--model", video): f"x.edicv: no codec model that ships has the hash {intra_model().hash.hex()}",
        ("--model", intra): "intra.safetensors is a file of another kind: give a video model",
        ("--model", "none.safetensors"): "there is no video model none.safetensors",
    }.items():
        assert words in complaint("codec", "decode-video", "x.edicv", *arguments, cwd=folder)
    facts = info(folder, "--model", other, status=2)
    assert facts["whole"] and facts["problem"].startswith("it was made with model") and other in facts["problem"]
    assert not (folder / "x").exists()


def test_matroska_needs_pyav(folder: Path, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("law_rl.compression.video.pyav.find_spec", lambda name: None)
    error = refused("x.edicv", "y.mkv", models=models, cwd=folder)
    assert error == "law-rl: writing .mkv needs PyAV: pip install 'law-rl[video]'\n"
    assert list(folder.iterdir()) == [folder / "x.edicv"]


def info(cwd: Path, *arguments: str, status: int = 0) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(
        law_rl("codec", "info", "x.edicv", "--json", *arguments, cwd=cwd, status=status)[0]
    )
    return facts


def test_info_says_what_a_file_holds(folder: Path, models: Path, content: bytes) -> None:
    facts = info(folder, "--model", str(models / MODEL))
    pixels, model = FRAMES * HEIGHT * WIDTH, str(models / MODEL)
    assert facts == {
        "file": "x.edicv",
        "bytes": len(content),
        "width": WIDTH,
        "height": HEIGHT,
        "rate": "25",
        "frames": FRAMES,
        "gops": 4,
        "gop": GOP,
        "bits_per_pixel": pytest.approx(8 * len(content) / pixels),
        "kilobits_per_second": pytest.approx(8 * len(content) / FRAMES * 25 / 1000),
        "quality": 2,
        "model": video_model().hash.hex(),
        "model_file": model,
        "whole": True,
        "lost": [],
        "cut_off": False,
        "problem": None,
    }
    text, _ = law_rl("codec", "info", "x.edicv", cwd=folder)
    assert text.splitlines() == [
        f"x.edicv: {len(content):,} bytes",
        "video: 48 x 40, 7 frames, 25 frames per second",
        "GOPs: 4 of at most 2 frames",
        f"model: quality 2, hash {video_model().hash.hex()}, not found here",
        f"rate: {facts['bits_per_pixel']:.4f} bits per pixel, {facts['kilobits_per_second']:.1f} kbit/s",
        "checks: all frames are as they were written",
    ]


def test_videos_are_known_by_their_first_bytes(folder: Path) -> None:
    (folder / "x.edicv").rename(folder / "x.bin")
    assert "7 frames" in law_rl("codec", "info", "x.bin", cwd=folder)[0]


def test_info_names_the_frames_that_are_lost(folder: Path) -> None:
    damage(folder / "x.edicv", 1, 3)
    facts = info(folder, status=2)
    assert (facts["lost"], facts["whole"], facts["cut_off"]) == ([[2, 4], [6, 7]], False, False)
    assert facts["bits_per_pixel"] is None and facts["frames"] == FRAMES
    text, error = law_rl("codec", "info", "x.edicv", cwd=folder, status=2)
    assert text.endswith("checks: damaged\n")
    assert error == "law-rl: x.edicv: frames 2 to 3, frame 6 of 7 frames are lost: copy the file again\n"


def test_info_of_a_file_without_its_end(folder: Path) -> None:
    cut_off(folder / "x.edicv")
    facts = info(folder, status=2)
    assert facts["cut_off"] and facts["width"] == WIDTH and not facts["whole"]
    assert "its end is missing or damaged, so that it may have had more frames: copy" in facts["problem"]
    (folder / "x.edicv").write_bytes(b"something else")
    facts = info(folder, status=2)
    assert facts["width"] is None and facts["problem"] and not facts["problem"].startswith("x.edicv")
    assert "There is no file none" in complaint("codec", "info", "none", cwd=folder)
