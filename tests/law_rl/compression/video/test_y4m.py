"""Raw video: which planes become which pixels, and what is refused."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from law_rl.compression.video.colour import BT601, FULL, LIMITED, Levels, to_rgb
from law_rl.compression.video.y4m import open_y4m, y4m_writer
from law_rl.counters import numpy_generator

WIDTH, HEIGHT = 5, 3
HALVES = {"420": (2, 2), "422": (1, 2), "444": (1, 1)}


def planes(down: int, across: int, frame: int = 0) -> list[np.ndarray]:
    generator = numpy_generator(frame, "test y4m")
    shapes = [(HEIGHT, WIDTH), *[(-(-HEIGHT // down), -(-WIDTH // across))] * 2]
    return [generator.integers(0, 256, shape, dtype=np.uint8) for shape in shapes]


def written(path: Path, head: str, frames: list[list[np.ndarray]], line: bytes = b"FRAME\n") -> Path:
    bodies = (line + b"".join(plane.tobytes() for plane in frame) for frame in frames)
    path.write_bytes(f"YUV4MPEG2 W{WIDTH} H{HEIGHT} {head}\n".encode() + b"".join(bodies))
    return path


def by_hand(frame: list[np.ndarray], down: int, across: int, levels: Levels) -> np.ndarray:
    """Pixel by pixel."""
    result = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    for row, column in np.ndindex(HEIGHT, WIDTH):
        places = [(row, column), *[(row // down, column // across)] * 2]
        y, b, r = (plane[place].reshape(1, 1) for plane, place in zip(frame, places, strict=True))
        result[row, column] = to_rgb(y, b, r, BT601, levels)[0, 0]
    return result


@pytest.mark.parametrize(
    ("colours", "kind"),
    [
        ("", "420"),
        *[(f"C420{site}", "420") for site in ("", "jpeg", "mpeg2", "paldv")],
        ("C422", "422"),
        ("C444", "444"),
    ],
)
@pytest.mark.parametrize("levels", [LIMITED, FULL])
def test_chroma_stands_for_the_pixels_under_it(tmp_path: Path, colours: str, kind: str, levels: Levels) -> None:
    shares = HALVES[kind]
    frames = [planes(*shares, frame) for frame in range(3)]
    head = f"F30000:1001 Ip A1:1 {colours}" + (" XCOLORRANGE=FULL" if levels is FULL else " XCOLORRANGE=LIMITED")
    clip = open_y4m(written(tmp_path / "x.y4m", head, frames))
    assert (clip.name, clip.width, clip.height, clip.frames) == ("x.y4m", WIDTH, HEIGHT, 3)
    assert clip.rate == Fraction(30000, 1001)
    for found, frame in zip(clip, frames, strict=True):
        assert np.array_equal(found, by_hand(frame, *shares, levels))
    assert np.array_equal(next(iter(clip.cut(1, 2))), by_hand(frames[1], *shares, levels))


def test_grey_has_no_chroma(tmp_path: Path) -> None:
    grey = [planes(1, 1)[:1]]
    (found,) = open_y4m(written(tmp_path / "x.y4m", "Cmono", grey))
    assert np.array_equal(found[..., 0], np.clip(np.rint((grey[0][0] - 16.0) * 255 / 219), 0, 255))
    assert np.array_equal(found[..., 0], found[..., 1]) and np.array_equal(found[..., 0], found[..., 2])


@pytest.mark.parametrize("rate", ["", "F0:0", "F25:0"])
def test_unknown_rates_are_none(tmp_path: Path, rate: str) -> None:
    assert open_y4m(written(tmp_path / "x.y4m", rate, [planes(2, 2)])).rate is None


def test_lines_before_frames_may_hold_more(tmp_path: Path) -> None:
    clip = open_y4m(written(tmp_path / "x.y4m", "", [planes(2, 2)] * 2, line=b"FRAME Ip XMORE\n"))
    assert clip.frames == len(list(clip)) == 2


@pytest.mark.parametrize(
    ("head", "words"),
    [
        ("C420p10", "holds 420p10: convert it to 8 bits"),
        ("C444alpha", "holds 444alpha"),
        ("C411", "holds 411"),
        ("Cmono16", "holds mono16"),
        ("It", r"is interlaced \(It\)"),
        ("Im", "is interlaced"),
        ("W0", "frames of 0 x 3"),
        ("H-2", "frames of 5 x -2"),
        ("Wx", "damaged first line"),
        ("F25", "damaged first line"),
    ],
)
def test_other_contents_are_refused(tmp_path: Path, head: str, words: str) -> None:
    path = written(tmp_path / "x.y4m", head, [planes(2, 2)])
    with pytest.raises(ValueError, match=words) as caught:
        open_y4m(path)
    assert str(path) in str(caught.value)


def test_every_cut_file_is_named_with_its_frame(tmp_path: Path) -> None:
    path = written(tmp_path / "x.y4m", "", [planes(2, 2)] * 2)
    content = path.read_bytes()
    head, body = content.index(b"\n") + 1, (len(content) - content.index(b"\n") - 1) // 2
    for length in range(len(content)):
        path.write_bytes(content[:length])
        if length == head + body:
            assert open_y4m(path).frames == 1
            continue
        words = "is no .y4m file" if length < head else "holds no frame" if length == head else "frame [01]"
        with pytest.raises(ValueError, match=words):
            open_y4m(path)


def test_garbage_between_frames_is_found(tmp_path: Path) -> None:
    path = written(tmp_path / "x.y4m", "", [planes(2, 2)] * 2)
    path.write_bytes(path.read_bytes() + b"GARBAGE\n")
    with pytest.raises(ValueError, match="is damaged before frame 2"):
        open_y4m(path)


def test_a_file_that_shrinks_while_it_is_read_is_reported(tmp_path: Path) -> None:
    path = written(tmp_path / "x.y4m", "", [planes(2, 2)] * 2)
    clip = open_y4m(path)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(ValueError, match="ends inside frame 1"):
        list(clip)


def test_missing_and_empty_files(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="There is no clip at"):
        open_y4m(tmp_path / "x.y4m")
    (tmp_path / "y.y4m").touch()
    with pytest.raises(ValueError, match=r"is no \.y4m file"):
        open_y4m(tmp_path / "y.y4m")


@pytest.mark.parametrize("rate", [Fraction(30000, 1001), None])
@pytest.mark.parametrize("height", [4, 720])
def test_what_is_written_is_read_up_to_roundings(tmp_path: Path, rate: Fraction | None, height: int) -> None:
    frames = numpy_generator(0, "test y4m writer").integers(0, 256, (2, height, 6, 3), dtype=np.uint8)
    with y4m_writer(tmp_path / "x.y4m", 6, height, rate) as write:
        for frame in frames:
            write(frame)
    clip = open_y4m(tmp_path / "x.y4m")
    assert (clip.width, clip.height, clip.frames, clip.rate) == (6, height, 2, rate)
    assert np.abs(np.stack(list(clip)).astype(int) - frames).max() <= 2


def test_other_readers_take_what_is_written(tmp_path: Path) -> None:
    av = pytest.importorskip("av", reason="needs PyAV: pip install 'law-rl[video]'")
    with y4m_writer(tmp_path / "x.y4m", 2, 2, Fraction(24)) as write:
        write(np.full((2, 2, 3), (255, 0, 0), np.uint8))
    with av.open(str(tmp_path / "x.y4m")) as container:
        frame = next(container.decode(video=0))
        assert frame.format.name == "yuv444p" and container.streams.video[0].average_rate == 24
        assert [bytes(plane)[0] for plane in frame.planes] == [81, 90, 240]
