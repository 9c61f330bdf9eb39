from collections.abc import Iterator
from typing import Any

import pytest
import torch

from law_rl.classification.learner import ClassificationConfig, ClassificationLearner
from law_rl.classification.networks import NetworkConfig
from law_rl.data.places import TEACHERS
from law_rl.data.sources import DataConfig
from law_rl.distillation.anchors import neighbours
from law_rl.distillation.learner import TERMS, DistillationConfig, DistillationLearner
from law_rl.distillation.task import DistillationTask
from law_rl.distillation.teacher import TeacherConfig
from law_rl.jobs import Curriculum
from law_rl.learner import BASELINE, Directive
from policies.distillation import FixedAnchor, Kd, Mixture, NoTeacher, Rco, routes

EPOCHS = 24
"""Epochs of the teacher, and anchors of its route."""


@pytest.fixture(autouse=True, scope="module")
def teachers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(TEACHERS, str(tmp_path_factory.mktemp("teachers")))
        yield


def make_learner(stages: int = 8, every: int = 1, **changes: Any) -> DistillationLearner:
    teacher = ClassificationConfig(network=NetworkConfig(width=8, depth=1), epochs=EPOCHS, batch_size=20)
    training = DistillationConfig(
        network=NetworkConfig(width=4, depth=1), epochs=stages, stages=stages, batch_size=20, **changes
    )
    data, route = DataConfig(name="digits", train=40, validation=50), TeacherConfig(training=teacher, every=every)
    return DistillationTask(data=data, teacher=route, training=training).learner(0)


def directives(curriculum: Curriculum, learner: DistillationLearner) -> list[Directive]:
    """The directive of each stage, trained under itself."""
    given = []
    while learner.stage < learner.stages:
        given.append(curriculum.directive(learner))
        assert not learner.train_stage(given[-1]).failure
    return given


def only(**losses: float) -> dict[str, float]:
    return dict.fromkeys(TERMS, 0.0) | losses


def test_kd_is_the_twin() -> None:
    assert Kd().name == "kd" and directives(Kd(), make_learner()) == [BASELINE] * 8


def test_no_teacher_trains_on_labels_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    learner = make_learner(features=("loss",))
    monkeypatch.setattr(learner.teacher, "outputs", None)  # not to be called
    assert directives(NoTeacher(), learner) == [Directive(losses=only(ce=1.0))] * 8


def test_a_mixture_weighs_only_what_it_names() -> None:
    mixture = Mixture(name="cckd", losses=(("ce", 0.5), ("cc", 2.0)))
    assert directives(mixture, make_learner()) == [Directive(losses=only(ce=0.5, cc=2.0))] * 8
    with pytest.raises(ValueError, match="weights the loss 'mood', which this training has not"):
        directives(Mixture(name="x", losses=(("mood", 1.0),)), make_learner())


def test_a_fixed_anchor_stays() -> None:
    assert directives(FixedAnchor(position=0.25, name="quarter"), make_learner()) == [Directive(anchor=0.25)] * 8


@pytest.mark.parametrize(
    ("anchors", "stages", "epochs"),
    [
        (1, 8, [24] * 8),
        (2, 8, [12] * 4 + [24] * 4),
        (4, 8, [6, 6, 12, 12, 18, 18, 24, 24]),
        (8, 8, [3, 6, 9, 12, 15, 18, 21, 24]),
        (4, 10, [6, 6, 12, 12, 12, 18, 18, 24, 24, 24]),
        (8, 4, [6, 12, 18, 24]),
        (4, 1, [24]),
    ],
)
def test_rco_follows_anchors_at_equal_epoch_intervals(anchors: int, stages: int, epochs: list[int]) -> None:
    learner = make_learner(stages)
    given = directives(Rco(anchors=anchors), learner)
    assert [epoch_of(learner, directive) for directive in given] == epochs
    assert all(directive.losses == {} for directive in given)


def epoch_of(learner: DistillationLearner, directive: Directive) -> int:
    """The epoch of the one anchor that a directive takes."""
    lower, upper, share = neighbours(directive.anchor, learner.anchors)
    assert lower == upper and share == 0
    return learner.teacher.route.epochs[lower]


def test_every_anchor_can_be_asked_for_by_its_index() -> None:
    learner = make_learner(EPOCHS)
    given = directives(Rco(indices=tuple(range(EPOCHS))), learner)
    assert [epoch_of(learner, directive) for directive in given] == list(range(1, EPOCHS + 1))


def test_rco_follows_the_anchors_of_a_search_under_its_own_mixture() -> None:
    learner = make_learner(6)
    curriculum = Rco(indices=(1, 4, 23), losses=(("kd", 1.0),), name="greedy")
    given = directives(curriculum, learner)
    assert [epoch_of(learner, directive) for directive in given] == [2, 2, 5, 5, 24, 24]
    assert all(directive.losses == only(kd=1.0) for directive in given)


def test_a_route_of_one_anchor_is_its_converged_teacher() -> None:
    learner = make_learner(2, every=EPOCHS)
    assert learner.anchors == 1
    assert directives(Rco(anchors=1), learner) == [BASELINE] * 2


@pytest.mark.parametrize(
    ("curriculum", "message"),
    [
        (Rco(anchors=25), "count is 25, but the route has anchors at epochs"),
        (Rco(anchors=0), "count is 0"),
        (Rco(indices=(3, 24)), "indices has 24 on a route of 24 anchors: give 0 to 23"),
        (Rco(indices=(-1, 3)), "indices has -1 on a route of 24 anchors"),
        (FixedAnchor(position=1.5, name="beyond"), "anchor is 1.5"),
    ],
)
def test_anchors_off_the_route_are_refused(curriculum: Curriculum, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        directives(curriculum, make_learner())


def test_a_training_without_a_teacher_has_no_route() -> None:
    data = make_learner().dataset
    learner = ClassificationLearner(ClassificationConfig(epochs=2, stages=2, batch_size=20), data, 0)
    with pytest.raises(ValueError, match="rco_4 follows a teacher's route, and this training has none: leave it out"):
        Rco().directive(learner)
    assert Kd().directive(learner) == BASELINE


def test_routes_are_named_by_their_anchors() -> None:
    given = routes()
    assert [(curriculum.name, curriculum.anchors) for curriculum in given] == [("rco_2", 2), ("rco_4", 4), ("rco_8", 8)]
    assert routes((3,)) == (Rco(anchors=3, name="rco_3"),)


def test_no_baseline_must_know_which_labels_are_wrong() -> None:
    curricula: list[Curriculum] = [Kd(), NoTeacher(), *routes(), FixedAnchor(position=0.5, name="half")]
    assert not any(curriculum.needs_mislabelled for curriculum in curricula)
    assert len({curriculum.name for curriculum in curricula}) == len(curricula)


def test_baselines_train_apart() -> None:
    def trained(curriculum: Curriculum) -> torch.Tensor:
        learner = make_learner()
        directives(curriculum, learner)
        return torch.cat([parameter.detach().flatten() for parameter in learner.network.parameters()])

    curricula: list[Curriculum] = [Kd(), NoTeacher(), *routes(), FixedAnchor(position=0.0, name="first")]
    weights = [trained(curriculum) for curriculum in curricula]
    assert not any(torch.equal(weights[j], weights[k]) for j in range(len(weights)) for k in range(j))
