"""Video files through PyAV: pixels, colours, turns, and what is refused."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from law_rl.compression.image_metrics import psnr
from law_rl.compression.video import pyav
from law_rl.compression.video.clip import Clip
from law_rl.compression.video.colour import BT601, BT709, FULL, LIMITED, to_rgb
from law_rl.compression.video.pyav import check_pyav, lossless_writer, open_video
from law_rl.compression.video.sources import open_clip
from law_rl.counters import numpy_generator

av = pytest.importorskip("av", reason="needs PyAV: pip install 'law-rl[video]'")
NOISE = numpy_generator(0, "test pyav").integers(0, 256, (12, 48, 64, 3), dtype=np.uint8)
RAMP = np.add.outer(np.linspace(0, 60, 48), np.linspace(0, 60, 64))[..., None] + np.array([0.0, 8, 15])
SMOOTH = [(RAMP + 8 * index).astype(np.uint8) for index in range(12)]


def video(path: Path, frames: Any, codec: str, pixels: str, **options: str) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=Fraction(30000, 1001), options=options)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = pixels
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def flat(path: Path, height: int, codes: tuple[int, int, int], **colours: int) -> Clip:
    """A lossless clip of one colour, given by its codes."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 16, height, "yuv444p"
        planes = np.stack([np.full((height, 16), code, np.uint8) for code in codes])
        frame = av.VideoFrame.from_ndarray(planes, format="yuv444p")
        for name, value in colours.items():
            setattr(frame, name, value)
            setattr(stream.codec_context, name, value)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return open_video(path)


def test_lossless_files_keep_every_pixel(tmp_path: Path) -> None:
    with lossless_writer(tmp_path / "x.mkv", 64, 48, Fraction(24)) as write:
        for frame in NOISE:
            write(frame)
    clip = open_clip(tmp_path / "x.mkv")
    assert (clip.name, clip.width, clip.height, clip.rate) == ("x.mkv", 64, 48, 24)
    for _ in range(2):
        assert np.array_equal(np.stack(list(clip)), NOISE)
    assert np.array_equal(np.stack(list(clip.cut(3, 5))), NOISE[3:5])


@pytest.mark.parametrize("ending", ["mp4", "mkv", "avi", "mov", "webm"])
def test_containers_hold_the_frames_in_order(tmp_path: Path, ending: str) -> None:
    codec = {"avi": "mpeg4", "webm": "libvpx-vp9"}.get(ending, "libx264")
    clip = open_clip(video(tmp_path / f"x.{ending}", SMOOTH, codec, "yuv420p"))
    assert clip.frames == (None if ending in ("mkv", "webm") else 12)
    assert clip.rate == pytest.approx(30000 / 1001, rel=1e-3)
    found = list(clip)
    assert len(found) == 12
    nearest = [int(np.argmin([np.abs(frame.astype(int) - other).mean() for other in SMOOTH])) for frame in found]
    assert nearest == list(range(12))
    assert min(psnr(*pair) for pair in zip(found, SMOOTH, strict=True)) > 35
    assert np.array_equal(np.stack(list(clip.cut(7, 9))), found[7:9])


@pytest.mark.parametrize(
    ("height", "colours", "matrix", "levels"),
    [
        (48, {}, BT601, LIMITED),
        (720, {}, BT709, LIMITED),
        (48, {"colorspace": 1}, BT709, LIMITED),
        (720, {"colorspace": 6}, BT601, LIMITED),
        (48, {"colorspace": 5, "color_range": 2}, BT601, FULL),
    ],
)
def test_colours_are_what_the_file_says_or_else_what_players_take(
    tmp_path: Path, height: int, colours: dict[str, int], matrix: Any, levels: Any
) -> None:
    codes = (100, 90, 180)
    (frame,) = flat(tmp_path / "x.mkv", height, codes, **colours)
    planes = (np.full((height, 16), code, np.uint8) for code in codes)
    assert np.abs(frame.astype(int) - to_rgb(*planes, matrix, levels)).max() <= 1


@pytest.mark.parametrize(("angle", "turned"), [(b"\x00\x01\x00\x00", -1), (b"\xff\xff\x00\x00", 1)])
def test_frames_are_turned_as_the_file_says(tmp_path: Path, angle: bytes, turned: int) -> None:
    path = video(tmp_path / "x.mp4", SMOOTH[:2], "libx264", "yuv420p")
    upright = list(open_video(path))
    content = bytearray(path.read_bytes())
    matrix = content.index(b"tkhd") + 44
    other = b"\xff\xff\x00\x00" if angle == b"\x00\x01\x00\x00" else b"\x00\x01\x00\x00"
    content[matrix : matrix + 20] = bytes(4) + angle + bytes(4) + other + bytes(4)
    path.write_bytes(content)
    clip = open_video(path)
    assert (clip.width, clip.height) == (48, 64)
    assert np.array_equal(np.stack(list(clip)), [np.rot90(frame, turned) for frame in upright])


def test_frames_before_the_beginning_of_a_file_do_not_count(tmp_path: Path) -> None:
    """As phones write them where a clip was cut without encoding it again."""
    path = video(tmp_path / "x.mp4", SMOOTH, "libx264", "yuv420p", bf="0")
    whole = list(open_video(path))
    content = bytearray(path.read_bytes())
    start = content.index(b"elst") + 16
    ticks = int.from_bytes(content[content.index(b"mdhd") + 16 :][:4], "big")
    content[start : start + 4] = round(4 * ticks * 1001 / 30000).to_bytes(4, "big")
    path.write_bytes(content)
    clip = open_video(path)
    assert clip.frames == 8
    assert np.array_equal(np.stack(list(clip)), whole[4:])


@pytest.mark.parametrize(
    ("codec", "pixels", "options", "words"),
    [
        ("ffv1", "yuv420p10le", {}, "has 10 bits a channel: convert it to 8 bits first"),
        ("libx264", "yuv420p", {"flags": "+ildct", "x264-params": "tff=1"}, "is interlaced: deinterlace it first"),
    ],
)
def test_what_would_not_be_kept_is_refused(
    tmp_path: Path, codec: str, pixels: str, options: dict[str, str], words: str
) -> None:
    path = video(tmp_path / "x.mkv", SMOOTH[:2], codec, pixels, **options)
    with pytest.raises(ValueError, match=words) as caught:
        open_video(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("share", [0.05, 0.3, 0.6, 0.9])
def test_cut_files_are_named(tmp_path: Path, share: float) -> None:
    path = video(tmp_path / "x.mp4", list(NOISE), "libx264", "yuv420p", movflags="+faststart")
    path = video(tmp_path / "y.avi", list(NOISE), "mpeg4", "yuv420p")
    path.write_bytes(path.read_bytes()[: round(share * path.stat().st_size)])
    with pytest.raises(ValueError, match=r"y\.avi (ends before frame \d+ of 12|cannot be read|holds no|is damaged)"):
        list(open_video(path))


@pytest.mark.parametrize("frame", [1, 6, 10])
def test_damage_is_named_with_its_frame(tmp_path: Path, frame: int) -> None:
    """In places that FFmpeg conceals unless it is told not to."""
    large = [np.kron(picture[:24, :32], np.ones((8, 8, 1), np.uint8)) for picture in NOISE]
    path = video(tmp_path / "x.avi", large, "libx264", "yuv420p", g="1")
    with av.open(str(path)) as container:
        place, size = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size][frame]
    content, begin = bytearray(path.read_bytes()), place + 8 + size // 2
    content[begin : begin + size // 3] = bytes((37 * index + 11) % 256 for index in range(size // 3))
    path.write_bytes(content)
    words = rf"x\.avi is damaged at or after frame {frame} \(.*\): copy the file again"
    with pytest.raises(ValueError, match=words):
        list(open_video(path))


def test_an_end_before_that_of_the_cut_is_named(tmp_path: Path) -> None:
    clip = open_video(video(tmp_path / "x.mkv", SMOOTH, "libx264", "yuv420p"))
    assert clip.frames is None
    with pytest.raises(ValueError, match=r"x\.mkv ends before frame 12 of 20"):
        list(clip.cut(3, 20))


@pytest.mark.parametrize("content", [b"", b"no video " * 50, b"#EXTM3U\n#EXTINF:9,\nhttp://127.0.0.1:9/x.ts\n"])
def test_garbage_and_playlists_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.mp4"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"x\.mp4 cannot be read as a video"):
        open_video(path)


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "x.wav"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
    with pytest.raises(ValueError, match="holds no video"):
        open_video(tmp_path / "x.wav")


def test_a_missing_library_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pyav, "find_spec", lambda name: None)
    (tmp_path / "x.mp4").touch()
    with pytest.raises(ModuleNotFoundError, match=r"^reading x\.mp4 needs PyAV: pip install 'law-rl\[video\]'$"):
        open_clip(tmp_path / "x.mp4")
    with (
        pytest.raises(ModuleNotFoundError, match=r"writing \.mkv needs PyAV"),
        lossless_writer(tmp_path / "y", 2, 2, None),
    ):
        pass


def test_an_installed_library_is_enough() -> None:
    check_pyav("reading x.mp4")
