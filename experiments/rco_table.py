"""RCO's and CCKD's claims and learned curricula on digits, each row against its control at equal budget: some minutes.

The weight 3 of correlation congruence, RCO's numbers of anchors and the fixed anchor at 0.3 of the route were the best
of a few on validation data. GREEDY is what `law-rl anchors distill_digits --delta 6` chose, the least delta tried with
no more anchors than stages. Learned rows are searched first.
"""

from dataclasses import replace

from envs.distillation import ACTION, distillation_task
from experiments.distill_digits import experiment
from law_rl.actions import Action
from law_rl.agent import AgentConfig
from law_rl.experiment import EvaluationConfig
from law_rl.table import Learned, Row, Table
from policies.distillation import FixedAnchor, Kd, Mixture, NoTeacher, Rco
from policies.random_search import RandomSearchConfig

TASK = distillation_task()
BY_CLASS = replace(TASK, training=replace(TASK.training, sampler="class_uniform", batch_size=40))
SHUFFLED_40 = replace(TASK, training=replace(TASK.training, batch_size=40))
GREEDY = (0, 1, 2, 3, 4, 8, 29, 39)
CC = (("kd", 1.0), ("cc", 3.0))


def learned(name: str, action: Action, agent: AgentConfig = experiment.agent) -> Learned:
    """A search as that of distill_digits, over these heads."""
    return Learned(experiment=replace(experiment, name=name, env=replace(experiment.env, action=action), agent=agent))


ALL = Learned(experiment=experiment)
assert ACTION.sample_weights and ACTION.teacher_anchor and ACTION.loss_weights

table = Table(
    name="rco_table",
    title="Digits, a student of eight hidden units taught from a hundred images",
    evaluation=EvaluationConfig(seeds=40),
    rows=(
        Row(name="no_teacher", task=TASK, curriculum=NoTeacher(), over=""),
        Row(name="kd", task=TASK, curriculum=Kd(), over="no_teacher"),
        *(
            Row(name=f"rco_{count}", task=TASK, curriculum=Rco(anchors=count, name=f"rco_{count}"))
            for count in (2, 4, 8)
        ),
        Row(name="rco_greedy", task=TASK, curriculum=Rco(indices=GREEDY, name="rco_greedy")),
        Row(name="cckd", task=TASK, curriculum=Mixture(name="cckd", losses=CC)),
        Row(name="rco_4_cckd", task=TASK, curriculum=Rco(anchors=4, losses=CC, name="rco_4_cckd")),
        Row(name="fixed_30", task=TASK, curriculum=FixedAnchor(position=0.3, name="fixed_30")),
        Row(name="fixed_30_cckd", task=TASK, curriculum=FixedAnchor(position=0.3, losses=CC, name="fixed_30_cckd")),
        Row(name="kd_batch_40", task=SHUFFLED_40, curriculum=Kd(), over=""),
        Row(name="kd_by_class", task=BY_CLASS, curriculum=Kd(), over="kd_batch_40"),
        Row(name="cckd_by_class", task=BY_CLASS, curriculum=Mixture(name="cckd", losses=CC), over="kd_by_class"),
        Row(name="weights", task=TASK, curriculum=learned("distill_weights", ACTION.sample_weights)),
        Row(name="anchors", task=TASK, curriculum=learned("distill_anchors", ACTION.teacher_anchor)),
        Row(name="losses", task=TASK, curriculum=learned("distill_losses", ACTION.loss_weights)),
        Row(name="all", task=TASK, curriculum=ALL),
        Row(name="random", task=TASK, curriculum=learned("distill_random", ACTION, RandomSearchConfig())),
        *(
            Row(name=f"all over {over}", task=TASK, curriculum=ALL, over=over)
            for over in ("random", "rco_4_cckd", "fixed_30_cckd", "anchors")
        ),
    ),
)
