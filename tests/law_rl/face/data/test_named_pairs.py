"""Lists of named pairs: what is read, which rows they mean, who is linked, and what is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from law_rl.face.data.named_pairs import linked_persons, read_named_pairs


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_pairs_are_read_with_and_without_an_answer(tmp_path: Path) -> None:
    plain = read_named_pairs(write(tmp_path / "a.csv", 'first,second\nann/1.jpg,"bo, jr/2.jpg"\n'))
    assert (plain.first, plain.second, plain.same) == (("ann/1.jpg",), ("bo, jr/2.jpg",), None)
    text = "second,score,same,first\nb,0.5,1,a\nc,0.1,0,a\n"
    told = read_named_pairs(write(tmp_path / "b.csv", text))
    assert (told.first, told.second) == (("a", "a"), ("b", "c"))
    assert told.same is not None and told.same.tolist() == [True, False]
    assert told.rows(["c", "b", "a"], tmp_path).tolist() == [[2, 1], [2, 0]]


def test_images_that_pairs_link_are_one_persons() -> None:
    pairs = np.array([[0, 1], [1, 2], [3, 4], [0, 4], [5, 2]])
    persons = linked_persons(pairs, np.array([True, True, True, False, False]), 7).tolist()
    assert persons[0] == persons[1] == persons[2] and persons[3] == persons[4]
    assert len(set(persons)) == 4


@given(st.lists(st.integers(0, 5), min_size=4, max_size=30))
def test_all_pairs_of_persons_link_just_these(identities: list[int]) -> None:
    known = np.array(identities)
    pairs = np.array([(i, j) for i in range(len(known)) for j in range(i + 1, len(known))])
    persons = linked_persons(pairs, known[pairs[:, 0]] == known[pairs[:, 1]], len(known))
    assert np.array_equal(persons[:, None] == persons, known[:, None] == known)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"line 1, must name the columns first,second"),
        ("a,b\n", r"line 1, must name the columns first,second"),
        ("first,second\n", "holds no pair: write one on each line"),
        ("first,second\na,b\na\n", "line 3, is no pair: write two names"),
        ("first,second\na,\n", "line 2, is no pair: write two names"),
        ("first,second,same\na,b,1\na,b,yes\n", "line 3, is no pair: write two names and 1 or 0 for same"),
        ("first,second,same\na,b\n", "line 2, is no pair"),
    ],
)
def test_what_is_no_list_of_pairs_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path / "pairs.csv", text)
    with pytest.raises(ValueError, match=message) as raised:
        read_named_pairs(path)
    assert str(path) in str(raised.value) and "\n" not in str(raised.value)


def test_bytes_that_are_no_text_and_missing_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "bytes.csv").write_bytes(b"first,second\n\xff,b\n")
    with pytest.raises(ValueError, match=r"bytes\.csv is no CSV"):
        read_named_pairs(tmp_path / "bytes.csv")
    with pytest.raises(FileNotFoundError, match=r"The pairs .*gone\.csv do not exist"):
        read_named_pairs(tmp_path / "gone.csv")


def test_names_that_mean_no_image_or_two_are_refused(tmp_path: Path) -> None:
    pairs = read_named_pairs(write(tmp_path / "a.csv", "first,second\na,b\n"))
    cases: list[tuple[Callable[[], Any], str]] = [
        (lambda: pairs.rows(["a", "c"], Path("e")), "the pairs name b, which is not in e"),
        (lambda: pairs.rows(["a", "b", "a"], Path("e")), "e has two images named a"),
        (
            lambda: linked_persons(np.array([[0, 1], [0, 1]]), np.array([True, False]), 2),
            "pair 2 is said to be of two persons, and other pairs link",
        ),
    ]
    for attempt, message in cases:
        with pytest.raises(ValueError, match=message) as raised:
            attempt()
        assert "\n" not in str(raised.value)
