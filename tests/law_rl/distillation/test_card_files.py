import json
import re
from dataclasses import asdict, replace
from pathlib import Path

import pytest

import law_rl
from law_rl.classification.export import export_network
from law_rl.classification.network_file import save_network
from law_rl.classification.networks import Classifier, build_network
from law_rl.distillation.card_files import write_card
from law_rl.distillation.model_card import ModelCard


def text(directory: Path, written: ModelCard) -> str:
    write_card(directory, written)
    return (directory / "README.md").read_text(encoding="utf-8")


def rows(markdown: str) -> dict[str, str]:
    """The cells of all tables, as a reader sees them."""
    cells = (re.split(r"(?<!\\)\|", line)[1:-1] for line in markdown.splitlines() if line.startswith("| "))
    pairs = ([re.sub(r"\\(.)", r"\1", cell.strip()) for cell in row] for row in cells)
    return {name: value for name, value in pairs if name}


def test_the_tables_say_size_speed_and_origin(student_card: ModelCard, tmp_path: Path) -> None:
    assert rows(text(tmp_path, student_card)) == {
        "parameters": "78,042",
        "multiply-accumulates of one image": "12,239,488",
        "student.safetensors": "2,345 bytes",
        "student.onnx": "4,567 bytes",
        "forward pass of 1 image on the CPU": "median 0.512 ms, 95 % quantile 1.2 ms over 200 passes "
        "(x86_64 with AVX512, 1 thread, torch 2.13.0+cpu)",
        "data": "cifar10: 45,000 training, 5,000 validation, 10,000 test images",
        "data content hash": "d" * 64,
        "terms of the data": "Research.",
        "teacher": "resnet20",
        "teacher route hash": "e" * 64,
        "student": "mlp (width 8, depth 1)",
        "curriculum": "learned",
        "schedule hash": "f" * 64,
        "loss weights": "kd 1, congruence 0.003",
        "epochs": "30",
    }


def test_a_training_without_schedule_or_fixed_loss_weights(student_card: ModelCard, tmp_path: Path) -> None:
    training = replace(student_card.training, curriculum="uniform", schedule=None, loss_weights={})
    found = rows(text(tmp_path, replace(student_card, training=training)))
    assert found["curriculum"] == "uniform"
    assert found.keys().isdisjoint(["schedule hash", "loss weights"])


def test_the_accuracy_of_one_training(student_card: ModelCard, tmp_path: Path) -> None:
    interval = student_card.accuracy
    assert (
        f"88.25 % of 10,000 test images (95 % interval {interval.low:.2f} to {interval.high:.2f}, "
        "Wilson score interval over test images), from one training, of seed 10. The teacher's is 91.50 %."
    ) in text(tmp_path, student_card)


def test_the_accuracy_of_several_trainings(student_card: ModelCard, tmp_path: Path) -> None:
    card = replace(student_card, accuracies={10: 88.25, 11: 88.75, 12: 87.0})
    assert (
        "88.25 % of 10,000 test images: this student, of training seed 10. Over 3 training seeds (10, 11, 12) the mean "
        f"is 88.00 % (95 % interval {card.accuracy.low:.2f} to {card.accuracy.high:.2f}, t interval over seeds). "
        "The teacher's is 91.50 %."
    ) in text(tmp_path, card)


def test_use_and_limits_are_told(student_card: ModelCard, tmp_path: Path) -> None:
    found = text(tmp_path, student_card)
    assert "## Intended use\n\nStudies of distillation.\n" in found
    assert "## Limits\n\n- Small images only.\n- Not for decisions about people.\n" in found
    assert r"cat, snow\_dog, a\|b." in found


def test_text_with_a_meaning_in_markdown_does_not_break_the_tables(student_card: ModelCard, tmp_path: Path) -> None:
    terms = "Free | for `research`,\n<b>see</b> [site]\\ and_so_on"
    found = rows(text(tmp_path, replace(student_card, data=replace(student_card.data, terms=terms))))
    assert found["terms of the data"] == " ".join(terms.split())


def outputs(markdown: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What each block of code in the card prints."""
    printed = []
    for block in re.findall(r"```python\n(.*?)```", markdown, flags=re.DOTALL):
        exec(compile(block, "README.md", "exec"), {})
        printed.append(capsys.readouterr().out)
    return printed


@pytest.fixture
def network(student_card: ModelCard) -> Classifier:
    """A student that takes every image for the last class."""
    facts = student_card.facts
    network = build_network(facts.network, image_shape=facts.image_shape, classes=len(facts.class_names), seed=0)
    network.classifier.bias.data[-1] = 100.0
    return network


def test_the_code_in_the_card_runs(
    student_card: ModelCard,
    network: Classifier,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package, reason=f"{package} is not installed")
    sizes = export_network(network, tmp_path, student_card.facts, name="student")
    monkeypatch.chdir(tmp_path)
    assert outputs(text(tmp_path, replace(student_card, files=sizes)), capsys) == ["['a|b']\n"] * 2


def test_a_card_without_onnx(
    student_card: ModelCard,
    network: Classifier,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    save_network(network, tmp_path / "s.safetensors", student_card.facts)
    monkeypatch.chdir(tmp_path)
    found = text(tmp_path, replace(student_card, files={"s.safetensors": 5}))
    assert "onnx" not in found
    assert outputs(found, capsys) == ["['a|b']\n"]


def test_card_json_holds_the_same_facts(student_card: ModelCard, tmp_path: Path) -> None:
    written = replace(student_card, accuracies={10: 88.25, 11: 88.75})
    write_card(tmp_path, written)
    found = json.loads((tmp_path / "card.json").read_text(encoding="utf-8"))
    assert found["accuracies"] == {"10": 88.25, "11": 88.75} and found["seed"] == 10
    assert found["accuracy"] == written.to_json()["accuracy"]
    assert found["law_rl"] == law_rl.__version__
    assert found["facts"]["image_shape"] == [3, 4, 5] and found["facts"]["network"]["width"] == 8
    assert found["teacher"]["network"]["name"] == "resnet20"
    for name in ("data", "training", "latency"):
        assert found[name] == asdict(getattr(written, name))
    for name in ("parameters", "macs", "files", "intended_use"):
        assert found[name] == getattr(written, name)
    assert tuple(found["limits"]) == written.limits
