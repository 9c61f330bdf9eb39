"""The claim about routes: what is trained, what is chosen, what is kept."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import route_divergence
from benchmarks.anchor_students import Led, TermName, taught
from benchmarks.route_divergence import Options, Setting, main, measure_student, students
from envs.distillation import TEACHER, distillation_task
from law_rl.classification.networks import NetworkConfig
from law_rl.data.places import TEACHERS
from law_rl.distillation.task import DistillationTask

TINY = Setting(title="tiny", clean=False, epochs=8, by_anchor=True)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DistillationTask]:
    """Settings are of the digits with a small teacher of eight anchors; few rates and seeds."""
    network = NetworkConfig(name="mlp", width=16, depth=1, embedding=16)
    task = distillation_task()
    task = replace(task, teacher=replace(TEACHER, training=replace(TEACHER.training, network=network, epochs=8)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(TEACHERS, str(tmp_path_factory.mktemp("teachers")))
        patch.setattr(route_divergence, "distillation_task", lambda: task)
        patch.setattr(route_divergence, "SETTINGS", {"noisy_40": TINY})
        patch.setattr(route_divergence, "RATES", (1e-9, 0.02))
        patch.setattr(route_divergence, "TUNING_SEEDS", (0,))
        yield task


def test_equal_students_are_trained_once(tiny: DistillationTask) -> None:
    labels = students(TINY, TINY.task.learner(0).teacher.route)
    every = [str(epoch) for epoch in range(1, 9)]
    led = ["-".join(every[:count]) for count in range(2, 9)]
    assert set(labels) == {*every, *led, "2-4-6-8", "cycles 2-4-6-8", f"cycles {led[-1]}"}


def test_settings_are_what_their_titles_say(tiny: DistillationTask) -> None:
    noisy, clean = (Setting(title="", clean=clean, epochs=80).task.learner(0) for clean in (False, True))
    assert noisy.config.epochs == clean.config.epochs == 80
    assert (len(noisy.dataset.train), len(clean.dataset.train)) == (100, 697)
    for learner, wrong in ((noisy, True), (clean, False)):
        assert learner.mislabelled is not None and bool(learner.mislabelled.any()) == wrong


def test_the_rate_is_chosen_on_other_seeds_than_those_measured(
    tiny: DistillationTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[float, int]] = []

    def watched(task: DistillationTask, seed: int, led: Led, term: TermName, lr: float) -> Any:
        seen.append((lr, seed))
        return taught(task, seed, led, term, lr)

    monkeypatch.setattr(route_divergence, "taught", watched)
    result = measure_student(TINY.task, Led(indices=(7,)), "kd", Options(seeds=2))
    assert seen == [(1e-9, 0), (0.02, 0), (0.02, 1000), (0.02, 1001)]
    assert [result[split]["lr"] for split in ("train", "validation")] == [0.02, 0.02]
    assert len(set(result["validation"]["values"])) == 2


def test_a_run_writes_its_tables_and_keeps_finished_parts(
    tiny: DistillationTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["--only", "noisy_40", "--terms", "mimic", "--seeds", "2", "--out", str(tmp_path)]
    main(command)
    first = (tmp_path / "route_divergence.md").read_text()
    kept = json.loads((tmp_path / "route_divergence.json").read_text())["parts"]["noisy_40/mimic"]
    assert kept["by_anchor"]["3"]["led"] == "1-2-3" and len(kept["students"]) == 18
    rows = [line.split(" | ") for line in first.splitlines() if line.startswith("| tiny")]
    assert [row[2] for row in rows] == ["train", "validation"] and len(rows[0]) == 8
    assert "tiny, train:" in first and "tiny, validation:" in first
    monkeypatch.delattr(route_divergence, "taught")
    main(command)
    assert (tmp_path / "route_divergence.md").read_text() == first
