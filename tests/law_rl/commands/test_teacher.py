"""`law-rl teacher` end to end: trains, shows, goes on after a kill, imports, and refuses."""

import json
from pathlib import Path
from typing import Any, NoReturn

import pytest
import torch

from law_rl.classification.learner import ClassificationLearner
from law_rl.data.places import TEACHERS
from law_rl.distillation.route import Route
from law_rl.progress import Progress
from tests.law_rl.commands.cli import complaint, law_rl


def shown(kd_project: Path, *flags: str) -> dict[str, Any]:
    route: dict[str, Any] = json.loads(law_rl("teacher", "tiny_kd", "--json", *flags, cwd=kd_project)[0])
    return route


def refuse(*_: object) -> NoReturn:
    raise AssertionError("trained once more")


def save_checkpoints(kd_project: Path, folder: Path) -> dict[str, Any]:
    """Writes the anchors of the teacher as plain checkpoints, and returns the route."""
    route = shown(kd_project)
    folder.mkdir()
    for index, epoch in enumerate(Route.load(Path(route["directory"])).epochs):
        torch.save(Route.load(Path(route["directory"])).state(index), folder / f"epoch_{epoch}.pt")
    return route


def test_it_is_trained_once_and_shown(kd_project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, _ = law_rl("teacher", "tiny_kd", cwd=kd_project)
    assert "teacher of tiny_kd: 4/4 stages" in out
    monkeypatch.setattr(ClassificationLearner, "train_stage", refuse)
    again, _ = law_rl("teacher", "tiny_kd", cwd=kd_project)
    assert again == out[out.index("the teacher of tiny_kd: mlp, 4 anchors") - (len(again) - len(again.lstrip())) :]
    route = shown(kd_project)
    loaded = Route.load(Path(route["directory"]))
    assert f"in {loaded.directory}\n" in out and f"converged teacher: {loaded.anchors[-1].sha256}\n" in out
    assert (route["metric"], route["sha256"], route["data"]) == ("accuracy", loaded.anchors[-1].sha256, loaded.data)
    for entry, anchor in zip(route["anchors"], loaded.anchors, strict=True):
        size = (loaded.directory / anchor.file).stat().st_size
        assert entry == {
            "epoch": anchor.epoch, "validation": anchor.accuracy, "bytes": size, "sha256": anchor.sha256
        }  # fmt: skip
        assert f"{anchor.accuracy:.2f}" in out and f"{size:,}" in out


def test_a_stopped_training_goes_on(kd_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = shown(kd_project, "--task.teacher.seed", "5")

    def stop(self: Progress, name: str, done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    monkeypatch.setenv(TEACHERS, str(tmp_path))
    with monkeypatch.context() as patch:
        patch.setattr(Progress, "preparation", stop)
        _, error = law_rl("teacher", "tiny_kd", "--task.teacher.seed", "5", cwd=kd_project, status=1)
    assert "the same command goes on" in error
    calls: list[int] = []
    monkeypatch.setattr(Progress, "preparation", lambda self, name, done, total: calls.append(done))
    resumed = shown(kd_project, "--task.teacher.seed", "5")
    assert calls == [3, 4]
    assert resumed["anchors"] == whole["anchors"]
    assert Path(resumed["directory"]).parent == tmp_path


def test_an_imported_teacher_is_measured_and_can_be_distilled(
    kd_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    route = save_checkpoints(kd_project, tmp_path / "checkpoints")
    place = tmp_path / "new" / "route"
    flags = ["--import-from", str(tmp_path / "checkpoints"), "--out", str(place)]
    out, _ = law_rl("teacher", "tiny_kd", *flags, cwd=kd_project)
    assert f'set task.teacher.route to "{place}"' in out and f"--task.teacher.route {place}" in out
    assert [path.name for path in place.parent.iterdir()] == ["route"]
    monkeypatch.setattr(ClassificationLearner, "train_stage", refuse)
    imported = shown(kd_project, "--task.teacher.route", str(place))
    assert imported["directory"] == str(place) and imported["anchors"] == route["anchors"]


def test_checkpoints_of_another_network_leave_nothing(kd_project: Path, tmp_path: Path) -> None:
    save_checkpoints(kd_project, tmp_path / "checkpoints")
    flags = ["--import-from", str(tmp_path / "checkpoints"), "--out", str(tmp_path / "route")]
    network = ["--task.teacher.training.network.width", "8"]
    error = complaint("teacher", "tiny_kd", *flags, *network, cwd=kd_project)
    assert "another network than task.teacher.training.network" in error and "(16, 64)" in error
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoints"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("quickstart",), "quickstart trains a ClassificationTask, which has no teacher"),
        (("tiny_kd", "--out", "there"), "--import-from and --out go together"),
        (("tiny_kd", "--import-from", "there"), "--import-from and --out go together"),
        (("tiny_kd", "--import-from", "there", "--out", "here"), "there holds no checkpoints"),
        (("tiny_kd", "--import-from", "there", "--out", "experiments"), "experiments is not an empty folder"),
        (("tiny_kd", "--task.teacher.route", "there"), "there holds no route"),
        (("tiny_kd", "--task.teacher.every", "3"), "every is 3, which does not divide"),
        (("tiny_kd", "--task.teacher.training.optimiser.lr", "1e20"), "teacher: the training loss is not finite"),
    ],
)
def test_bad_input_is_one_sentence(kd_project: Path, arguments: tuple[str, ...], words: str) -> None:
    assert words in complaint("teacher", *arguments, cwd=kd_project)
