"""Many files side by side."""

import io
import threading

import pytest
import torch
from rich.console import Console

from law_rl.commands.codec_batch import Tell, run_batch, run_clips

CONSOLE = Console(quiet=True)


def batch(work: object, items: list[int], workers: int = 2) -> list[int]:
    assert callable(work)
    done = run_batch(items, work, workers=workers, name="test", console=CONSOLE)
    done.end()
    return done.results


def test_results_keep_the_order_of_the_items() -> None:
    second = threading.Event()

    def work(item: int) -> int:
        assert second.wait(5) if item == 0 else not second.set()
        return 10 * item

    assert batch(work, [0, 1, 2]) == [0, 10, 20]


def test_what_fails_is_named_and_the_rest_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    done = []

    def work(item: int) -> int:
        if item % 2:
            raise ValueError(f"{item}.edic is damaged")
        done.append(item)
        return item

    found = run_batch([4, 0, 1, 2, 3], work, workers=2, name="test", console=CONSOLE)
    assert found.results == [4, 0, 2] and sorted(done) == [0, 2, 4]
    with pytest.raises(ValueError, match="2 of 5 files failed, see above; the others are done"):
        found.end()
    assert set(capsys.readouterr().err.splitlines()) == {f"law-rl: {item}.edic is damaged" for item in (1, 3)}


def test_a_single_item_raises_what_is_wrong_itself(capsys: pytest.CaptureFixture[str]) -> None:
    def work(item: int) -> int:
        raise FileNotFoundError(f"no {item}")

    with pytest.raises(FileNotFoundError, match="no 7"):
        batch(work, [7])
    assert capsys.readouterr().err == ""


def test_where_all_fail_there_are_no_results() -> None:
    def work(item: int) -> int:
        raise OSError("no disk")

    with pytest.raises(ValueError, match="all 2 files failed, see above"):
        batch(work, [1, 2])


def test_an_error_of_ours_stops_the_batch() -> None:
    def work(item: int) -> int:
        raise RuntimeError("a fault")

    with pytest.raises(RuntimeError, match="a fault"):
        batch(work, [1, 2, 3])


def test_the_cores_are_shared_and_given_back() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    try:
        assert batch(lambda item: torch.get_num_threads(), [1, 2], workers=2) == [2, 2]
        assert torch.get_num_threads() == 4
    finally:
        torch.set_num_threads(before)


def test_no_workers_are_refused() -> None:
    with pytest.raises(ValueError, match="workers is 0: give the number of files"):
        batch(lambda item: item, [1], workers=0)


def test_clips_come_one_after_the_other_and_tell_how_far_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("law_rl.progress.SECONDS_BETWEEN_LINES", -1.0)
    written = io.StringIO()

    def work(item: int, tell: Tell) -> int:
        for share in (0.25, 0.5):
            tell(share)
        if item == 2:
            raise ValueError("2 is damaged")
        return item

    found = run_clips([1, 2, 3], work, name="test", console=Console(file=written))
    assert found.results == [1, 3]
    counts = [line.split()[1] for line in written.getvalue().splitlines()]
    assert counts == ["0.25/3", "0.50/3", "1/3", "1.25/3", "1.50/3", "2/3", "2.25/3", "2.50/3", "3/3"]
    with pytest.raises(ValueError, match="1 of 3 clips failed"):
        found.end()


def test_a_clip_ends_where_it_tells_once_the_caller_is_stopped() -> None:
    ended = []

    def work(item: int, tell: Tell) -> None:
        if item == 0:
            raise RuntimeError("a fault")
        for step in range(100_000):
            tell(step / 100_000)
        ended.append(item)

    with pytest.raises(RuntimeError, match="a fault"):
        run_clips([0, 1], work, name="test", console=CONSOLE)
    assert ended == []
