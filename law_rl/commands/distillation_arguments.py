"""The verbs of distillation with their flags. Importing this is cheap; nothing here does the work."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True, kw_only=True)
class DistillCommand:
    """Train one student of a distillation experiment, and put it out for use with a model card.

    Fields of the experiment can be changed as in search: --task.training.epochs 80. The teacher is trained first where
    it is missing. The run directory gets student.safetensors, student.onnx (with pip install 'law-rl[onnx]'), README.md
    (the model card), card.json, stages.csv and config.json. The training is that of an evaluation: same seed and
    curriculum, same accuracy.
    """

    experiment: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="EXPERIMENT")]
    """The experiment, whose task is a DistillationTask: experiments/NAME.py, or just NAME."""
    by: str = ""
    """What directs the training: a baseline of the experiment by its name (kd, no_teacher, rco_4, ...), or the path of
    a schedule.safetensors that a search wrote; default the first baseline, which directs as the twin does."""
    losses: Annotated[tuple[str, ...], tyro.conf.arg(metavar="TERM=WEIGHT ...")] = ()
    """Instead of --by: the weights of the terms of the loss in all stages, as ce=0.1 kd=0.9 cc=10; terms not named
    weigh nothing. Terms: ce, kd, hint, cc, rkd, sp."""
    anchor: float | None = None
    """Instead of --by: the place on the teacher's route that supervises all stages, from 0, its first anchor, to 1, the
    converged teacher; default 1."""
    seed: int = 1000
    """Draws the student's initialisation and batches; evaluations use the seeds from 1000 on."""
    out: Path | None = None
    """The run directory; default runs/NAME-distill in the project, numbered where that is taken."""
    resume: bool = False
    """Go on with a training that was stopped, from its last stage: the one in --out, or the newest of this
    experiment."""
    json: bool = False
    """Print card.json at the end instead of a few lines."""


@dataclass(frozen=True, kw_only=True)
class TeacherCommand:
    """Train the teacher of a distillation experiment, so that searches start at once, and show its route.

    A teacher that was trained before is only shown. Stopped, the same command goes on from the last anchor. The route
    is kept in $LAW_RL_TEACHERS, else in ~/.cache/law_rl/teachers, and found again by what the teacher was trained
    from: fields changed here (--task.teacher.training.epochs 80) must be changed there too.
    """

    experiment: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="EXPERIMENT")]
    """The experiment, whose task is a DistillationTask: experiments/NAME.py, or just NAME."""
    import_from: Path | None = None
    """Import a teacher instead: a folder of plain PyTorch checkpoints (.pt, .pth, .ckpt, .tar), named like epoch_12.pt,
    of the network that the experiment describes, trained on images normalised as the experiment's are."""
    out: Path | None = None
    """With --import-from: the folder to make, which task.teacher.route then names."""
    json: bool = False
    """Print the route as JSON instead of a table."""


@dataclass(frozen=True, kw_only=True)
class AnchorsCommand:
    """Find the anchors of a teacher's route that a student needs: RCO's greedy search (1904.09149, our reading).

    Trains one student for each anchor, by KD alone, and measures on validation data how far it is from all anchors,
    H(i, j). From each anchor i the search goes to the last j before H(i, j) / H(i, i) exceeds delta. The run directory
    gets ratios.json (divergences and choices), ratios.svg and config.json. Fields of the experiment can be changed as
    in search.
    """

    experiment: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="EXPERIMENT")]
    """The experiment, whose task is a DistillationTask: experiments/NAME.py, or just NAME."""
    delta: tuple[float, ...] = (1.1, 1.5, 2.0)
    """How much further than from its own anchor a student may be from the next; each threshold gives a choice, a larger
    one fewer anchors."""
    every: int = 1
    """Use only every K-th anchor of the route, the last among them: as many times fewer trainings."""
    seed: int | None = None
    """Draws the initialisation and batches of all students; default the first seed of the search's pool."""
    out: Path | None = None
    """The run directory; default runs/NAME-anchors in the project, numbered where that is taken."""
    resume: bool = False
    """Go on with a run that was stopped, without the students that it finished; also to try another delta."""
    json: bool = False
    """Print ratios.json at the end instead of a table."""
