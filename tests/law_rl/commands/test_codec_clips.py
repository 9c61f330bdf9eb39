"""Which clips are found."""

from pathlib import Path

import pytest

from law_rl.commands.codec_clips import clips_of
from law_rl.compression.pictures import write_picture
from tests.law_rl.compression.video.tiny import moving


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Clips of every kind in and under the folder `all`."""
    (frame,) = moving(1, 16, 16)
    for name in ("all/walk/0.png", "all/walk/inside/0.png", "all/more/run/0.webp", "all/.hidden/0.png"):
        write_picture(tmp_path / name, frame)
    for name in ("all/b.MP4", "all/more/c.y4m", "all/notes.txt", "all/.d.mp4", "all/walk/e.mkv"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def found(*named: str) -> list[str]:
    return [str(path) for path in clips_of([Path(name) for name in named])]


def test_a_folder_of_clips_is_all_that_is_in_it(place: Path) -> None:
    assert found("all") == ["all/b.MP4", "all/more/c.y4m", "all/more/run", "all/walk"]


def test_what_is_named_is_a_clip_once_and_in_its_order(place: Path) -> None:
    assert found("all/walk", "all/notes.txt", "all/walk", "all/more") == [
        "all/walk",
        "all/notes.txt",
        "all/more/c.y4m",
        "all/more/run",
    ]


@pytest.mark.parametrize(
    ("named", "error", "words"),
    [
        ((), ValueError, "no clip is named: give folders of pictures"),
        (("all", "gone"), FileNotFoundError, "There is no clip gone: check its name"),
        (("empty",), FileNotFoundError, r"empty holds no pictures and no \.avi or .* or \.y4m"),
    ],
)
def test_one_sentence_says_what_is_missing(
    place: Path, named: tuple[str, ...], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        found(*named)
