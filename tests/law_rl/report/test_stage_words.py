from typing import Any

import pytest
import torch

from law_rl.actions import Action, Heads, LossWeights, SampleWeights, TeacherAnchor
from law_rl.actor import MlpActor, TableActor
from law_rl.report.stage_words import stage_paragraphs
from law_rl.schedule import Schedule

WEIGHTS = SampleWeights(features=("own_agreement", "loss"))
MIXTURE = LossWeights(terms=("kd", "cc", "other"), usual=(0.9, 0.002, 0.0), most=(1.8, 0.03, 2.0))
BOTH = Heads(teacher_anchor=TeacherAnchor(), loss_weights=MIXTURE)
ALL = Heads(sample_weights=WEIGHTS, teacher_anchor=TeacherAnchor(), loss_weights=MIXTURE)
WEIGHT_ROWS = ((0.5, -0.25, 0.0), (0.25, 0.0, -0.5))
SUPERVISION_ROWS = ((-0.5, 1.0, 0.0, -0.0), (1.0, -0.5, 1.0, 0.25))


def table(action: Action, rows: Any, **changes: Any) -> Schedule:
    actor = TableActor(actions=torch.tensor([action.baseline, *rows]))
    settings: dict[str, Any] = {"observation": ("progress",), "stages": 3, "warmup": 1, "memory_decay": 0.8}
    return Schedule(**{"actor": actor, "action": action} | settings | changes)


def lines(schedule: Schedule) -> list[str]:
    return [line for paragraph in stage_paragraphs(schedule) for line in paragraph]


def cells(schedule: Schedule) -> list[list[str]]:
    return [line.split() for line in lines(schedule)]


def test_stage_lines_hold_the_action_and_what_follows() -> None:
    # stage, bias, p at 0; then for each feature w, p at -1, p at 1: 1 + tanh(4 (w f + bias))
    shown = cells(table(WEIGHTS, WEIGHT_ROWS))
    assert ["1", "0.00", "1.00", "0.50", "0.04", "1.96", "-0.25", "1.76", "0.24"] in shown
    assert ["2", "-0.50", "0.04", "0.25", "0.00", "0.24", "0.00", "0.04", "0.04"] in shown


def test_the_direction_of_each_feature_is_counted() -> None:
    text = lines(table(WEIGHTS, WEIGHT_ROWS))
    assert "High own_agreement counts more in 2 of 2 stages, less in 0." in text
    assert "High loss counts more in 0 of 2 stages, less in 1." in text


def test_teacher_and_losses_share_a_table_of_what_the_actions_mean() -> None:
    text = lines(table(BOTH, SUPERVISION_ROWS))
    place = text.index("What it sets in each stage:")
    # (1 + a) / 2; usual + a (most - usual) above 0, usual + a usual below
    assert text[place + 1 : place + 4] == [
        "  stage   teacher     kd       cc   other",
        "      1      0.25   1.80   0.0020    0.00",
        "      2      1.00   0.45   0.0300    0.50",
    ]


def test_teacher_and_losses_are_compared_with_the_usual() -> None:
    text = lines(table(BOTH, SUPERVISION_ROWS))
    assert "The teacher is easier than the converged one in 1 of 2 stages." in text
    assert "The loss kd weighs more than usual in 1 of 2 stages, less in 1." in text
    assert "The loss cc weighs more than usual in 1 of 2 stages, less in 0." in text


def test_terms_are_listed_with_their_range_and_their_meaning_where_known() -> None:
    text = lines(table(MIXTURE, [row[1:] for row in SUPERVISION_ROWS]))
    assert any(line.startswith("  kd     usually 0.90, at most 1.80; how far the answer is") for line in text)
    assert "  other  usually 0.00, at most 2.00" in text


@pytest.mark.parametrize(
    ("action", "rows", "said"),
    [
        (WEIGHTS, WEIGHT_ROWS, {"A sample counts"}),
        (TeacherAnchor(), [row[:1] for row in SUPERVISION_ROWS], {"It chooses the teacher"}),
        (MIXTURE, [row[1:] for row in SUPERVISION_ROWS], {"It weights these terms"}),
        (BOTH, SUPERVISION_ROWS, {"It chooses the teacher", "It weights these terms"}),
        (
            ALL,
            [a + b for a, b in zip(WEIGHT_ROWS, SUPERVISION_ROWS, strict=True)],
            {"A sample counts", "It chooses the teacher", "It weights these terms"},
        ),
    ],
)
def test_only_the_heads_that_there_are_are_described(action: Action, rows: Any, said: set[str]) -> None:
    text = "\n".join(lines(table(action, rows)))
    everything = {"A sample counts", "It chooses the teacher", "It weights these terms"}
    assert {phrase for phrase in everything if phrase in text} == said
    assert ("How it weights samples" in text) == ("A sample counts" in said)
    assert ("What it sets" in text) == bool(said - {"A sample counts"})


def test_all_heads_have_their_own_entries_of_the_action() -> None:
    shown = cells(table(ALL, [a + b for a, b in zip(WEIGHT_ROWS, SUPERVISION_ROWS, strict=True)]))
    assert ["1", "0.00", "1.00", "0.50", "0.04", "1.96", "-0.25", "1.76", "0.24"] in shown
    assert ["2", "1.00", "0.45", "0.0300", "0.50"] in shown


def test_a_policy_says_that_it_shows_means_or_that_they_were_not_kept() -> None:
    actor = MlpActor(weights=(torch.zeros(1, 1),), biases=(torch.zeros(1),))
    kept = lines(table(TeacherAnchor(), [], actor=actor, provenance={"typical_actions": [[0.0], [0.5]]}))
    assert "What it sets in each stage, on average over the trainings that confirmed it:" in kept
    assert "      2      0.75" in kept
    lost = lines(table(TeacherAnchor(), [], actor=actor))
    assert lost[-1] == "Its typical actions were not kept: it must be followed to be seen."
    assert lost[0].startswith("It chooses the teacher")
