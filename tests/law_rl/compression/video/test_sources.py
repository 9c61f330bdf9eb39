"""Clips from folders, raw video and other files."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from law_rl.compression.pictures import write_picture
from law_rl.compression.video.sources import open_clip
from law_rl.compression.video.y4m import y4m_writer
from law_rl.counters import numpy_generator

FRAMES = numpy_generator(0, "test sources").integers(0, 256, (4, 6, 8, 3), dtype=np.uint8)


def folder_of(path: Path, names: list[str]) -> Path:
    for name, frame in zip(names, FRAMES, strict=False):
        write_picture(path / name, frame)
    return path


def test_pictures_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    clip = open_clip(folder_of(tmp_path / "a clip", ["f10.png", "f2.png", "F1.webp", "f02.png"]))
    assert (clip.name, clip.width, clip.height, clip.frames, clip.rate) == ("a clip", 8, 6, 4, None)
    expected = [FRAMES[2], FRAMES[3], FRAMES[1], FRAMES[0]]
    for _ in range(2):
        assert np.array_equal(np.stack(list(clip)), expected)
    assert np.array_equal(np.stack(list(clip.cut(1, 3))), expected[1:3])


def test_names_of_every_form_have_an_order(tmp_path: Path) -> None:
    names = ["1a.png", "a1.png", "a.png", "1.png"]
    clip = open_clip(folder_of(tmp_path / "x", names))
    assert np.array_equal(np.stack(list(clip)), [FRAMES[3], FRAMES[0], FRAMES[2], FRAMES[1]])


def test_only_pictures_count(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "x", ["0.png", "1.png"])
    (folder / "readme.txt").write_text("no picture")
    (folder / "._0.png").write_bytes(b"what a file system leaves")
    folder_of(folder / "inside", ["2.png"])
    Image.fromarray(FRAMES[0]).save(folder / "moving.gif", save_all=True, append_images=[Image.fromarray(FRAMES[1])])
    assert open_clip(folder).frames == 2


def test_grey_becomes_rgb(tmp_path: Path) -> None:
    write_picture(tmp_path / "x" / "0.png", FRAMES[0, ..., 0])
    write_picture(tmp_path / "x" / "1.png", FRAMES[1])
    first, second = open_clip(tmp_path / "x")
    assert np.array_equal(first, np.stack([FRAMES[0, ..., 0]] * 3, 2)) and np.array_equal(second, FRAMES[1])


def test_a_frame_of_another_size_is_named_where_it_is_reached(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "x", ["0.png", "1.png"])
    write_picture(folder / "2.png", FRAMES[2, :, :7])
    clip = open_clip(folder)
    assert len(list(clip.cut(0, 2))) == 2
    with pytest.raises(ValueError, match=r"2\.png is 7 x 6, 0\.png 8 x 6: give frames of one size"):
        list(clip)


def test_damaged_and_missing_pictures_are_named(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "x", ["0.png", "1.png", "2.png"])
    clip = open_clip(folder)
    (folder / "1.png").write_bytes((folder / "1.png").read_bytes()[:-30])
    with pytest.raises(ValueError, match=r"1\.png cannot be read"):
        list(clip)
    (folder / "1.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"no picture at .*1\.png"):
        list(clip)


def test_frames_are_read_one_by_one(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "x", ["0.png", "1.png"])
    (folder / "1.png").write_bytes(b"damaged")
    assert np.array_equal(next(iter(open_clip(folder))), FRAMES[0])


def test_folders_without_a_picture_and_places_without_a_clip(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no picture: give a folder of frames ending in"):
        open_clip(tmp_path)
    for name in ("x", "x.y4m", "x.mp4"):
        with pytest.raises(FileNotFoundError, match="There is no clip at"):
            open_clip(tmp_path / name)


def test_raw_video_is_known_by_its_ending(tmp_path: Path) -> None:
    with y4m_writer(tmp_path / "x.Y4M", 8, 6, None) as write:
        write(FRAMES[0])
    assert open_clip(tmp_path / "x.Y4M").frames == 1


def test_real_clips(shared_data: Path) -> None:
    folder = shared_data / "video" / "BasketballPass_416x240"
    if not folder.is_dir():
        pytest.skip(f"no clip at {folder}")
    clip = open_clip(folder)
    assert (clip.width, clip.height, clip.frames) == (416, 240, 64)
    (frame,) = clip.cut(63, 64)
    assert frame.shape == (240, 416, 3) and frame.dtype == np.uint8
