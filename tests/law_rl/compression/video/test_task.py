"""The task of training a video codec: what its learners share, and its description."""

import json

from law_rl.learner import Learner, Task
from tests.law_rl.compression.patch_trainings import same_networks
from tests.law_rl.compression.video.crop_trainings import TASK


def test_a_task_makes_learners_of_seeds() -> None:
    task: Task = TASK
    learner: Learner = task.learner(1)
    assert (learner.stages, learner.metric) == (3, "rd_db") and learner.mislabelled is None
    assert (task.stages, task.metric, task.memory_decay, task.device) == (3, "rd_db", 0.0, "cpu")
    assert same_networks(TASK.learner(1), TASK.learner(1)) and not same_networks(TASK.learner(1), TASK.learner(2))
    assert TASK.learner(1).dataset.train.frames is TASK.learner(2).dataset.train.frames


def test_the_description_is_plain_and_without_paths() -> None:
    TASK.prepare(lambda done, total: None)
    described = json.loads(json.dumps(TASK.describe()))
    assert described["name"] == "samples" and len(described["hash"]) == 64
    assert described["training"]["losses"] == {"distortion": 1.0, "prediction": 0.0}
    assert "root" not in json.dumps(described) and "device" not in json.dumps(described)
