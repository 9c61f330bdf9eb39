"""`law-rl anchors` end to end: its files, what it chooses, a kill, and what it refuses."""

import json
import xml.etree.ElementTree
from pathlib import Path
from typing import NoReturn

import pytest
import torch

from law_rl.distillation.anchors import greedy_search
from law_rl.distillation.learner import DistillationLearner
from law_rl.progress import Progress
from tests.law_rl.commands.cli import complaint, law_rl


def refuse(*_: object) -> NoReturn:
    raise AssertionError("trained once more")


def plotted(directory: Path) -> list[str]:
    svg = xml.etree.ElementTree.parse(directory / "ratios.svg")
    return [entry.text or "" for entry in svg.iter("{http://www.w3.org/2000/svg}text")]


def test_a_search_leaves_its_files(kd_project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, _ = law_rl("anchors", "tiny_kd", "--delta", "1.01", "50", cwd=kd_project)
    directory = kd_project / "runs" / "tiny_kd-anchors"
    assert {path.name for path in directory.iterdir()} == {"config.json", "checkpoints", "ratios.json", "ratios.svg"}
    result = json.loads((directory / "ratios.json").read_text())
    assert (result["experiment"], result["seed"], result["indices"]) == ("tiny_kd", 0, [0, 1, 2, 3])
    assert result["epochs"] == [1, 2, 3, 4]
    divergences = torch.tensor(result["divergences"], dtype=torch.float64)
    for choice, delta in zip(result["choices"], (1.01, 50.0), strict=True):
        indices = greedy_search(divergences, delta).indices
        assert choice == {"delta": delta, "indices": list(indices), "epochs": [i + 1 for i in indices]}
        assert f'Rco(indices={indices}, name="rco_greedy_{delta:g}")' in out
        assert f"chosen epochs: {', '.join(str(i + 1) for i in indices)}" in plotted(directory)
    assert result["choices"][1]["indices"] == [0, 3]
    assert "students of every anchor: 16/16 stages" in out
    monkeypatch.setattr(DistillationLearner, "train_stage", refuse)
    again = ["anchors", "tiny_kd", "--resume", "--delta", "2", "--json"]
    other = json.loads(law_rl(*again, cwd=kd_project)[0])
    assert other["divergences"] == result["divergences"] and [c["delta"] for c in other["choices"]] == [2.0]


def test_every_other_anchor_is_named_by_its_place_on_the_whole_route(kd_project: Path, tmp_path: Path) -> None:
    flags = ["--every", "2", "--delta", "50", "--out", str(tmp_path / "run"), "--json"]
    result = json.loads(law_rl("anchors", "tiny_kd", *flags, cwd=kd_project)[0])
    assert (result["indices"], result["epochs"]) == ([1, 3], [2, 4])
    assert result["choices"] == [{"delta": 50.0, "indices": [1, 3], "epochs": [2, 4]}]


def test_a_stopped_search_ends_with_the_same_bits(
    kd_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["anchors", "tiny_kd", "--seed", "3", "--every", "2"]
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    law_rl(*command, "--out", str(whole), cwd=kd_project)

    def stop(self: Progress, done: int, total: int) -> None:
        if done == 6:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Progress, "students", stop)
        law_rl(*command, "--out", str(stopped), cwd=kd_project, status=1)
    assert not (stopped / "ratios.json").exists()
    other = [*command, "--out", str(stopped), "--resume", "--seed", "4"]
    assert "is of another run (seed differ)" in complaint(*other, cwd=kd_project)
    calls: list[int] = []
    monkeypatch.setattr(Progress, "students", lambda self, done, total: calls.append(done))
    law_rl(*command, "--out", str(stopped), "--resume", cwd=kd_project)
    assert calls == [4, 5, 6, 7, 8]
    for name in ("ratios.json", "ratios.svg", "config.json"):
        assert (stopped / name).read_bytes() == (whole / name).read_bytes()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("quickstart",), "quickstart trains a ClassificationTask, which has no teacher"),
        (("tiny_kd", "--delta", "0"), "delta is 0.0: give positive thresholds"),
        (("tiny_kd", "--delta", "1.1", "nan"), "delta is nan"),
        (("tiny_kd", "--delta"), "delta is empty"),
        (("tiny_kd", "--seed", "1000"), "seed is 1000: give one from 0 to 999"),
        (("tiny_kd", "--every", "4"), "every is 4 on a route of 4 anchors"),
        (("tiny_kd", "--task.training.optimiser.lr", "1e20"), "student of anchor 0: the training loss is not finite"),
        (("tiny_kd", "--resume", "--out", "nowhere"), "nowhere holds no run to resume"),
    ],
)
def test_bad_input_is_one_sentence(kd_project: Path, arguments: tuple[str, ...], words: str) -> None:
    assert words in complaint("anchors", *arguments, cwd=kd_project)
