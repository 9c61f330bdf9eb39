import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from law_rl.classification.learner import ClassificationConfig
from law_rl.classification.networks import NetworkConfig
from law_rl.classification.task import ClassificationTask
from law_rl.data.noise import NoiseConfig
from law_rl.data.sources import DataConfig

TASK = ClassificationTask(
    data=DataConfig(name="digits", train=100, validation=50, noise=NoiseConfig(kind="uniform", rate=0.5)),
    training=ClassificationConfig(network=NetworkConfig(width=8), epochs=3, stages=3, memory_decay=0.6),
)


def test_a_task_names_what_its_learners_have() -> None:
    learner = TASK.learner(0)
    assert (TASK.stages, TASK.memory_decay) == (3, 0.6) == (learner.stages, learner.config.memory_decay)
    assert TASK.metric == learner.metric and TASK.metric in learner.evaluate("validation")
    assert learner.stage == 0


def test_a_seed_draws_initialisation_and_noise_while_the_split_is_fixed() -> None:
    first, again, other = TASK.learner(0), TASK.learner(0), TASK.learner(1)
    for one, two in zip(first.network.parameters(), again.network.parameters(), strict=True):
        assert torch.equal(one, two)
    assert torch.equal(first.dataset.train.targets, again.dataset.train.targets)
    assert not torch.equal(first.dataset.train.targets, other.dataset.train.targets)
    weights = [learner.network.state_dict()["classifier.weight"] for learner in (first, other)]
    assert not torch.equal(*weights)
    for name in ("train", "validation", "test"):
        assert torch.equal(getattr(first.dataset, name).images, getattr(other.dataset, name).images)
    for name in ("validation", "test"):
        assert torch.equal(getattr(first.dataset, name).targets, getattr(other.dataset, name).targets)
    assert first.mislabelled is not None and 0.3 < first.mislabelled.float().mean() < 0.6


def test_its_description_is_plain_and_names_no_place() -> None:
    description = TASK.describe()
    text = json.dumps(description)
    assert description["name"] == "digits" and description["hash"] == TASK.learner(0).dataset.content_hash()
    assert '"rate": 0.5' in text and '"width": 8' in text and '"memory_decay": 0.6' in text
    for place in ("root", "labels", "device", str(Path.home()), str(Path.cwd())):
        assert f'"{place}"' not in text
    elsewhere = replace(TASK, training=replace(TASK.training, device="cuda"))
    assert elsewhere.describe() == description


def test_its_description_tells_data_and_training_apart() -> None:
    noisier = replace(TASK, data=replace(TASK.data, noise=NoiseConfig(kind="uniform", rate=0.6)))
    longer = replace(TASK, training=replace(TASK.training, epochs=4))
    assert noisier.describe()["hash"] != TASK.describe()["hash"] == longer.describe()["hash"]
    assert longer.describe() != TASK.describe()


def test_missing_data_is_named(tmp_path: Path) -> None:
    task = ClassificationTask(data=DataConfig(name="cifar10", root=str(tmp_path)))
    with pytest.raises(FileNotFoundError) as raised:
        task.learner(0)
    assert str(tmp_path) in str(raised.value)
