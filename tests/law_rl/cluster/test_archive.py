"""A run directory through a log and back, whole or not at all."""

import base64
import hashlib
import io
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from law_rl.cluster import archive
from law_rl.cluster.archive import pack, unpack

LIMIT = 2**20


@pytest.fixture
def run(tmp_path: Path) -> Path:
    directory = tmp_path / "run"
    (directory / "checkpoints" / "deep").mkdir(parents=True)
    (directory / "config.json").write_text("{}")
    (directory / "checkpoints" / "deep" / "weights").write_bytes(bytes(range(256)) * 100)
    (directory / ".half.tmp").write_text("not yet whole")
    return directory


def log(text: str) -> str:
    return f"Running entrypoint: python -c 'run archive ... end of archive'\na warning\n{text}more\n"


def contents(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_a_directory_comes_back(run: Path, tmp_path: Path) -> None:
    files = unpack(log(pack(run, LIMIT)), tmp_path / "back", LIMIT)
    assert contents(tmp_path / "back") == {
        name: content for name, content in contents(run).items() if name != ".half.tmp"
    }
    assert len(files) == 2


def test_the_source_runs_by_itself(run: Path, tmp_path: Path) -> None:
    source = Path(archive.__file__).read_text()

    def packed(directory: Path, limit: int) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-I", "-c", source, str(directory), str(limit)]
        return subprocess.run(command, capture_output=True, text=True)

    assert packed(run, LIMIT).stdout == pack(run, LIMIT)
    missing = packed(tmp_path / "missing", LIMIT)
    assert (missing.returncode, missing.stdout) == (1, "")
    assert missing.stderr.startswith("there is no ")
    assert "--limit" in packed(run, 1000).stderr


def test_a_damaged_archive_is_refused(run: Path, tmp_path: Path) -> None:
    text = pack(run, LIMIT)
    line = text.splitlines()[1]
    for broken in ("", text.replace("end of archive", ""), text.replace(line, line[:40] + "AAAA" + line[44:])):
        with pytest.raises(ValueError, match="did not come through whole"):
            unpack(log(broken), tmp_path / "back", LIMIT)
    assert list(tmp_path.iterdir()) == [run]


def forged(entry: tarfile.TarInfo, content: bytes) -> str:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    whole = buffer.getvalue()
    return f"run archive {hashlib.sha256(whole).hexdigest()}\n{base64.b64encode(whole).decode()}\nend of archive\n"


@pytest.mark.parametrize("name", ["../outside", "a/../../outside"])
def test_nothing_is_written_outside(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="cannot be unpacked"):
        unpack(forged(tarfile.TarInfo(name), b"x"), tmp_path / "back", LIMIT)
    assert list(tmp_path.iterdir()) == []


def test_too_much_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"larger than 1 MiB.*--limit"):
        unpack(forged(tarfile.TarInfo("zeros"), bytes(LIMIT + 1)), tmp_path / "back", LIMIT)
    assert list(tmp_path.iterdir()) == []
