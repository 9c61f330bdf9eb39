"""What of a project goes to a cluster, in a git checkout and without one."""

import subprocess
import zipfile
from pathlib import Path

import pytest

import law_rl
from law_rl.shipping import check_size, choose_files, write_package

PROJECT = {
    "experiments/__init__.py": "",
    "experiments/mine.py": "experiment = 1\n",
    "helpers/deep/tools.py": "tool = 1\n",
    "law_rl/__init__.py": "",
    "notes.log": "ignored by git alone\n",
    "runs/mine/result.json": "{}",
    "data/big.bin": "0" * 1000,
    "helpers/data/table.csv": "1,2\n",
}
NOWHERE = {
    ".venv/lib/a.py": "",
    "env/pyvenv.cfg": "",
    "env/lib/b.py": "",
    "helpers/__pycache__/c.pyc": "",
    ".cache/d": "",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    for name, text in (PROJECT | NOWHERE).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "elsewhere").symlink_to(tmp_path)
    (root / "linked.py").symlink_to(root / "experiments" / "mine.py")
    return root


GOES = {name for name in PROJECT if not name.startswith(("runs/", "data/"))} | {"linked.py"}


def git(root: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True)


def test_without_git_all_goes_but_runs_data_and_environments(project: Path) -> None:
    assert set(choose_files(project)) == GOES


def test_in_a_checkout_git_says_what_goes(project: Path) -> None:
    git(project, "init")
    (project / ".gitignore").write_text("*.log\n.venv/\nenv/\n__pycache__/\n/.cache/\n")
    git(project, "add", "experiments/mine.py", "helpers")
    (project / "helpers" / "deep" / "tools.py").unlink()  # git still lists it
    assert set(choose_files(project)) == GOES - {"notes.log", "helpers/deep/tools.py"} | {".gitignore"}


def test_a_checkout_within_the_checkout_goes_along(project: Path) -> None:
    git(project, "init")
    git(project / "helpers", "init")
    assert "helpers/deep/tools.py" in choose_files(project)


def test_a_project_that_git_ignores_goes_as_without_git(project: Path) -> None:
    git(project.parent, "init")
    (project.parent / ".gitignore").write_text("project/\n")
    assert set(choose_files(project)) == GOES


def test_law_rl_goes_along_where_the_project_lacks_it(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site-packages" / "law_rl"
    for name in ("__init__.py", "data/cifar.py", "template.py", "template/envs/mine.py", "__pycache__/cli.pyc"):
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).touch()
    monkeypatch.setattr(law_rl, "__file__", str(package / "__init__.py"))
    (project / "law_rl" / "__init__.py").unlink()
    installed = {"law_rl/__init__.py", "law_rl/data/cifar.py", "law_rl/template.py"}
    files = choose_files(project)
    assert set(files) == GOES | installed
    assert {files[name].is_relative_to(package) for name in installed} == {True}


def test_too_much_is_refused_with_the_largest_named(project: Path) -> None:
    (project / "helpers" / "deep" / "weights.bin").write_bytes(bytes(3 * 2**20))
    (project / "video.bin").write_bytes(bytes(2**20))
    files = choose_files(project)
    check_size(files, 5 * 2**20)
    with pytest.raises(
        ValueError, match=r"holds 4\.0 MiB.*\(helpers/deep/ 3\.0 MiB, video\.bin 1\.0 MiB.*--limit"
    ) as error:
        check_size(files, 2 * 2**20)
    assert str(error.value).count(" MiB") == 2 + 5


def test_the_package_holds_the_files_and_depends_on_nothing_else(project: Path, tmp_path: Path) -> None:
    files = choose_files(project)
    write_package(files, tmp_path / "one.zip")
    (project / "experiments" / "mine.py").touch()
    write_package(dict(reversed(files.items())), tmp_path / "two.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        assert {name: archive.read(name).decode() for name in archive.namelist()} == {
            name: path.read_text() for name, path in files.items()
        }
