"""`law-rl face train` and `law-rl face distill` end to end: files, what they say, a kill, and what is refused."""

import csv
import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from law_rl.classification.network_file import load_network
from law_rl.commands.experiments import load
from law_rl.commands.face_train import by_labels_alone
from law_rl.evaluate import Follow
from law_rl.experiment import Experiment
from law_rl.face.embedder import Embedder
from law_rl.face.evaluation.verification import verification_metrics
from law_rl.jobs import Curriculum, TrainingJob, WorkerState
from law_rl.learner import BASELINE
from law_rl.progress import Progress
from tests.law_rl.commands.cli import complaint, law_rl
from tests.law_rl.commands.test_distill import make_schedule
from tests.law_rl.face.tasks import TASK

FILES = {"config.json", "checkpoints", "network.safetensors", "README.md", "metrics.json", "stages.csv"}
SAMPLED = ("--task.training.head.sample", "0.5", "--task.training.features", "loss")
METRICS = {"TAR@0.001", "TAR@0.01", "EER", "rank_1", "masked TAR@0.001", "masked TAR@0.01"}


@pytest.fixture
def no_onnx(monkeypatch: pytest.MonkeyPatch) -> None:
    """The graph takes seconds."""
    monkeypatch.setattr("law_rl.classification.export.find_spec", lambda package: None)


@pytest.fixture
def experiment(face_project: Path, monkeypatch: pytest.MonkeyPatch) -> Experiment:
    monkeypatch.chdir(face_project)
    return load("tiny_faces", [])[1]


def stages(directory: Path) -> list[dict[str, str]]:
    with (directory / "stages.csv").open() as file:
        return list(csv.DictReader(file))


def metrics(directory: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((directory / "metrics.json").read_text())
    return found


def evaluated(experiment: Experiment, curriculum: Curriculum) -> float:
    """The test metric that an evaluation would give."""
    return TrainingJob(curriculum=curriculum, seed=1000).run(WorkerState(experiment.setting))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_network_by_labels_alone(face_project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    run = tmp_path / "run"
    out, _ = law_rl("face", "train", "tiny_faces", "--out", str(run), cwd=face_project)
    assert "network: 2/2 stages" in out and "on 400 images of 200 persons (95 % intervals over persons)" in out
    assert {path.name for path in run.iterdir()} == {*FILES, "network.onnx"}
    assert [mode(run / name) for name in ("network.safetensors", "network.onnx", "checkpoints")] == [
        0o600,
        0o600,
        0o700,
    ]
    found = metrics(run)
    assert found["metrics"].keys() == METRICS and found["teacher"] is None and found["curriculum"] == "labels alone"
    network, facts = load_network(run / "network.safetensors")
    assert isinstance(network.classifier, nn.Identity) and facts.class_names == ()
    for content in ((run / name).read_bytes() for name in (*FILES - {"checkpoints"}, "network.onnx")):
        assert not any(name.encode() in content for name in TASK.dataset.class_names)

    embedder = Embedder.load(run / "network.safetensors")
    test = TASK.dataset.test
    assert test.masked is not None
    rates = verification_metrics(
        embedder(test.faces.images), test.faces.targets, fars=(0.001, 0.01), masked=embedder(test.masked)
    )
    assert {name: entry["mean"] for name, entry in found["metrics"].items()} == pytest.approx(rates)
    for name, entry in found["metrics"].items():
        if name == "rank_1":
            assert entry["ci95"] is None
        else:
            assert entry["ci95"][0] <= entry["mean"] <= entry["ci95"][1]
            assert f"{name} {entry['mean']:.2f} % [{entry['ci95'][0]:.2f}, {entry['ci95'][1]:.2f}]" in out

    session = runtime.InferenceSession(run / "network.onnx", providers=["CPUExecutionProvider"])
    (embedding,) = session.run(["embedding"], {"images": test.faces.images[:3].float().numpy()})
    torch.testing.assert_close(torch.from_numpy(embedding), embedder(test.faces.images[:3]), rtol=1e-4, atol=1e-4)

    readme = (run / "README.md").read_text()
    python = [part.removeprefix("python\n") for part in readme.split("```")[1::2]]
    assert len(python) == 2
    for snippet in python:
        for name in ("network.onnx", "network.safetensors"):
            snippet = snippet.replace(f'"{name}"', repr(str(run / name)))
        capsys.readouterr()
        exec(snippet, {})
        assert capsys.readouterr().out.strip()


@pytest.mark.usefixtures("no_onnx")
def test_the_training_alone_is_that_of_its_learner(face_project: Path, tmp_path: Path) -> None:
    run, fields = tmp_path / "run", ["--task.training.epochs", "4", "--seed", "7"]
    out, error = law_rl("face", "train", "tiny_faces", "--json", "--out", str(run), *fields, cwd=face_project)
    found = json.loads(out)
    assert found == metrics(run) and (found["epochs"], found["seed"]) == (4, 7)
    assert "network.onnx is left out: writing network.onnx needs" in error and not (run / "network.onnx").exists()
    training = by_labels_alone(replace(TASK.training, epochs=4))
    assert training.features == ("centre_cosine",) and training.losses.fcd == 0 and training.losses.ce == 1
    assert by_labels_alone(replace(TASK.training, features=("crowding", "margin"))).features == ("margin",)
    learner = training.learner(TASK.dataset, 7)
    validation = []
    while learner.stage < learner.stages:
        learner.train_stage(BASELINE)
        validation.append(learner.evaluate("validation")["TAR@0.01"])
    assert [float(row["validation_TAR@0.01"]) for row in stages(run)] == validation
    trained = load_network(run / "network.safetensors")[0].state_dict()
    assert all(torch.equal(value, learner.network.state_dict()[name]) for name, value in trained.items())


@pytest.mark.usefixtures("no_onnx")
def test_a_student_by_a_baseline(face_project: Path, experiment: Experiment, tmp_path: Path) -> None:
    run = tmp_path / "run"
    out, _ = law_rl("face", "distill", "tiny_faces", "--by", "rad", "--out", str(run), cwd=face_project)
    found = metrics(run)
    assert {path.name for path in run.iterdir()} == FILES and mode(run / "checkpoints") == 0o700
    assert found["metrics"]["TAR@0.01"]["mean"] == evaluated(experiment, experiment.baselines[2])
    assert found["curriculum"] == "rad" and found["losses"] == {"ce": 1.0, "rad": 2.0}
    assert found["teacher"]["network"].startswith("face_cnn (width 4") and "its teacher: TAR@0.01" in out
    assert [(row["loss fcd"], row["loss rad"]) for row in stages(run)] == [("1.0", "0.0"), ("0.0", "2.0")]
    readme = (run / "README.md").read_text()
    assert "The first 1 of 2 stages were not the curriculum's" in readme
    assert "Trained on drawings: of no use for photographs of people." in readme
    assert "30 persons to train on" in readme and "docs/faces.md" not in readme


@pytest.mark.usefixtures("no_onnx")
def test_a_student_by_a_schedule_and_by_a_mixture(face_project: Path, experiment: Experiment, tmp_path: Path) -> None:
    runs = face_project / "runs"
    out, _ = law_rl("face", "distill", "tiny_faces", "--json", cwd=face_project)
    assert json.loads(out) == metrics(runs / "tiny_faces-face-distill") and json.loads(out)["curriculum"] == "twin"
    mixture = ["--losses", "ce=0.5", "ekd=0.1", "rad=1", "--anchor", "0"]
    law_rl("face", "distill", "tiny_faces", *mixture, cwd=face_project)
    for row in stages(runs / "tiny_faces-face-distill-2"):
        assert (row["anchor"], row["loss ce"], row["loss ekd"], row["loss rad"]) == ("0.0", "0.5", "0.1", "1.0")
        assert row["loss fcd"] == "0.0"


@pytest.mark.parametrize("verb", ["train", "distill"])
@pytest.mark.usefixtures("no_onnx")
def test_a_stopped_training_ends_with_the_same_bits(
    face_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    command = ["face", verb, "tiny_faces", "--seed", "3"]
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    law_rl(*command, "--out", str(whole), cwd=face_project)

    def stop(self: Progress, done: int, total: int) -> None:
        if done == 1:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Progress, "network", stop)
        patch.setattr(Progress, "student", stop)
        _, error = law_rl(*command, "--out", str(stopped), cwd=face_project, status=1)
    assert "--resume" in error and not (stopped / "network.safetensors").exists()
    other = [*command, "--out", str(stopped), "--resume", "--task.training.epochs", "4"]
    assert "is of another run (task differ)" in complaint(*other, cwd=face_project)
    law_rl(*command, "--out", str(stopped), "--resume", cwd=face_project)
    for name in ("network.safetensors", "stages.csv", "config.json", "metrics.json", "README.md"):
        assert (stopped / name).read_bytes() == (whole / name).read_bytes()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("train", "quickstart"), "quickstart trains a ClassificationTask: give an experiment whose task is a law_rl"),
        (("distill", "quickstart"), "quickstart trains a ClassificationTask: give an experiment whose task is"),
        (("distill", "tiny_faces", "--by", "kd"), "by is 'kd': give twin, rco_2, rad, a baseline of tiny_faces"),
        (("distill", "tiny_faces", "--losses", "x=1"), "give TERM=WEIGHT, each of ce, kd, hint, cc, rkd, sp, fcd, rad"),
        (("distill", "tiny_faces", "--by", "rad", "--anchor", "0.5"), "--by rad directs the whole training"),
        (
            ("distill", "tiny_faces", "--losses", "kd=1", *SAMPLED),
            "losses.kd is 1.0 and head.sample 0.5: KD compares all classes",
        ),
        (("train", "tiny_faces", "--task.training.batch-size", "1"), "batch_size is 1: give at least 2"),
        (("train", "tiny_faces", "--resume", "--out", "nowhere"), "nowhere holds no run to resume"),
        (("train", "tiny_faces", "--task.data.name", "folders"), "root is empty: set it to where the folders are"),
    ],
)
def test_bad_input_is_one_sentence(face_project: Path, arguments: tuple[str, ...], words: str) -> None:
    assert words in complaint("face", *arguments, cwd=face_project)


@pytest.mark.parametrize("verb", ["train", "distill"])
def test_help_lists_the_fields_of_an_experiment(face_project: Path, verb: str) -> None:
    out, _ = law_rl("face", verb, "tiny_faces", "--help", cwd=face_project)
    for flag in ("--task.training.head.margin", "--task.data.image-size", "--task.teacher.every"):
        assert flag in out
    assert "--task.data.image-size" not in law_rl("face", verb, "--help", cwd=face_project)[0]


def test_schedules_are_followed_and_refused_as_in_distill(
    face_project: Path, experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("law_rl.classification.export.find_spec", lambda package: None)
    path = tmp_path / "s.safetensors"
    command = ["face", "distill", "tiny_faces", "--by", str(path), "--out", str(tmp_path / "run")]
    make_schedule(experiment, path, observation=("progress", "validation"))
    assert "looks at validation data or a twin" in complaint(*command, cwd=face_project)
    assert not (tmp_path / "run").exists()
    schedule = make_schedule(experiment, path)
    law_rl(*command, cwd=face_project)
    found = metrics(tmp_path / "run")
    assert (found["curriculum"], found["schedule"]) == ("learned", schedule.hash)
    assert found["metrics"]["TAR@0.01"]["mean"] == evaluated(experiment, Follow(schedule=schedule))
