"""The learned curriculum of video_search beside the best fixed directive, others by hand, and random search.

The searches take 33 trainings each, twins among them; the fixed directive is the best of twelve, three each. Then every
row trains on unseen seeds.
"""

from dataclasses import replace

from envs.video_compression import video_task
from experiments.video_search import experiment
from law_rl.experiment import EvaluationConfig
from law_rl.table import Learned, Row, Table
from policies.random_search import RandomSearchConfig
from policies.video_compression import BEST_FIXED, VIDEO_CODECS

TASK = video_task(data="bsds")
LEARNED = Learned(experiment=experiment)
RANDOM = Learned(experiment=replace(experiment, name="video_random", agent=RandomSearchConfig()))

table = Table(
    name="video_rivals",
    title="A learned curriculum of a small video codec, fixed ones, and random search (motion over BSDS500)",
    metrics=("bpp", "psnr"),
    evaluation=EvaluationConfig(seeds=5),
    rows=(
        Row(name="uniform", task=TASK, curriculum=VIDEO_CODECS[0], over="", note="the twin"),
        *(Row(name=each.name, task=TASK, curriculum=each, over="uniform") for each in VIDEO_CODECS[1:]),
        Row(name="random", task=TASK, curriculum=RANDOM, over="uniform"),
        Row(name="learned", task=TASK, curriculum=LEARNED, over="uniform"),
        Row(name="learned over fixed", task=TASK, curriculum=LEARNED, over=BEST_FIXED.name),
        Row(name="learned over random", task=TASK, curriculum=LEARNED, over="random"),
    ),
)
