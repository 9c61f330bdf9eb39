"""Which files a batch reads and writes."""

from pathlib import Path

import pytest

from law_rl.commands.codec_files import EDIC, Existing, Job, jobs, sources

READS = {".png", ".jpg"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("a.png", "b.JPG", "in/c.png", "in/deep/d.png", "notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def found(*named: Path, out: Path | None = None, existing: Existing = "refuse") -> list[Job]:
    return jobs(named, reads=READS, writes=EDIC, targets={EDIC}, out=out, existing=existing)


def test_a_file_goes_beside_itself_or_where_it_is_said(root: Path) -> None:
    assert found(root / "a.png") == [Job(source=root / "a.png", target=root / "a.edic")]
    assert found(root / "a.png", root / "new/x.edic") == [Job(source=root / "a.png", target=root / "new/x.edic")]
    assert found(root / "a.png", out=root / "o") == [Job(source=root / "a.png", target=root / "o/a.edic")]


def test_a_folder_keeps_its_order(root: Path) -> None:
    inside = [job.target.relative_to(root / "o").as_posix() for job in found(root, out=root / "o")]
    assert inside == ["a.edic", "b.edic", "in/c.edic", "in/deep/d.edic"]


def test_patterns_are_searched(root: Path) -> None:
    assert [job.source.name for job in found(root / "**" / "*.png")] == ["a.png", "c.png", "d.png"]
    assert sources([root / "*", root / "a.png"], READS) == [root / "a.png", root / "b.JPG"]


def test_an_ending_need_not_be_usual_where_a_file_is_named(root: Path) -> None:
    assert found(root / "notes.txt")[0].target == root / "notes.edic"


@pytest.mark.parametrize(
    ("named", "words"),
    [
        (("missing.png",), "There is no file .*missing.png: check its name"),
        (("*.gif",), r"No \.jpg or \.png fits .*\*\.gif"),
        (("empty",), r"empty holds no \.jpg or \.png"),
    ],
)
def test_nothing_found_is_said(root: Path, named: tuple[str, ...], words: str) -> None:
    (root / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=words):
        found(*(root / each for each in named))


@pytest.mark.parametrize("named", [("a.png", "b.JPG", "x.edic"), ("in", "x.edic")])
def test_several_into_one_are_refused(root: Path, named: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"x\.edic is one file for one other: for several, give --out FOLDER"):
        found(*(root / each for each in named))


def test_existing_files_are_refused_before_anything_is_done(root: Path) -> None:
    (root / "a.edic").touch()
    (root / "in/c.edic").touch()
    with pytest.raises(ValueError, match=r"a\.edic exists and so does 1 more: give --overwrite"):
        found(root)
    assert len(found(root, existing="overwrite")) == 4
    assert [job.source.name for job in found(root, existing="skip")] == ["b.JPG", "d.png"]


def test_where_all_are_skipped_nothing_is_left(root: Path) -> None:
    (root / "a.edic").touch()
    assert found(root / "a.png", existing="skip") == []


def test_no_name_is_no_folder() -> None:
    for call in (found, lambda: sources([], READS)):
        with pytest.raises(ValueError, match="no file is named: give files, folders or patterns"):
            call()


def test_two_that_would_become_one_are_refused(root: Path) -> None:
    (root / "a.jpg").touch()
    with pytest.raises(ValueError, match=r"a\.jpg and .*a\.png would both become .*a\.edic: rename one"):
        found(root)


def test_a_file_is_never_written_over_itself(root: Path) -> None:
    (root / "x.edic").touch()
    with pytest.raises(ValueError, match=r"x\.edic would be written over itself"):
        found(root / "x.edic", existing="overwrite")
