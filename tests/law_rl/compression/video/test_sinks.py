"""Clips written whole or not at all."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from law_rl.compression.video.sinks import clip_writer
from law_rl.compression.video.sources import open_clip
from law_rl.counters import numpy_generator

FRAMES = numpy_generator(0, "test sinks").integers(0, 256, (3, 32, 48, 3), dtype=np.uint8)
NAMES = ["x", "x.y4m", "x.mkv"]


def write(path: Path, frames: np.ndarray = FRAMES, *, overwrite: bool = False) -> None:
    with clip_writer(path, 48, 32, Fraction(25), overwrite=overwrite) as writer:
        for frame in frames:
            writer.write(frame)


def needs(name: str) -> None:
    if name.endswith(".mkv"):
        pytest.importorskip("av", reason="needs PyAV: pip install 'law-rl[video]'")


@pytest.mark.parametrize("name", NAMES)
def test_what_is_written_is_read(tmp_path: Path, name: str) -> None:
    needs(name)
    write(tmp_path / "new" / name)
    clip = open_clip(tmp_path / "new" / name)
    assert (clip.width, clip.height) == (48, 32) and clip.rate == (None if name == "x" else 25)
    difference = np.abs(np.stack(list(clip)).astype(int) - FRAMES).max()
    assert difference <= 2 if name == "x.y4m" else difference == 0
    assert [path.name for path in (tmp_path / "new").iterdir()] == [name]


def test_folders_hold_numbered_pictures(tmp_path: Path) -> None:
    write(tmp_path / "x")
    assert sorted(path.name for path in (tmp_path / "x").iterdir()) == ["000000.png", "000001.png", "000002.png"]


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_left_of_a_clip_that_was_not_finished(tmp_path: Path, name: str) -> None:
    needs(name)
    with pytest.raises(KeyboardInterrupt), clip_writer(tmp_path / name, 48, 32, None) as writer:
        writer.write(FRAMES[0])
        assert not (tmp_path / name).exists()
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", NAMES[1:])
def test_an_older_file_stays_until_the_new_one_is_whole(tmp_path: Path, name: str) -> None:
    needs(name)
    write(tmp_path / name)
    before = (tmp_path / name).read_bytes()
    with pytest.raises(ValueError, match="the frame is"):
        write(tmp_path / name, FRAMES[:, :-1], overwrite=True)
    with pytest.raises(ValueError, match="exists: write over it, remove it or give another name"):
        write(tmp_path / name)
    assert (tmp_path / name).read_bytes() == before
    write(tmp_path / name, FRAMES[:1], overwrite=True)
    assert len(list(open_clip(tmp_path / name))) == 1


@pytest.mark.parametrize("name", NAMES)
def test_clips_without_frames_are_refused(tmp_path: Path, name: str) -> None:
    needs(name)
    with pytest.raises(ValueError, match="would hold no frame: write one at least"):
        write(tmp_path / name, FRAMES[:0])
    assert list(tmp_path.iterdir()) == []


def test_only_empty_folders_are_written_over_unasked(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    write(tmp_path / "x")
    with pytest.raises(ValueError, match="x exists: write over it, remove it or give another name"):
        write(tmp_path / "x")
    (tmp_path / "y").touch()
    with pytest.raises(ValueError, match="y exists"):
        write(tmp_path / "y")
    assert (tmp_path / "y").is_file() and open_clip(tmp_path / "x").frames == 3


def test_a_folder_of_frames_is_written_over_where_it_is_asked(tmp_path: Path) -> None:
    write(tmp_path / "x")
    with pytest.raises(ValueError, match="the frame is"):
        write(tmp_path / "x", FRAMES[:, :-1], overwrite=True)
    assert open_clip(tmp_path / "x").frames == 3
    write(tmp_path / "x", FRAMES[1:2], overwrite=True)
    assert np.array_equal(list(open_clip(tmp_path / "x")), FRAMES[1:2])


@pytest.mark.parametrize(("name", "other"), [("x", "x/notes.txt"), ("x", "x/000001.png/deep"), ("x", "x/holiday.png")])
def test_what_is_no_clip_is_never_written_over(tmp_path: Path, name: str, other: str) -> None:
    write(tmp_path / "x", FRAMES[:1])
    (tmp_path / other).parent.mkdir(exist_ok=True)
    (tmp_path / other).touch()
    with pytest.raises(ValueError, match="x is or holds something else than a clip's frames"):
        write(tmp_path / name, overwrite=True)
    assert (tmp_path / other).is_file() and (tmp_path / "x/000000.png").is_file()


def test_files_and_folders_do_not_take_each_others_place(tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    write(tmp_path / "x.y4m", FRAMES[:1])
    (tmp_path / "y.y4m").mkdir()
    for name in ("x", "y.y4m"):
        with pytest.raises(ValueError, match="is or holds something else"):
            write(tmp_path / name, overwrite=True)
    assert (tmp_path / "x").is_file() and (tmp_path / "y.y4m").is_dir()


def write_with_gaps(path: Path) -> None:
    """Frames 7 to 13, of which 7, 8, 10, 11 and 13 are missing."""
    with clip_writer(path, 48, 32, Fraction(25), first=7) as writer:
        for missing, frame in ((2, FRAMES[0]), (2, FRAMES[1])):
            writer.miss(missing)
            writer.write(frame)
        writer.miss(1)


def test_folders_leave_missing_frames_out_and_other_clips_repeat(tmp_path: Path) -> None:
    write_with_gaps(tmp_path / "x")
    assert sorted(path.name for path in (tmp_path / "x").iterdir()) == ["000009.png", "000012.png"]
    assert np.array_equal(list(open_clip(tmp_path / "x")), FRAMES[:2])
    write_with_gaps(tmp_path / "x.y4m")
    first, second = (list(open_clip(tmp_path / "x.y4m"))[place] for place in (0, -1))
    assert np.abs(first.astype(int) - FRAMES[0]).max() <= 2 and np.abs(second.astype(int) - FRAMES[1]).max() <= 2
    assert [np.array_equal(frame, first) for frame in open_clip(tmp_path / "x.y4m")] == [True] * 5 + [False] * 2


def test_a_clip_of_missing_frames_is_none(tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match="would hold no frame"),
        clip_writer(tmp_path / "x.y4m", 48, 32, None) as writer,
    ):
        writer.miss(3)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["x.mp4", "x.png", "x.edicv"])
def test_other_endings_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=r"is no name for a clip: end it in \.mkv or \.y4m"):
        write(tmp_path / name)


@pytest.mark.parametrize("frame", [FRAMES[0, :-1], FRAMES[0, ..., 0], FRAMES[0].astype(np.float32)])
@pytest.mark.parametrize("name", NAMES)
def test_other_frames_are_refused(tmp_path: Path, name: str, frame: np.ndarray) -> None:
    needs(name)
    with pytest.raises(ValueError, match=r"the frame is .*: give uint8 \(32, 48, 3\)"):
        write(tmp_path / name, frame[None])
    assert list(tmp_path.iterdir()) == []
