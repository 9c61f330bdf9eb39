"""The .edicv file: written in one pass, read in any order."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from law_rl.compression.video.container import (
    CodedFrame,
    Damage,
    DamagedVideo,
    VideoReader,
    VideoWriter,
    lost_frames,
    open_video,
)
from law_rl.compression.video.gop_search import MOST_FRAMES
from tests.law_rl.compression.video.videos import HEADER, file_of, gop, read_all

GOPS = [gop(0, 10), gop(1, 3), gop(2, 10), gop(3, 1)]
FILE = file_of(GOPS)


@st.composite
def gops(draw: st.DrawFn) -> list[CodedFrame]:
    crcs = draw(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=4))
    return [CodedFrame(content=draw(st.binary(max_size=200)), pixels_crc=crc) for crc in crcs]


@given(written=st.lists(gops(), min_size=1, max_size=5))
@settings(max_examples=80, deadline=None)
def test_a_video_comes_back(written: list[list[CodedFrame]]) -> None:
    reader = VideoReader(file_of(written))
    assert reader.header == HEADER
    assert [reader.read_gop(number) for number in reversed(range(len(written)))] == written[::-1]
    assert reader.frames == sum(map(len, written))
    assert reader.damage() == Damage(lost=(), cut_off=False)


def test_gops_are_listed_with_their_frames() -> None:
    reader = VideoReader(FILE)
    assert [entry.frames for entry in reader.gops] == [range(10), range(10, 13), range(13, 23), range(23, 24)]
    assert [reader.gop_of(frame) for frame in (0, 9, 10, 12, 13, 22, 23)] == [0, 0, 1, 1, 2, 2, 3]
    for frame in (-1, 24):
        with pytest.raises(DamagedVideo, match=f"no frame {frame} of 24"):
            reader.gop_of(frame)


def test_the_bytes_are_pinned() -> None:
    header = "4544495601033132333435363738e002a0020a19011ccc5b073f23a39e"
    first = "474f5000021016eaae4604ff12d941fe12d94102de366822de36e4dfbf41"
    second = "474f500201097bc56c0a04be23c258bf23c2585042d49c"
    index = header + "02100109257c72f72500000000000000454e44"
    assert file_of([gop(0, 2), gop(1, 1)]).hex() == header + first + second + index


@pytest.mark.parametrize(("size", "a_frame", "a_gop"), [(4, 5, 16), (200, 6, 18), (20_000, 7, 20)])
def test_what_the_file_costs_beside_its_range_coded_bytes(size: int, a_frame: int, a_gop: int) -> None:
    def overhead(gop_count: int, frames: int) -> int:
        gops = [gop(place, frames, size) for place in range(gop_count)]
        return len(file_of(gops)) - sum(len(frame.content) for frames in gops for frame in frames)

    assert overhead(5, 10) - overhead(5, 9) == 5 * a_frame
    assert overhead(6, 10) - overhead(5, 10) == 10 * a_frame + a_gop
    assert overhead(1, 1) - a_frame - a_gop == 73


class Pipe(io.RawIOBase):
    """Takes bytes and nothing else."""

    def __init__(self) -> None:
        self.taken = b""

    def write(self, content: bytes) -> int:  # type: ignore[override]
        self.taken += content
        return len(content)


def test_it_is_written_in_one_pass_and_whole_gops_can_be_read_at_once() -> None:
    pipe = Pipe()
    writer = VideoWriter(pipe, HEADER)  # type: ignore[arg-type]
    for count, frames in enumerate(GOPS, 1):
        writer.write_gop(frames)
        reader = VideoReader(pipe.taken)
        assert list(read_all(reader).values()) == GOPS[:count]
        assert reader.damage() == Damage(lost=(), cut_off=True)
    writer.close()
    assert pipe.taken == FILE


class Counted(bytes):
    """Bytes that count how many of them are looked at."""

    read = 0

    def __getitem__(self, part: slice) -> bytes:  # type: ignore[override]
        found = super().__getitem__(part)
        self.read += len(found)
        return found


def test_a_gop_is_read_without_the_others() -> None:
    content = Counted(file_of([gop(place, 10, size=4000) for place in range(10)]))
    reader = VideoReader(content)
    assert content.read < 200
    assert reader.read_gop(reader.gop_of(75)) == gop(7, 10, size=4000)
    assert content.read < len(content) / 9


def test_a_file_is_opened_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "clip.edicv"
    with pytest.raises(FileNotFoundError, match=r"no video .*clip\.edicv"), open_video(path):
        pass
    path.write_bytes(b"")
    with pytest.raises(DamagedVideo, match=r"clip\.edicv is empty"), open_video(path):
        pass
    path.write_bytes(FILE)
    with open_video(path) as reader:
        assert list(read_all(reader).values()) == GOPS
    with (
        pytest.raises(DamagedVideo, match=r"clip\.edicv: the video is 352 x 288, allowed are 1000 pixels"),
        open_video(path, max_pixels=1000),
    ):
        pass


def test_a_video_without_frames_is_refused() -> None:
    with pytest.raises(ValueError, match="has no frames"):
        VideoWriter(io.BytesIO(), HEADER).close()


def test_gops_that_the_header_does_not_allow_are_refused_and_leave_the_file_as_it_was() -> None:
    file = io.BytesIO()
    writer = VideoWriter(file, HEADER)
    with pytest.raises(ValueError, match="11 frames: give 1 to 10"):
        writer.write_gop(gop(0, 11))
    with pytest.raises(ValueError, match="0 frames: give 1 to 10"):
        writer.write_gop([])
    assert not file.getvalue()
    for frames in GOPS:
        writer.write_gop(frames)
    writer.close()
    assert file.getvalue() == FILE


def test_a_video_of_too_many_frames_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_FRAMES == 2**31
    monkeypatch.setattr("law_rl.compression.video.container.MOST_FRAMES", 12)
    writer = VideoWriter(io.BytesIO(), HEADER)
    writer.write_gop(gop(0, 10))
    writer.write_gop(gop(0, 2))
    with pytest.raises(ValueError, match="more than 12 frames"):
        writer.write_gop(gop(0, 1))


@pytest.mark.parametrize("content", [b"", b"END", b"\0" * 8 + b"END", b"EDIC" + FILE[4:60]])
def test_other_files_are_refused_by_name(content: bytes) -> None:
    with pytest.raises(DamagedVideo, match=r"no \.edicv video"):
        VideoReader(content)


def test_a_video_of_large_frames_is_refused_before_its_gops_are_read() -> None:
    large = replace(HEADER, width=100_000, height=100_000)
    with pytest.raises(DamagedVideo, match="100000 x 100000, allowed are 64000000 pixels"):
        VideoReader(file_of(GOPS, large))


def test_the_lost_frames_are_what_is_left_out() -> None:
    assert lost_frames([], 0) == ()
    assert lost_frames([], 7) == (range(7),)
    assert lost_frames([range(2, 4), range(4, 5), range(7, 9)], 9) == (range(2), range(5, 7))
