"""The learned curriculum of compression_search beside the best fixed directive, others by hand, and random search.

The searches take 75 trainings each, twins among them; the fixed directive is the best of thirty, three each. Then every
row trains on unseen seeds.
"""

from dataclasses import replace

from envs.compression import compression_task
from experiments.compression_search import experiment
from law_rl.experiment import EvaluationConfig
from law_rl.table import Learned, Row, Table
from policies.compression import BEST_FIXED, CODECS
from policies.random_search import RandomSearchConfig

TASK = compression_task(data="bsds")
LEARNED = Learned(experiment=experiment)
RANDOM = Learned(experiment=replace(experiment, name="compression_random", agent=RandomSearchConfig()))

table = Table(
    name="compression_rivals",
    title="A learned curriculum of a small codec, fixed ones, and random search (BSDS500, patches of 64 pixels)",
    metrics=("bpp", "psnr"),
    evaluation=EvaluationConfig(seeds=5),
    rows=(
        Row(name="uniform", task=TASK, curriculum=CODECS[0], over="", note="the twin"),
        *(Row(name=each.name, task=TASK, curriculum=each, over="uniform") for each in CODECS[1:]),
        Row(name="random", task=TASK, curriculum=RANDOM, over="uniform"),
        Row(name="learned", task=TASK, curriculum=LEARNED, over="uniform"),
        Row(name="learned over fixed", task=TASK, curriculum=LEARNED, over=BEST_FIXED.name),
        Row(name="learned over random", task=TASK, curriculum=LEARNED, over="random"),
    ),
)
