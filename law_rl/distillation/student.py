"""One network trained for use, stage by stage, in a folder from which a killed training goes on."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from law_rl.classification.learner import ClassificationLearner
from law_rl.files import load_tree, save_tree, write_atomic
from law_rl.learner import Directive

SNAPSHOT = "training.safetensors"

Observer = Callable[[int, int], None]
"""Called before the first stage and after each with the stages done and the stages in all."""


@dataclass(frozen=True, kw_only=True)
class StageRow:
    """What a stage was trained under, and the student's validation metric after it, in percent.

    `anchor` is the position on the teacher's route, `weighting` the rule that weighted the samples, `losses` the weight
    of every term of the loss.
    """

    stage: int
    anchor: float
    weighting: str
    losses: Mapping[str, float]
    validation: float


def train_student(
    learner: ClassificationLearner,
    direct: Callable[[ClassificationLearner], Directive],
    directory: Path,
    observer: Observer,
) -> tuple[StageRow, ...]:
    """Trains a fresh learner to its end, each stage under the directive that `direct` gives before it.

    After every stage a snapshot is kept in the folder. Killed at any moment and called again with an equal learner and
    `direct`, it goes on from there and ends with the same bits. Raises ValueError where the loss is not finite.
    """
    rows = _resume(learner, directory / SNAPSHOT)
    observer(learner.stage, learner.stages)
    while learner.stage < learner.stages:
        directive = direct(learner)
        report = learner.train_stage(directive)
        if report.failure:
            raise ValueError(
                f"student: {report.failure} in stage {learner.stage - 1} of {learner.stages}: lower "
                f"--task.training.optimiser.lr, now {learner.config.optimiser.lr}, or the weights of the losses"
            )
        rows.append(_row(learner, directive))
        tree = {"rows": [asdict(row) for row in rows], "learner": learner.snapshot()}
        save_tree(directory / SNAPSHOT, tree)
        observer(learner.stage, learner.stages)
    return tuple(rows)


def _resume(learner: ClassificationLearner, path: Path) -> list[StageRow]:
    if not path.exists():
        return []
    tree = load_tree(path)
    learner.restore(tree["learner"])
    return [StageRow(**row) for row in tree["rows"]]


def _row(learner: ClassificationLearner, directive: Directive) -> StageRow:
    return StageRow(
        stage=learner.stage - 1,
        anchor=directive.anchor,
        weighting=directive.weighting.rule,
        losses={**learner.loss_weights, **directive.losses},
        validation=learner.evaluate("validation")[learner.metric],
    )


def constant_losses(rows: Sequence[StageRow]) -> dict[str, float]:
    """The loss weights that are the same in all of these stages, without terms that are off."""
    first = rows[0].losses
    return {term: w for term, w in first.items() if w and all(row.losses[term] == w for row in rows)}


def write_stages(path: Path, rows: Sequence[StageRow], metric: str) -> None:
    """Writes one line a stage as CSV, a column for each term of the loss and one for the validation metric."""
    lines = []
    for row in rows:
        line = asdict(row)
        losses, validation = line.pop("losses"), line.pop("validation")
        terms = {f"loss {term}": weight for term, weight in losses.items()}
        lines.append({**line, **terms, f"validation_{metric}": validation})
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(lines[0]))
    writer.writeheader()
    writer.writerows(lines)
    write_atomic(path, text.getvalue().encode())
