"""CoupleFace's parts (2204.05502, our reading), one by one, on real faces of persons never seen, plain and masked.

The default mixture and each of its switches are held against feature consistency alone, as are other ways to distil and
RCO's routes (1904.09149); feature consistency against the student by labels. All take the same epochs of the same
pictures. Weights were chosen on validation faces, three trainings a setting.
"""

from dataclasses import replace
from typing import Any

from envs.faces import face_task
from law_rl.experiment import EvaluationConfig
from law_rl.table import Row, Table
from policies.distillation import FixedAnchor, Kd, Mixture, NoTeacher, Rco
from policies.faces import COUPLE, FCD, KD_FCD

TASK = face_task(data="lfw", features=("loss",))
KD_FCD_RAD = (*KD_FCD, ("rad", 5.0))


def couple(name: str, note: str, losses: tuple[tuple[str, float], ...] = COUPLE, **switches: Any) -> Row:
    """CoupleFace's mixture with some switches of the relations set otherwise."""
    relation = replace(TASK.training.relation, **switches)
    task = replace(TASK, training=replace(TASK.training, relation=relation))
    return Row(name=name, task=task, curriculum=Mixture(name=name, losses=losses), over="fcd", note=note)


def mixture(name: str, note: str = "", **losses: float) -> Row:
    curriculum = Mixture(name=name, losses=tuple(losses.items()))
    return Row(name=name, task=TASK, curriculum=curriculum, over="fcd", note=note)


def with_rad(weight: float) -> tuple[tuple[str, float], ...]:
    return (*FCD, ("rad", weight))


table = Table(
    name="face_ablation",
    title="Feature consistency, mined relations and routes on faces of unseen persons (LFW, 48 x 48)",
    metrics=("masked TAR@0.01", "TAR@0.001", "rank_1"),
    gains=("masked TAR@0.01",),
    evaluation=EvaluationConfig(seeds=5),
    rows=(
        Row(name="student", task=TASK, curriculum=NoTeacher(), over="", note="labels alone"),
        Row(name="fcd", task=TASK, curriculum=Kd(name="fcd"), over="student", note="labels and feature consistency"),
        couple("couple", "and the default relations"),
        couple("random", "partners drawn", partners="random"),
        couple("batch", "partners of the batch", partners="batch", count=20),
        couple("student side", "student bank, moving mean", side="student", bank="ema"),
        couple("l2", "squared", with_rad(50.0), distance="l2"),
        couple("smooth_l1", "", distance="smooth_l1"),
        couple("hinge", "only what looks too much alike", distance="hinge"),
        couple("hinge 0.05", "with a margin", distance="hinge", margin=0.05),
        couple("count 10", "", count=10),
        couple("count 200", "", count=200),
        couple("positives", "and the own identity", positives=True),
        couple("last", "teacher bank of newest features", bank="last"),
        couple("ema", "teacher bank, moving mean", bank="ema"),
        couple("queue", "teacher bank, newest five", bank="queue"),
        mixture("rad alone", "no feature consistency", ce=1.0, rad=30.0),
        mixture("kd", "Hinton's, no labels", kd=1.0),
        mixture("kd_fcd", "labels, Hinton's and feature consistency", **dict(KD_FCD)),
        Row(name="kd_fcd_rad", task=TASK, curriculum=Mixture(name="kd_fcd_rad", losses=KD_FCD_RAD), over="kd_fcd"),
        mixture("cckd", "correlation congruence beside fcd", ce=1.0, fcd=10.0, cc=100.0),
        mixture("rkd", "relational distances and angles beside fcd", ce=1.0, fcd=10.0, rkd=10.0),
        mixture("ekd", "ranks among false matches beside fcd", ce=1.0, fcd=10.0, ekd=0.1),
        *(Row(name=f"rco_{n}", task=TASK, curriculum=Rco(anchors=n, name=f"rco_{n}"), over="fcd") for n in (2, 4)),
        Row(name="early", task=TASK, curriculum=FixedAnchor(position=0.5, name="early"), over="fcd", note="anchor 0.5"),
    ),
)
