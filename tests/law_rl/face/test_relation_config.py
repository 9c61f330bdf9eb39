"""The switches of relations check themselves."""

from typing import Any

import pytest

from law_rl.face.relation_config import RelationConfig


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"side": "teacher"}, "side is 'teacher': use one of coupled, student"),
        ({"distance": "l3"}, "distance is 'l3': use one of l1, l2, smooth_l1, hinge"),
        ({"partners": "all"}, "partners is 'all': use one of hardest, random, batch"),
        ({"bank": "none"}, "bank is 'none': use one of static, last, ema, queue"),
        ({"distance": "hinge", "margin": -0.1}, "margin is -0.1: give a difference of cosines from 0 to 2"),
        ({"distance": "hinge", "margin": float("nan")}, "margin is nan"),
        ({"margin": 0.1}, "margin is 0.1: leave it at 0"),
        ({"count": 0}, "count is 0: give at least 1"),
        ({"momentum": 1.0}, "momentum is 1.0: give a number from 0"),
        ({"queue": 0}, "queue is 0: give at least 1"),
        ({"side": "student"}, "bank is 'static', which has no student features"),
        ({"side": "student", "partners": "batch", "positives": True}, "bank is 'static', which has no student"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RelationConfig(**settings)


def test_relations_of_the_batch_alone_use_no_bank() -> None:
    assert not RelationConfig(side="student", partners="batch").uses_bank
    assert RelationConfig(partners="batch", positives=True).uses_bank
    assert RelationConfig().uses_bank
