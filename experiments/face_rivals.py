"""The learned curriculum of face_search beside the best fixed directive and random search, on real faces.

The searches take 75 trainings each, twins among them. The fixed directive is the best of about thirty on validation
faces, three trainings each. Then every row trains on unseen seeds.
"""

from dataclasses import replace

from envs.faces import face_task
from experiments.face_search import experiment
from law_rl.experiment import EvaluationConfig
from law_rl.table import Learned, Row, Table
from policies.distillation import Kd, Mixture
from policies.faces import KD_FCD
from policies.random_search import RandomSearchConfig

TASK = face_task(data="lfw")
LEARNED = Learned(experiment=experiment)
RANDOM = Learned(experiment=replace(experiment, name="face_random", agent=RandomSearchConfig()))

table = Table(
    name="face_rivals",
    title="A learned curriculum of face distillation, the best fixed directive, and random search (LFW, 48 x 48)",
    metrics=("masked TAR@0.01", "TAR@0.001", "rank_1"),
    gains=("masked TAR@0.01",),
    evaluation=EvaluationConfig(seeds=5),
    rows=(
        Row(name="fcd", task=TASK, curriculum=Kd(name="fcd"), over="", note="the twin"),
        Row(name="best fixed", task=TASK, curriculum=Mixture(name="kd_fcd", losses=KD_FCD), over="fcd"),
        Row(name="random", task=TASK, curriculum=RANDOM, over="fcd"),
        Row(name="learned", task=TASK, curriculum=LEARNED, over="fcd"),
        Row(name="learned over fixed", task=TASK, curriculum=LEARNED, over="best fixed"),
        Row(name="learned over random", task=TASK, curriculum=LEARNED, over="random"),
    ),
)
