"""`law-rl distill` end to end: its files, its curricula, a kill, and what it refuses."""

import csv
import json
from pathlib import Path

import pytest
import torch

from law_rl.actor import TableActor
from law_rl.classification.network_file import load_network
from law_rl.commands.curriculum import read_losses
from law_rl.commands.experiments import load
from law_rl.evaluate import Follow
from law_rl.experiment import Experiment
from law_rl.jobs import Curriculum, TrainingJob, WorkerState
from law_rl.progress import Progress
from law_rl.schedule import Schedule
from tests.law_rl.commands.cli import complaint, law_rl

FILES = {"config.json", "checkpoints", "student.safetensors", "README.md", "card.json", "stages.csv"}


@pytest.fixture
def no_onnx(monkeypatch: pytest.MonkeyPatch) -> None:
    """The graph takes seconds."""
    monkeypatch.setattr("law_rl.classification.export.find_spec", lambda package: None)


@pytest.fixture
def experiment(kd_project: Path, monkeypatch: pytest.MonkeyPatch) -> Experiment:
    monkeypatch.chdir(kd_project)
    return load("tiny_kd", [])[1]


def stages(directory: Path) -> list[dict[str, str]]:
    with (directory / "stages.csv").open() as file:
        return list(csv.DictReader(file))


def card(directory: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((directory / "card.json").read_text())
    return found


def evaluated(experiment: Experiment, curriculum: Curriculum, seed: int) -> float:
    """The test accuracy that an evaluation would give."""
    return TrainingJob(curriculum=curriculum, seed=seed).run(WorkerState(experiment.setting))


def make_schedule(experiment: Experiment, path: Path, *, observation: tuple[str, ...] = ("progress",)) -> Schedule:
    schedule = Schedule(
        actor=TableActor(actions=torch.tensor([[-1.0, 0.5], [0.0, 0.0], [1.0, -0.5]])),
        action=experiment.env.action,
        observation=observation,
        stages=4,
        warmup=1,
        memory_decay=0.8,
    )
    schedule.save(path)
    return schedule


def test_a_student_by_a_baseline(kd_project: Path, experiment: Experiment, tmp_path: Path) -> None:
    for package in ("onnx", "onnxscript"):
        pytest.importorskip(package, reason=f"{package} is not installed")
    out, _ = law_rl("distill", "tiny_kd", "--by", "rco_2", "--out", str(tmp_path / "run"), cwd=kd_project)
    assert "student: 4/4 stages" in out and f"in {tmp_path / 'run'}: student.safetensors, student.onnx" in out
    assert {path.name for path in (tmp_path / "run").iterdir()} == {*FILES, "student.onnx"}
    expected = evaluated(experiment, experiment.baselines[2], 1000)
    found = card(tmp_path / "run")
    assert found["accuracies"] == {"1000": expected} and f"student: {expected:.2f} % of 500 test images" in out
    assert found["training"] == {
        "curriculum": "rco_2",
        "schedule": None,
        "loss_weights": {"ce": 0.1, "kd": 0.9, "hint": 0.01, "cc": 1.0},
        "epochs": 4,
    }
    assert [row["anchor"] for row in stages(tmp_path / "run")] == ["1.0", "0.3333333333333333", "1.0", "1.0"]
    network, facts = load_network(tmp_path / "run" / "student.safetensors")
    assert facts.class_names == tuple("0123456789") and not network.training


@pytest.mark.usefixtures("no_onnx")
def test_the_twin_is_the_default_and_json_the_card(kd_project: Path, experiment: Experiment) -> None:
    out, error = law_rl("distill", "tiny_kd", "--json", cwd=kd_project)
    runs = kd_project / "runs"
    assert json.loads(out) == card(runs / "tiny_kd-distill")
    assert json.loads(out)["training"]["curriculum"] == "kd"
    assert "student.onnx is left out: writing student.onnx needs" in error and "law-rl[onnx]" in error
    assert not (runs / "tiny_kd-distill" / "student.onnx").exists()
    fields = ["--task.training.epochs", "8"]
    out, _ = law_rl("distill", "tiny_kd", "--json", "--seed", "7", *fields, cwd=kd_project)
    assert json.loads(out) == card(runs / "tiny_kd-distill-2")
    assert (json.loads(out)["training"]["epochs"], json.loads(out)["seed"]) == (8, 7)


@pytest.mark.usefixtures("no_onnx")
def test_a_student_by_a_schedule(kd_project: Path, experiment: Experiment, tmp_path: Path) -> None:
    schedule = make_schedule(experiment, tmp_path / "s.safetensors")
    by = ["--by", str(tmp_path / "s.safetensors")]
    law_rl("distill", "tiny_kd", *by, "--out", str(tmp_path / "run"), cwd=kd_project)
    found = card(tmp_path / "run")
    assert found["accuracies"] == {"1000": evaluated(experiment, Follow(schedule=schedule), 1000)}
    assert found["training"] == {
        "curriculum": "learned",
        "schedule": schedule.hash,
        "loss_weights": {"ce": 0.1, "hint": 0.01, "cc": 1.0},
        "epochs": 4,
    }
    rows = stages(tmp_path / "run")
    assert [row["anchor"] for row in rows] == ["1.0", "0.5", "1.0", "1.0"]
    assert [float(row["loss kd"]) for row in rows] == pytest.approx([0.9, 0.9, 0.45, 0.45])


@pytest.mark.usefixtures("no_onnx")
def test_a_fixed_mixture_holds_in_all_stages(kd_project: Path, tmp_path: Path) -> None:
    mixture = ["--losses", "ce=0.2", "cc=10", "--anchor", "0.5"]
    law_rl("distill", "tiny_kd", *mixture, "--out", str(tmp_path / "run"), cwd=kd_project)
    for row in stages(tmp_path / "run"):
        assert (row["anchor"], row["loss ce"], row["loss cc"], row["loss kd"]) == ("0.5", "0.2", "10.0", "0.0")
    training = card(tmp_path / "run")["training"]
    assert isinstance(training, dict)
    assert training["curriculum"] == "fixed mixture at anchor 0.5"
    assert training["loss_weights"] == {"ce": 0.2, "cc": 10.0}
    other = ["--losses", "ce=0.3", "cc=10", "--anchor", "0.5", "--out", str(tmp_path / "run"), "--resume"]
    assert "is of another run (distill differ)" in complaint("distill", "tiny_kd", *other, cwd=kd_project)


@pytest.mark.usefixtures("no_onnx")
def test_a_stopped_training_ends_with_the_same_bits(
    kd_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["distill", "tiny_kd", "--by", "rco_2", "--seed", "3"]
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    law_rl(*command, "--out", str(whole), cwd=kd_project)

    def stop(self: Progress, done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Progress, "student", stop)
        _, error = law_rl(*command, "--out", str(stopped), cwd=kd_project, status=1)
    assert "--resume" in error and not (stopped / "student.safetensors").exists()
    other = [*command, "--out", str(stopped), "--resume", "--task.training.epochs", "8"]
    assert "is of another run (task differ)" in complaint(*other, cwd=kd_project)
    calls: list[int] = []
    monkeypatch.setattr(Progress, "student", lambda self, done, total: calls.append(done))
    law_rl(*command, "--out", str(stopped), "--resume", cwd=kd_project)
    assert calls == [2, 3, 4]
    for name in ("student.safetensors", "stages.csv", "config.json", "checkpoints/training.safetensors"):
        assert (stopped / name).read_bytes() == (whole / name).read_bytes()
    measured = {"latency"}
    assert {k: v for k, v in card(stopped).items() if k not in measured} == {
        k: v for k, v in card(whole).items() if k not in measured
    }


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("quickstart",), "quickstart trains a ClassificationTask, which has no teacher"),
        (("tiny_kd", "--by", "rco_5"), "by is 'rco_5': give kd, no_teacher, rco_2, rco_9, a baseline of tiny_kd"),
        (("tiny_kd", "--by", "gone.safetensors"), "there is no schedule at gone.safetensors"),
        (("tiny_kd", "--by", "kd", "--anchor", "0.5"), "--by kd directs the whole training"),
        (("tiny_kd", "--anchor", "1.5"), "anchor is 1.5: give a position from 0"),
        (("tiny_kd", "--losses", "ke=1"), "losses has 'ke=1': give TERM=WEIGHT, each of ce, kd, hint, cc, rkd, sp"),
        (("tiny_kd", "--losses", "kd=1", "kd=2"), "losses has 'kd=2': give TERM=WEIGHT"),
        (("tiny_kd", "--losses", "kd"), "losses has 'kd': give a number after the =, as kd=0.5"),
        (("tiny_kd", "--losses", "kd=-1"), "losses weights kd -1.0: give 0 or more each"),
        (("tiny_kd", "--losses", "kd=0"), "all loss weights are 0"),
        (("tiny_kd", "--task.training.optimiser.lr", "1e20"), "student: the training loss is not finite in stage 0"),
        (("tiny_kd", "--resume", "--out", "nowhere"), "nowhere holds no run to resume"),
    ],
)
def test_bad_input_is_one_sentence(kd_project: Path, arguments: tuple[str, ...], words: str) -> None:
    assert words in complaint("distill", *arguments, cwd=kd_project)


def test_a_curriculum_that_the_route_does_not_allow_leaves_nothing(kd_project: Path, tmp_path: Path) -> None:
    command = ["distill", "tiny_kd", "--by", "rco_9", "--out", str(tmp_path / "run")]
    assert "count is 9, but the route has anchors at epochs" in complaint(*command, cwd=kd_project)
    assert not (tmp_path / "run").exists()


def test_schedules_that_do_not_fit_are_refused(kd_project: Path, experiment: Experiment, tmp_path: Path) -> None:
    path = tmp_path / "s.safetensors"
    command = ["distill", "tiny_kd", "--by", str(path), "--out", str(tmp_path / "run")]
    make_schedule(experiment, path)
    losses = ["--task.training.losses.kd", "0.8"]
    assert "loss_weights.usual says 0.9 for kd" in complaint(*command, *losses, cwd=kd_project)
    make_schedule(experiment, path, observation=("progress", "validation"))
    assert "looks at validation data or a twin" in complaint(*command, cwd=kd_project)
    assert not (tmp_path / "run").exists()


def test_losses_are_read_as_written() -> None:
    assert read_losses(["ce=.1", "cc=1e1"], ["ce", "kd", "cc"]) == {"ce": 0.1, "cc": 10.0}
