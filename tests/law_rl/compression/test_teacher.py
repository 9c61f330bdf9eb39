"""A codec's route: trained once, found again, and asked for pictures and latents."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from law_rl.compression.learner import CodecLearner, pixels
from law_rl.compression.network.codec_network import CodecNetwork
from law_rl.compression.teacher import CodecTeacher, CodecTeacherConfig, CodecTeacherOutput, codec_route
from law_rl.data.places import TEACHERS
from law_rl.distillation.route import Route
from law_rl.learner import BASELINE, Directive, StageReport
from tests.law_rl.compression.patch_trainings import TEACHER, dataset

IDS = torch.tensor([7, 2, 2])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("teachers")


@pytest.fixture(autouse=True)
def teachers(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TEACHERS, str(folder))


@pytest.fixture
def route() -> Route:
    return codec_route(TEACHER, dataset())


def anchor(route: Route, index: int) -> CodecNetwork:
    network = CodecNetwork(TEACHER.training.network)
    network.load_state_dict(route.state(index))
    return network.eval()


def test_the_anchors_are_checkpoints_of_the_training(route: Route) -> None:
    learner = replace(TEACHER.training, stages=3).learner(dataset(), 0)
    for index, known in enumerate(route.anchors):
        learner.train_stage(BASELINE)
        state = route.state(index)
        assert all(torch.equal(state[name], value) for name, value in learner.network.state_dict().items())
        assert known.epoch == index + 1 and known.accuracy == learner.evaluate("validation")["rd_db"]


def test_a_teacher_is_trained_once(route: Route, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(learner: CodecLearner, directive: Directive) -> StageReport:
        raise AssertionError("trained again")

    monkeypatch.setattr(CodecLearner, "train_stage", refuse)
    assert codec_route(TEACHER, dataset()).anchors == route.anchors
    for other in (replace(TEACHER, seed=1), replace(TEACHER, every=3)):
        with pytest.raises(AssertionError, match="trained again"):
            codec_route(other, dataset())
    with pytest.raises(AssertionError, match="trained again"):
        codec_route(TEACHER, replace(dataset(), train=dataset().train[:8]))


def test_progress_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(TEACHERS, str(tmp_path))
    seen: list[tuple[int, int]] = []
    codec_route(TEACHER, dataset(), lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize("kept_bytes", [0, 2 * 11 * 64 * 64 * 3 * 4, 2**28])
def test_outputs_are_those_of_the_nearest_anchor(route: Route, kept_bytes: int) -> None:
    teacher = CodecTeacher(route, TEACHER.training.network, dataset().train, kept_bytes)
    for position, index in ((0.0, 0), (0.2, 0), (0.25, 1), (0.74, 1), (0.75, 2), (1.0, 2), (0.0, 0)):
        output = teacher.outputs(position, IDS)
        with torch.no_grad():
            expected = anchor(route, index)(pixels(dataset().train[IDS]), None)
        assert torch.allclose(output.reconstruction, expected.reconstruction, atol=1e-5)
        assert torch.allclose(output.latents, expected.y, atol=1e-4)
        assert not output.reconstruction.requires_grad and not output.latents.requires_grad


def test_outputs_are_computed_once_where_they_fit(route: Route, monkeypatch: pytest.MonkeyPatch) -> None:
    size = 4 * 11 * (3 * 64 * 64 + 8 * 16)
    computed: list[int] = []
    compute = CodecTeacher._compute

    def counted(teacher: CodecTeacher, index: int, patches: torch.Tensor) -> CodecTeacherOutput:
        computed.append(index)
        return compute(teacher, index, patches)

    monkeypatch.setattr(CodecTeacher, "_compute", counted)
    for room, expected in ((2, [2, 0, 1]), (1, [2, 0, 2, 1, 2]), (0, [2, 2, 0, 2, 1, 2])):
        teacher = CodecTeacher(route, TEACHER.training.network, dataset().train, room * size)
        for position in (1.0, 1.0, 0.0, 1.0, 0.5, 1.0):
            teacher.outputs(position, IDS)
        assert computed == expected, room
        computed.clear()


def test_an_epoch_without_an_anchor_is_refused() -> None:
    with pytest.raises(ValueError, match=r"every is 2, which does not divide training\.epochs 3: give a number"):
        CodecTeacherConfig(training=TEACHER.training, every=2)
