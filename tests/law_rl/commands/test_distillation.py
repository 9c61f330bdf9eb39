"""What the commands of distillation share."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from law_rl.commands.distillation import classification_task, distillation_task, keep_config
from law_rl.data.retrieval_sources import RetrievalDataConfig
from law_rl.experiment import Experiment
from law_rl.run import RunError
from tests.law_rl.distillation.students import TASK


def test_only_classifiers_are_put_out(tiny_experiment: Experiment) -> None:
    with pytest.raises(ValueError, match="tiny trains a ClassificationTask, which has no teacher"):
        distillation_task(tiny_experiment)
    classifying = replace(tiny_experiment, task=TASK)
    assert classification_task(classifying, "distill") is TASK
    finding = replace(tiny_experiment, task=replace(TASK, data=RetrievalDataConfig()))
    assert distillation_task(finding) is finding.task
    with pytest.raises(ValueError, match="tiny is measured by mAP: distill is for classifiers alone"):
        classification_task(finding, "distill")


def test_a_run_goes_on_only_with_what_it_did(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    keep_config(path, {"seed": 1, "indices": (1, 2), "law_rl": "1"}, resume=False)
    assert json.loads(path.read_text()) == {"seed": 1, "indices": [1, 2], "law_rl": "1"}
    keep_config(path, {"seed": 1, "indices": (1, 2), "law_rl": "2"}, resume=True)
    with pytest.raises(RunError, match=r"is of another run \(seed, indices differ\): give the same flags"):
        keep_config(path, {"seed": 2, "indices": (1,), "law_rl": "2"}, resume=True)
    path.write_text("{")
    with pytest.raises(RunError, match=r"config.json is damaged: leave out --resume"):
        keep_config(path, {"seed": 1}, resume=True)
