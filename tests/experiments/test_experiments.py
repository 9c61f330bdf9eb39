"""Every experiment and table of the project is one that can run: one stage of two iterations on the CPU."""

import importlib
import math
import pkgutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest
import torch

import experiments
from law_rl.classification.learner import ClassificationConfig
from law_rl.classification.networks import NetworkConfig
from law_rl.classification.optimisation import learning_rate
from law_rl.classification.task import ClassificationTask
from law_rl.compression.network.codec_network import CodecConfig
from law_rl.compression.task import CodecTask
from law_rl.compression.video.network.flow import FlowConfig
from law_rl.compression.video.network.video_network import VideoConfig
from law_rl.compression.video.task import VideoTask
from law_rl.data.augment import AugmentConfig
from law_rl.data.faces import PACK
from law_rl.data.places import NODE_CACHE, TEACHERS
from law_rl.data.retrieval_sources import RetrievalDataConfig
from law_rl.data.sources import DataConfig
from law_rl.distillation.task import DistillationTask
from law_rl.experiment import Experiment
from law_rl.face.data.sources import FaceDataConfig
from law_rl.face.task import FaceTask
from law_rl.learner import Directive
from law_rl.search import agent_spec
from law_rl.stage_env import StageEnv
from law_rl.table import Learned, Row, Table
from law_rl.table_run import check_row
from law_rl.twins import TwinBook

MODULES = {
    module.name: importlib.import_module(f"experiments.{module.name}")
    for module in pkgutil.iter_modules(experiments.__path__)
}
TABLES = sorted(name for name, module in MODULES.items() if hasattr(module, "table"))
EXPERIMENTS = sorted(MODULES.keys() - TABLES)

AnyTask = ClassificationTask | DistillationTask | CodecTask | VideoTask
Config = TypeVar("Config", bound=ClassificationConfig)
IMAGES = 200


@pytest.fixture(autouse=True, scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory, decoded: Path) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(NODE_CACHE, str(decoded))
        patch.setenv(TEACHERS, str(tmp_path_factory.mktemp("teachers")))
        yield


def load(name: str) -> Experiment:
    experiment = MODULES[name].experiment
    assert isinstance(experiment, Experiment)
    return experiment


def load_table(name: str) -> Table:
    table = MODULES[name].table
    assert isinstance(table, Table)
    return table


def known(task: object) -> AnyTask:
    assert isinstance(task, AnyTask)
    return task


def require_data(task: AnyTask, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Skips where the files of the task are missing."""
    if task.data.name in ("digits", "synthetic", "samples"):
        return
    if task.data.root:
        if not Path(task.data.root).expanduser().is_dir():
            pytest.skip(f"no folder {task.data.root} of data")
        return
    root: Path = request.getfixturevalue("shared_data")
    monkeypatch.setenv("LAW_RL_DATA", str(root))
    if isinstance(task, CodecTask | VideoTask):
        if not (root / task.data.name).is_dir():
            pytest.skip(f"no {task.data.name} in {root}")
        return
    if isinstance(task.data, RetrievalDataConfig | FaceDataConfig):
        if not (root / PACK).is_file():
            pytest.skip(f"no {PACK} in {root}")
        return
    assert isinstance(task.data, DataConfig)
    labels = root / task.data.noise.labels
    if not (root / task.data.name).is_dir() or not labels.exists():
        pytest.skip(f"no {task.data.name} with the labels {task.data.noise.labels or 'of its own'} in {root}")


def shrunk(task: AnyTask) -> AnyTask:
    """The same task on the CPU with at most 200 images, of which a stage takes two batches (faces: of 16 pixels).

    A teacher has as many anchors, one an epoch, of a small network with the same embedding.
    """
    if isinstance(task, ClassificationTask):
        return replace(task, data=few(task.data), training=short(task.training, batch_size=2))
    if isinstance(task, CodecTask):
        return shrunk_codec(task)
    if isinstance(task, VideoTask):
        return shrunk_video(task)
    if isinstance(task, FaceTask):
        return shrunk_faces(task)
    teacher = task.teacher.training
    network = NetworkConfig(name="cnn", width=2, embedding=teacher.network.embedding)
    teacher = replace(teacher, network=network, device="cpu", epochs=task.teacher.anchors, batch_size=100)
    grouped = task.training.sampler != "shuffled"
    training = short(task.training, batch_size=2 * task.training.per_group if grouped else 2)
    return replace(
        task,
        data=few(task.data) if isinstance(task.data, DataConfig) else replace(task.data, image_size=(16, 16)),
        teacher=replace(task.teacher, training=teacher, every=1),
        training=replace(training, superclasses=10),
        transfer=IMAGES,
    )


def shrunk_faces(task: FaceTask) -> FaceTask:
    """The same on faces of 16 pixels without copies, of persons with at least five images, in batches of 50."""
    data = replace(task.data, image_size=16, least=5, copies=0, augment=AugmentConfig())
    teacher, iterations = task.teacher.training, -(-len(data.load(0).train) // 50)
    network = replace(teacher.network, width=2, depth=1)
    teacher = replace(teacher, network=network, epochs=task.teacher.anchors, batch_size=500, augment=AugmentConfig())
    training = replace(task.training, batch_size=50, epochs=1, stages=iterations // 2)
    return replace(task, data=data, teacher=replace(task.teacher, training=teacher, every=1), training=training)


def shrunk_codec(task: CodecTask) -> CodecTask:
    """The same with small codecs on 16 patches, of which a stage takes two batches."""
    network = CodecConfig(width=3, latents=4, attention="none")
    teacher = replace(task.teacher.training, network=network, device="cpu", epochs=task.teacher.anchors, batch_size=16)
    training = replace(task.training, network=network, device="cpu", batch_size=2, epochs=1, stages=4)
    data = replace(task.data, train=16, validation=4, test=4)
    return replace(task, data=data, teacher=replace(task.teacher, training=teacher, every=1), training=training)


def shrunk_video(task: VideoTask) -> VideoTask:
    """The same with a small network on 16 frames, of which a stage takes two batches."""
    network = VideoConfig(
        flow=FlowConfig(channels=(2,), kernel=3, levels=2, finest=8),
        motion=2,
        compensation=2,
        residual=CodecConfig(width=3, latents=4, attention="none"),
    )
    training = replace(task.training, network=network, device="cpu", batch_size=2, epochs=1, stages=4)
    data = replace(task.data, frames=3, train=8, validation=2, test=2)
    return replace(task, data=data, training=training)


def few(data: DataConfig) -> DataConfig:
    return replace(data, train=IMAGES, validation=4)


def short(training: Config, *, batch_size: int) -> Config:
    """One epoch on 200 images, in stages of two batches."""
    return replace(training, device="cpu", batch_size=batch_size, epochs=1, stages=IMAGES // batch_size // 2)


def shrink(experiment: Experiment) -> Experiment:
    return replace(experiment, task=shrunk(known(experiment.task)), env=replace(experiment.env, warmup=0))


def one_stage(experiment: Experiment) -> None:
    """The experiment's agent directs one stage of two iterations, which changes the network."""
    twins = TwinBook(experiment.task, warmup=0, curves={0: (10.0,) * (experiment.task.stages + 1)})
    env = StageEnv(experiment.task, experiment.env, twins)
    observation, _ = env.reset(options={"training_seed": 0})
    before = weights(env.learner.snapshot()["network"])
    actor = experiment.agent.build(agent_spec(experiment)).actor(0)
    action = actor.act(torch.from_numpy(observation), env.learner.stage)
    observation, reward, terminated, _, info = env.step(action.numpy())
    assert "failure" not in info and not terminated and math.isfinite(reward)
    assert env.observation_space.contains(observation)
    check_two_iterations(before, env.learner.snapshot()["network"])
    if experiment.env.action.features and env.learner.mislabelled is not None:
        assert 0.0 <= info["weight_clean"] <= 2.0


def weights(network: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in network.items()}


def check_two_iterations(before: dict[str, torch.Tensor], after: dict[str, torch.Tensor]) -> None:
    assert all(after[name] == before[name] + 2 for name in after if name.endswith("num_batches_tracked"))
    assert any(not after[name].equal(before[name]) for name in after)


@pytest.mark.parametrize("name", sorted(MODULES))
def test_a_module_holds_an_experiment_or_a_table_named_like_it(name: str) -> None:
    assert (load(name) if name in EXPERIMENTS else load_table(name)).name == name


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_one_stage_runs(name: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = shrink(load(name))
    require_data(known(experiment.task), request, monkeypatch)
    one_stage(experiment)


@pytest.mark.parametrize("name", TABLES)
def test_one_stage_of_every_row_runs(
    name: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = load_table(name)
    for row in table.rows:
        require_data(known(row.task), request, monkeypatch)
    check_row(shrunk_row(table.rows[0]), table)
    for row in map(shrunk_row, table.rows):
        check_row(row, replace(table, metrics=(), gains=()))
        if isinstance(row.curriculum, Learned):
            one_stage(row.curriculum.experiment)
        learner = row.task.learner(0)
        before = weights(learner.snapshot()["network"])
        directive = Directive() if isinstance(row.curriculum, Learned) else row.curriculum.directive(learner)
        report = learner.train_stage(directive)
        assert report.iterations == 2 and not report.failure, row.name
        check_two_iterations(before, learner.snapshot()["network"])


def shrunk_row(row: Row) -> Row:
    curriculum = row.curriculum
    if isinstance(curriculum, Learned):
        curriculum = Learned(experiment=shrink(curriculum.experiment))
    return replace(row, task=shrunk(known(row.task)), curriculum=curriculum)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_measures_against_what_its_twin_does(name: str) -> None:
    experiment = load(name)
    task = known(experiment.task)
    if isinstance(task, DistillationTask):
        assert experiment.reference == ("fcd" if isinstance(task, FaceTask) else "kd")
    elif isinstance(task, CodecTask | VideoTask):
        assert experiment.reference == "uniform"
    else:
        assert experiment.reference == "uniform" and experiment.env.warmup >= 1
    assert set(experiment.env.action.features) <= set(task.training.features)


def test_law_cifar10_has_the_released_schedule() -> None:
    experiment = load("law_cifar10")
    task = known(experiment.task)
    assert isinstance(task, ClassificationTask)
    training = task.training
    iterations = task.data.train // training.batch_size * training.epochs
    assert (iterations, iterations // training.stages) == (12_000, 300)
    rates = [learning_rate(training.optimiser, stage / training.stages) for stage in (0, 29, 30, 34, 35, 39)]
    assert rates == pytest.approx([0.1, 0.1, 0.01, 0.01, 0.001, 0.001])
    assert len(experiment.env.action.names) == 3 and training.network.dropout == 0.0
