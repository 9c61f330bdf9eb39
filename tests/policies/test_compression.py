from dataclasses import dataclass

import pytest

from law_rl.learner import BASELINE, Directive
from law_rl.weighting import LinearTanh
from policies.compression import CODECS, FixedTerms, HardSamples, MovingLambda


@dataclass
class Standing:
    """All of a learner that these baselines look at."""

    stage: int
    stages: int = 5


def directives(curriculum: object, stages: int = 5) -> list[Directive]:
    return [curriculum.directive(Standing(stage, stages)) for stage in range(stages)]  # type: ignore[attr-defined]


def test_the_first_directs_as_the_twin_does() -> None:
    assert directives(CODECS[0]) == [BASELINE] * 5 and CODECS[0].name == "uniform"
    assert len({each.name for each in CODECS}) == len(CODECS)
    assert not any(each.needs_mislabelled for each in CODECS)


@pytest.mark.parametrize(("first", "expected"), [(4.0, [4.0, 2.0**1.5, 2.0, 2.0**0.5, 1.0]), (1.0, [1.0] * 5)])
def test_lambda_moves_to_the_target(first: float, expected: list[float]) -> None:
    moved = directives(MovingLambda(first=first, name="moving"))
    assert [each.losses["distortion"] for each in moved] == pytest.approx(expected)
    assert directives(MovingLambda(first=first, name="moving"), stages=1)[0].losses == {"distortion": first}


def test_hard_patches_count_less_and_less_until_all_count_the_same() -> None:
    rules = [each.weighting for each in directives(HardSamples(name="hard", strength=0.8))]
    assert all(isinstance(rule, LinearTanh) and rule.features == ("distortion",) for rule in rules)
    assert [rule.weights[0] for rule in rules if isinstance(rule, LinearTanh)] == pytest.approx([0.8, 0.6, 0.4, 0.2, 0])


def test_fixed_terms_stay_as_they_are() -> None:
    fixed = FixedTerms(name="fixed", losses=(("distortion", 0.5),), features=(("bits", -0.2), ("distortion", 0.1)))
    (directive,) = set(map(repr, directives(fixed)))
    one = fixed.directive(Standing(0))  # type: ignore[arg-type]
    assert one.losses == {"distortion": 0.5} and one.weighting == LinearTanh(
        features=("bits", "distortion"), weights=(-0.2, 0.1), bias=0.0, gain=1.0
    )
    assert directive == repr(one)
    plain = FixedTerms(name="plain", losses=())
    assert directives(plain) == [BASELINE] * 5
