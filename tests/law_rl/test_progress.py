"""Progress where there is no terminal: plain lines now and then, and one at the end."""

from io import StringIO

import pytest
from rich.console import Console

from law_rl.progress import Progress


def lines(monkeypatch: pytest.MonkeyPatch, seconds_a_training: float) -> list[str]:
    clock = 100.0
    monkeypatch.setattr("time.monotonic", lambda: clock)
    text = StringIO()
    with Progress(Console(file=text, width=200)) as progress:
        for done in range(1, 11):
            progress.evaluation(done, 10)
            clock += seconds_a_training
    return text.getvalue().splitlines()


def test_slow_trainings_are_reported_with_the_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    assert lines(monkeypatch, 6.0) == [
        "evaluation on unseen seeds: 3/10 trainings, about 42 s left",
        "evaluation on unseen seeds: 5/10 trainings, about 30 s left",
        "evaluation on unseen seeds: 7/10 trainings, about 18 s left",
        "evaluation on unseen seeds: 9/10 trainings, about 6 s left",
        "evaluation on unseen seeds: 10/10 trainings, about 0 s left",
    ]


def test_quick_trainings_are_reported_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert lines(monkeypatch, 0.5) == ["evaluation on unseen seeds: 10/10 trainings, about 0 s left"]


def test_several_teachers_and_a_table_have_lines_of_their_own() -> None:
    text = StringIO()
    with Progress(Console(file=text, width=200)) as progress:
        progress.preparation("kd", 3, 3)
        progress.preparation("rco", 5, 5)
        progress.table(20, 20)
    assert text.getvalue().splitlines() == [
        "teacher of kd: 3/3 stages, about 0 s left",
        "teacher of rco: 5/5 stages, about 0 s left",
        "table on unseen seeds: 20/20 trainings, about 0 s left",
    ]


def frames(monkeypatch: pytest.MonkeyPatch, total: int | None) -> list[str]:
    clock = 100.0
    monkeypatch.setattr("time.monotonic", lambda: clock)
    text = StringIO()
    with Progress(Console(file=text, width=200)) as progress:
        for done in range(7):
            progress.frames("encode", done, total)
            clock += 4.0
    return text.getvalue().splitlines()


def test_frames_have_a_speed_and_what_is_left_where_their_number_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    assert frames(monkeypatch, 6) == [
        "encode, 0.25 frames per second: 3/6 frames, about 12 s left",
        "encode, 0.25 frames per second: 6/6 frames, about 0 s left",
    ]
    assert frames(monkeypatch, None) == [
        "encode, 0.25 frames per second: 3 frames",
        "encode, 0.25 frames per second: 6 frames",
    ]


def test_parts_of_a_batch_count(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = 100.0
    monkeypatch.setattr("time.monotonic", lambda: clock)
    text = StringIO()
    with Progress(Console(file=text, width=200)) as progress:
        for _ in range(2):
            progress.batch("evaluate", (clock - 100) / 80, 2, "clips")
            clock += 20.0
    assert text.getvalue().splitlines() == ["evaluate: 0.25/2 clips, about 140 s left"]
