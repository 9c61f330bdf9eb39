"""The codec student: the teacher's terms against their definitions, the anchors, and what a snapshot holds."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from law_rl.compression.learner import pixels
from law_rl.compression.network.codec_network import CodecConfig
from law_rl.compression.student import CodecLossTerms, CodecStudent
from law_rl.compression.teacher import CodecTeacher, codec_route
from law_rl.data.places import TEACHERS
from law_rl.distillation.route import Route
from law_rl.files import load_tree, save_tree
from law_rl.learner import BASELINE, Directive
from law_rl.weighting import ByIndex
from tests.law_rl.compression.patch_trainings import CONFIG, STUDENT, TEACHER, dataset, same_networks, train

TAUGHT = Directive(losses={"teacher_output": 0.5, "teacher_features": 0.1}, anchor=0.5)


@pytest.fixture(scope="module")
def route(tmp_path_factory: pytest.TempPathFactory) -> Route:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(TEACHERS, str(tmp_path_factory.mktemp("teachers")))
        return codec_route(TEACHER, dataset())


@pytest.fixture
def teacher(route: Route) -> CodecTeacher:
    return CodecTeacher(route, TEACHER.training.network, dataset().train)


def make(teacher: CodecTeacher, seed: int = 0, **changes: Any) -> CodecStudent:
    return CodecStudent(replace(STUDENT, **changes), dataset(), seed, teacher)


def test_a_teacher_that_weighs_nothing_is_not_asked(teacher: CodecTeacher, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the training is that of a codec without one."""
    monkeypatch.setattr(CodecTeacher, "outputs", lambda *_: pytest.fail("was asked"))
    assert same_networks(train(make(teacher)), train(CONFIG.learner(dataset(), 0)))


@pytest.mark.parametrize("term", ["teacher_output", "teacher_features"])
@pytest.mark.parametrize("position", [0.0, 1.0])
def test_a_term_is_its_definition(teacher: CodecTeacher, term: str, position: float) -> None:
    learner, ids = make(teacher), torch.tensor([4, 0, 9])
    learner._direct(Directive(losses={term: 0.3}, anchor=position))
    taught = learner._objective_of(ids, 2)
    learner._direct(BASELINE)
    alone = learner._objective_of(ids, 2)
    anchor, images = teacher.outputs(position, ids), pixels(dataset().train[ids])
    output = learner.network(images, torch.Generator().manual_seed(0))
    if term == "teacher_output":
        expected = 256.0 * (output.reconstruction - anchor.reconstruction).square().mean(dim=(1, 2, 3))
    else:
        weight, bias = learner._adapter.linear.weight, learner._adapter.linear.bias
        mapped = torch.einsum("oi,bihw->bohw", weight, output.y) + bias[:, None, None]
        expected = (mapped - anchor.latents).square().mean(dim=(1, 2, 3))
    assert torch.allclose(taught.losses - alone.losses, 0.3 * expected, rtol=1e-4, atol=1e-5)
    assert torch.equal(taught.batch.losses, alone.batch.losses)


def test_terms_and_anchors_change_the_training(teacher: CodecTeacher) -> None:
    directives = [
        BASELINE,
        Directive(losses={"teacher_output": 0.5}),
        Directive(losses={"teacher_output": 0.5}, anchor=0.0),
        Directive(losses={"teacher_features": 0.1}),
        Directive(losses={"distortion": 2.0}),
    ]
    trained = [train(make(teacher), directive) for directive in directives]
    assert not any(same_networks(a, b) for i, a in enumerate(trained) for b in trained[:i])


def test_sample_weights_act_on_the_teachers_terms(teacher: CodecTeacher) -> None:
    """A patch of no weight is not learned from, not even through the teacher."""
    weights = tuple(float(i < 6) for i in range(11))
    directive = replace(TAUGHT, weighting=ByIndex(weights=weights))
    other = CodecTeacher(teacher.route, TEACHER.training.network, dataset().train)
    for learner in (make(teacher), make(other)):
        learner._direct(directive)
    other.outputs(0.5, torch.arange(11))
    (kept,) = other._kept.values()
    kept.reconstruction[6:] += 1.0
    kept.latents[6:] += 1.0
    one, two = (train(make(each), directive, until=1) for each in (teacher, other))
    ours, theirs = one.network.state_dict(), two.network.state_dict()
    assert all(torch.allclose(ours[name], theirs[name], atol=1e-5) for name in ours)
    two = train(make(other), TAUGHT, until=1)
    assert not same_networks(train(make(teacher), TAUGHT, until=1), two)


@pytest.mark.parametrize("through_a_file", [False, True])
def test_training_goes_on_from_a_snapshot_bit_for_bit(
    teacher: CodecTeacher, through_a_file: bool, tmp_path: Path
) -> None:
    whole = train(make(teacher), TAUGHT)
    snapshot = train(make(teacher), TAUGHT, until=1).snapshot()
    if through_a_file:
        save_tree(tmp_path / "snapshot", snapshot)
        snapshot = load_tree(tmp_path / "snapshot")
    resumed = make(teacher)
    resumed.restore(snapshot)
    train(resumed, TAUGHT)
    assert same_networks(resumed, whole) and resumed.view() == whole.view()
    assert torch.equal(resumed._adapter.linear.weight, whole._adapter.linear.weight)


def test_the_regressor_is_trained_and_forked(teacher: CodecTeacher) -> None:
    learner = make(teacher)
    before = learner._adapter.linear.weight.detach().clone()
    train(learner, TAUGHT, until=1)
    assert not torch.equal(learner._adapter.linear.weight, before)
    fork = learner.fork()
    assert fork.teacher is teacher and torch.equal(fork._adapter.linear.weight, learner._adapter.linear.weight)
    assert same_networks(train(fork, TAUGHT), train(learner, TAUGHT))


def test_the_twin_trains_with_the_weights_of_its_configuration(teacher: CodecTeacher) -> None:
    own = make(teacher, losses=CodecLossTerms(distortion=2.0, teacher_output=0.5))
    assert own.loss_weights == {"distortion": 2.0, "teacher_output": 0.5, "teacher_features": 0.0}
    directed = make(teacher)
    assert same_networks(train(own), train(directed, Directive(losses={"distortion": 2.0, "teacher_output": 0.5})))


def test_a_weight_below_zero_is_refused() -> None:
    with pytest.raises(ValueError, match=r"losses weights teacher_output -1\.0: give 0 or more each"):
        CodecLossTerms(teacher_output=-1.0)


def test_the_student_may_be_of_any_size(teacher: CodecTeacher) -> None:
    learner = make(teacher, network=CodecConfig(width=3, latents=5, components=2))
    assert not learner.train_stage(TAUGHT).failure


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_codecs_train_on_the_gpu_and_go_on_there(route: Route, precision: str) -> None:
    cuda = CodecTeacher(route, TEACHER.training.network, dataset().train.to("cuda"))
    learner = make(cuda, precision=precision, device="cuda", deterministic=True)
    train(learner, TAUGHT, until=1)
    fork = learner.fork()
    assert same_networks(train(fork, TAUGHT), train(learner, TAUGHT))
    assert {parameter.device.type for parameter in learner.network.parameters()} == {"cuda"}
    assert 0 < learner.evaluate("validation")["rd_db"] < 100
