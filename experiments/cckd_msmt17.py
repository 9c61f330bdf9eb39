"""CCKD's re-identification tables at the paper's settings (arXiv 1904.01802): MSMT17, ResNet-50 to ResNet-18, on a GPU.

Set the environment variable LAW_RL_MSMT17 to the folder of the data, which must be got from its authors; a folder laid
out as Market-1501 works too. Not as published: the paper's ResNet-50 was pretrained on ImageNet (its mAP is 34.3); ours
starts from random weights, so its rows are no reproduction of the paper's figures. The weights of the losses are those
of `cckd_faces`, as the paper's beta 0.003 goes with a scale of the loss that it does not state. Validation holds out
100 of the 1,041 training persons.

These are 65 trainings of about 66,000 iterations and one of the teacher: days of one GPU. This table has not been made.
"""

import os

from envs.retrieval import reid_task
from experiments.cckd_faces import cckd_rows
from law_rl.experiment import EvaluationConfig
from law_rl.table import Table

ROOT = os.environ.get("LAW_RL_MSMT17", "") or "data/msmt17"

table = Table(
    name="cckd_msmt17",
    title="Correlation congruence for re-identification: ResNet-50 teaches ResNet-18 (MSMT17, 256 x 128)",
    rows=cckd_rows(reid_task(ROOT)),
    metrics=("rank_1", "rank_5"),
    evaluation=EvaluationConfig(seeds=5),
)
