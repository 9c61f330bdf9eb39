import pytest
import torch

from law_rl.actions import TeacherAnchor
from law_rl.actor import TableActor
from law_rl.report.outcome import outcome, plain_name, validation_gain
from law_rl.report.run_directory import Comparison, Measured, Run
from law_rl.schedule import Schedule
from law_rl.statistics import Interval

CLEAR = Interval(mean=2.0, low=1.0, high=3.0)


def comparison(gain: Interval, closed: float | None = None, metric: str = "accuracy", over: str = "uniform") -> Run:
    rows = (
        Measured(name="learned", interval=Interval(mean=80.0, low=79, high=81), values=(80.0,), gain=gain),
        Measured(name=over, interval=Interval(mean=78.0, low=77, high=79), values=(78.0,), gain=None),
    )
    measured = Comparison(metric=metric, seeds=5, over=over, rows=rows, gap_closed=closed)
    schedule = Schedule(
        actor=TableActor(actions=torch.zeros(1, 1)),
        action=TeacherAnchor(),
        observation=("progress",),
        stages=2,
        warmup=0,
        memory_decay=0.8,
    )
    return Run(name="x", config={}, episodes=(), stages=(), search={}, comparison=measured, schedule=schedule)


@pytest.mark.parametrize(
    ("gain", "closed", "end"),
    [
        (CLEAR, None, "on 5 unseen seeds."),
        (CLEAR, 1.04, "on 5 unseen seeds; 104 % of the gap to the oracle closed."),
        (Interval(mean=2.0, low=-1.0, high=5.0), 0.8, "on 5 unseen seeds, which is no clear difference."),
        (Interval(mean=-2.0, low=-3.0, high=-1.0), -0.2, "on 5 unseen seeds, which is worse."),
    ],
)
def test_the_outcome_claims_no_more_than_its_interval(gain: Interval, closed: float | None, end: str) -> None:
    assert outcome(comparison(gain, closed)).endswith(end)


def test_another_metric_is_named() -> None:
    assert "80.00 recall against 78.00 recall" in outcome(comparison(CLEAR, metric="recall"))


@pytest.mark.parametrize(
    ("over", "words"),
    [
        ("uniform", "78.0 % for ordinary training, +2.0"),
        ("kd", "78.0 % for distillation from the converged teacher, +2.0"),
        ("no_teacher", "78.0 % for labels alone, +2.0"),
        ("rco_4", "78.0 % for rco_4, +2.0"),
    ],
)
def test_the_reference_is_named_in_words_where_there_are_some(over: str, words: str) -> None:
    assert words in outcome(comparison(CLEAR, over=over))


def test_curricula_are_explained_where_their_name_does_not_tell() -> None:
    assert plain_name("kd") == "kd (distillation from the converged teacher)"
    assert plain_name("rco_4") == "rco_4"


def test_the_validation_gain_names_what_it_is_over() -> None:
    gain = {"over": "kd", "mean": 5.25, "ci95": [4.0, 6.5], "seeds": 2}
    assert "over distillation from the converged teacher (95 % interval 4.0 to 6.5)" in validation_gain(
        {"validation_gain": gain}
    )
    assert validation_gain({}) == "Its gain was not recorded."
