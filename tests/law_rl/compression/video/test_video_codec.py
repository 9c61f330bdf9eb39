"""Decoded frames are the encoder's references, everywhere; damage costs a GOP; clips come in any size and length."""

import io
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from law_rl.compression.image_metrics import psnr
from law_rl.compression.video.container import CodedFrame, DamagedVideo, VideoReader, VideoWriter
from law_rl.compression.video.video_codec import VideoCodec, load_video_codec
from tests.law_rl.compression.bitstream.models import SETTINGS, torch_setting
from tests.law_rl.compression.video.tiny import intra_model, moving, video_model


@pytest.fixture(scope="module")
def codec() -> VideoCodec:
    return VideoCodec(video_model(), intra_model())


def encoded(codec: VideoCodec, frames: list[NDArray[np.uint8]], gop: int = 3) -> bytes:
    file = io.BytesIO()
    assert codec.encode(frames, file, gop=gop, rate=Fraction(25)) == len(frames)
    return file.getvalue()


@pytest.fixture(scope="module")
def content(codec: VideoCodec) -> bytes:
    return encoded(codec, moving(8))


def decoded(codec: VideoCodec, content: bytes) -> list[NDArray[np.uint8]]:
    return [frame for _, frame in codec.decode(VideoReader(content))]


def test_decoded_frames_are_the_references_of_the_encoder(codec: VideoCodec, monkeypatch: pytest.MonkeyPatch) -> None:
    references: list[torch.Tensor] = []
    encode = codec._predicted.encode

    def spy(frame: torch.Tensor, reference: torch.Tensor) -> tuple[bytes, torch.Tensor]:
        content, result = encode(frame, reference)
        references.extend((reference, result))
        return content, result

    monkeypatch.setattr(codec._predicted, "encode", spy)
    content = encoded(codec, moving(5), gop=5)
    frames = decoded(codec, content)
    kept = [reference[0, :, :70, :90].permute(1, 2, 0).numpy() for reference in references]
    for number in range(4):
        assert np.array_equal(frames[number], kept[2 * number])
        assert np.array_equal(frames[number + 1], kept[2 * number + 1])


def test_a_video_looks_like_its_frames(codec: VideoCodec, content: bytes) -> None:
    reader = VideoReader(content)
    assert (reader.header.width, reader.header.height, reader.header.rate) == (90, 70, Fraction(25))
    assert [entry.count for entry in reader.gops] == [3, 3, 2]
    frames = decoded(codec, content)
    assert len(frames) == 8
    for frame, original in zip(frames, moving(8), strict=True):
        assert frame.shape == (70, 90, 3) and psnr(original, frame) > 13


@pytest.mark.parametrize(("threads", "onednn"), SETTINGS)
def test_every_number_of_threads_gives_the_same_pixels(
    codec: VideoCodec, content: bytes, threads: int, onednn: bool
) -> None:
    whole = decoded(codec, content)
    with torch_setting(threads, onednn=onednn):
        again = decoded(codec, content)
        own = decoded(codec, encoded(codec, moving(8)))  # what is encoded here can be decoded there
    assert all(np.array_equal(a, b) for a, b in zip(whole, again, strict=True))
    assert len(own) == 8


def test_another_process_decodes_the_same_pixels(codec: VideoCodec, content: bytes, tmp_path: Path) -> None:
    video_model().save(tmp_path / "video.safetensors")
    intra_model().save(tmp_path / "intra.safetensors")
    (tmp_path / "clip.edicv").write_bytes(content)
    script = (
        "import sys, torch, numpy as np; from pathlib import Path; torch.set_num_threads(2)\n"
        "from law_rl.compression.video.video_codec import load_video_codec\n"
        "from law_rl.compression.video.container import open_video\n"
        "at = Path(sys.argv[1]); codec = load_video_codec(at / 'video.safetensors', intra=at / 'intra.safetensors')\n"
        "with open_video(at / 'clip.edicv') as reader: frames = [f for _, f in codec.decode(reader)]\n"
        "np.save(at / 'frames.npy', np.stack(frames))\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True)
    assert np.array_equal(np.load(tmp_path / "frames.npy"), np.stack(decoded(codec, content)))


def test_frames_are_reached_without_the_gops_before(
    codec: VideoCodec, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, read = decoded(codec, content), []
    reader = VideoReader(content)
    monkeypatch.setattr(reader, "read_gop", lambda number: read.append(number) or VideoReader.read_gop(reader, number))
    part = dict(codec.decode(reader, range(4, 7)))
    assert list(part) == [4, 5, 6] and read == [1, 2]
    assert all(np.array_equal(part[number], whole[number]) for number in part)


def test_a_damaged_gop_is_lost_alone(codec: VideoCodec, content: bytes) -> None:
    whole, reader = decoded(codec, content), VideoReader(content)
    damaged = bytearray(content)
    damaged[reader.gops[1].end - 10] ^= 1
    lost: list[range] = []
    found = dict(codec.decode(VideoReader(bytes(damaged)), lost=lambda frames, error: lost.append(frames)))
    assert lost == [range(3, 6)] and sorted(found) == [0, 1, 2, 6, 7]
    assert all(np.array_equal(found[number], whole[number]) for number in found)
    with pytest.raises(DamagedVideo, match="GOP 1"):
        list(codec.decode(VideoReader(bytes(damaged))))


def rewritten(content: bytes, number: int, change: CodedFrame, place: int) -> bytes:
    """The file with one frame replaced and all checksums of bytes made right."""
    reader, file = VideoReader(content), io.BytesIO()
    writer = VideoWriter(file, reader.header)
    for at in range(len(reader.gops)):
        frames = reader.read_gop(at)
        if at == number:
            frames[place] = change
        writer.write_gop(frames)
    writer.close()
    return file.getvalue()


@pytest.mark.parametrize("place", [0, 1])
def test_wrong_bytes_with_right_checksums_are_noticed(codec: VideoCodec, content: bytes, place: int) -> None:
    coded = VideoReader(content).read_gop(1)[place]
    whole = decoded(codec, content)
    for changed in (b"", coded.content[:-8], coded.content[4:], b"\xff" * 64):
        file = rewritten(content, 1, CodedFrame(content=changed, pixels_crc=coded.pixels_crc), place)
        lost: list[range] = []
        found = dict(codec.decode(VideoReader(file), lost=lambda frames, error: lost.append(frames)))  # noqa: B023
        assert all(np.array_equal(found[number], whole[number]) for number in found)
        assert {0, 1, 2, 6, 7} <= set(found)
        assert lost == ([] if 3 in found else [range(3, 6)])
    assert lost == [range(3, 6)]


def test_pixels_that_are_not_the_encoders_are_noticed(codec: VideoCodec, content: bytes) -> None:
    coded = VideoReader(content).read_gop(0)[2]
    file = rewritten(content, 0, CodedFrame(content=coded.content, pixels_crc=coded.pixels_crc ^ 1), 2)
    with pytest.raises(DamagedVideo, match="frame 2 comes out otherwise"):
        list(codec.decode(VideoReader(file)))


@pytest.mark.parametrize("size", [(1, 1), (64, 64), (65, 3)])
def test_every_size_of_frame(codec: VideoCodec, size: tuple[int, int]) -> None:
    frames = moving(2, *size)
    assert [frame.shape for frame in decoded(codec, encoded(codec, frames))] == [(*size, 3)] * 2


def test_frames_are_taken_one_by_one_and_told(codec: VideoCodec) -> None:
    told: list[int] = []

    def lazily() -> Iterator[NDArray[np.uint8]]:
        for number, frame in enumerate(moving(4, 64, 64)):
            assert told == list(range(1, number + 1))
            yield frame

    codec.encode(lazily(), io.BytesIO(), gop=2, show=told.append)
    assert told == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("frames", "says"),
    [
        ([], "no frames"),
        ([np.zeros((8, 8), np.uint8)], r"uint8 \(8, 8\)"),
        ([np.zeros((8, 8, 3), np.float32)], "float32"),
        ([np.zeros((8, 8, 3), np.uint8), np.zeros((9, 8, 3), np.uint8)], "frames of one size"),
    ],
)
def test_frames_that_are_none_are_refused(codec: VideoCodec, frames: list[NDArray[np.uint8]], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        codec.encode(frames, io.BytesIO())


def test_other_models_are_refused(codec: VideoCodec, content: bytes, tmp_path: Path) -> None:
    other = VideoCodec(video_model(), intra_model())
    other._hash = b"12345678"
    with pytest.raises(DamagedVideo, match="use that model"):
        list(other.decode(VideoReader(content)))
    from dataclasses import replace

    with pytest.raises(ValueError, match="goes with"):
        VideoCodec(replace(video_model(), intra=b"12345678"), intra_model())
    with pytest.raises(FileNotFoundError, match="no video model"):
        load_video_codec(tmp_path / "none.safetensors")
