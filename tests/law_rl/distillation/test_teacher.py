import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import pytest
import torch

from law_rl.classification.learner import ClassificationConfig, ClassificationLearner
from law_rl.classification.networks import NetworkConfig
from law_rl.classification.optimisation import OptimiserConfig
from law_rl.data.augment import AugmentConfig
from law_rl.data.dataset import Dataset
from law_rl.data.places import TEACHERS
from law_rl.data.sources import DataConfig, load_dataset
from law_rl.distillation.import_route import import_route
from law_rl.distillation.route import INDEX, Route
from law_rl.distillation.route_training import ORIGIN, TRAINING
from law_rl.distillation.teacher import TeacherConfig, teacher_network, teacher_route, train_route
from law_rl.learner import BASELINE, Directive, StageReport

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(  # all that a process imports before it trains
    ["law_rl.data.sources", "law_rl.distillation.teacher", "sklearn.datasets", "torch._dynamo"]
)
PATIENCE = 30.0  # seconds

MLP = TeacherConfig(
    training=ClassificationConfig(network=NetworkConfig(width=8, depth=1), epochs=6, batch_size=32), seed=3, every=2
)
CNN = TeacherConfig(
    training=ClassificationConfig(
        network=NetworkConfig(name="cnn", width=4),
        optimiser=OptimiserConfig(name="adam", lr=1e-2, schedule="cosine"),
        augment=AugmentConfig(flip=True, crop=1),
        epochs=3,
        batch_size=32,
        channels_last=True,
    ),
    half=True,
)
DROPOUT = replace(MLP, training=replace(MLP.training, network=NetworkConfig(width=8, depth=2, dropout=0.3)))


def data(seed: int = 0, train: int = 64) -> Dataset:
    return load_dataset(DataConfig(name="digits", train=train, validation=50), seed)


def trained(config: TeacherConfig, **changes: Any) -> TeacherConfig:
    """The configuration with changes to its training."""
    return replace(config, training=replace(config.training, **changes))


def files(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir() if path.suffix != ".tmp"}


def content(directory: Path) -> dict[str, bytes]:
    return {name: (directory / name).read_bytes() for name in files(directory)}


def refuse(*_: object) -> NoReturn:
    raise AssertionError("trained once more")


# Training


def test_anchors_are_the_learner_after_every_stage(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    route = train_route(MLP, data(), tmp_path, lambda *call: calls.append(call))
    assert calls == [(1, 3), (2, 3), (3, 3)]
    assert route.epochs == (2, 4, 6)
    assert files(tmp_path) == {INDEX, ORIGIN, *(anchor.file for anchor in route.anchors)}
    learner = ClassificationLearner(replace(MLP.training, stages=3), data(), MLP.seed)
    for index, anchor in enumerate(route.anchors):
        learner.train_stage(BASELINE)
        state, expected = route.state(index), learner.network.state_dict()
        assert state.keys() == expected.keys()
        assert all(torch.equal(state[name], expected[name]) for name in expected)
        assert anchor.accuracy == learner.evaluate("validation")["accuracy"]


def test_the_index_says_of_what_the_route_is(tmp_path: Path) -> None:
    route = train_route(MLP, data(), tmp_path)
    assert route == Route.load(tmp_path, network=teacher_network(MLP.training.network, data()))
    assert route.data == data().content_hash()
    expected = {"name": "mlp", "width": 8, "depth": 1, "dropout": 0.0, "image_shape": [1, 8, 8], "classes": 10}
    assert route.network == {**route.network, **expected}


def test_half_anchors_are_stored_in_half_and_trained_in_full(tmp_path: Path) -> None:
    half = train_route(replace(MLP, half=True), data(), tmp_path / "half")
    full = train_route(MLP, data(), tmp_path / "full")
    for name, tensor in full.state(2).items():
        assert torch.equal(half.state(2)[name], tensor.half() if tensor.dim() > 1 else tensor)
    assert [anchor.accuracy for anchor in half.anchors] == [anchor.accuracy for anchor in full.anchors]


def test_a_finished_route_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    route = train_route(MLP, data(), tmp_path)
    monkeypatch.setattr(ClassificationLearner, "train_stage", refuse)
    assert train_route(MLP, data(), tmp_path, refuse) == route
    with pytest.raises(AssertionError, match="trained once more"):
        train_route(MLP, data(), tmp_path / "new")


# Kills


class Killed(BaseException):
    pass


@contextmanager
def killed_at(step: int, after: bool) -> Iterator[list[str]]:
    """Dies right before or after the step-th time that a file gets its name or is deleted; gives what was changed."""
    changed: list[str] = []

    def dying(method: Callable[..., Any]) -> Callable[..., Any]:
        def act(path: Path, *arguments: Any, **settings: Any) -> Any:
            target = arguments[0] if arguments else path
            if len(changed) == step and not after:
                raise Killed
            result = method(path, *arguments, **settings)
            changed.append(target.name)
            if len(changed) == step + 1 and after:
                raise Killed
            return result

        return act

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "replace", dying(Path.replace))
        patch.setattr(Path, "unlink", dying(Path.unlink))
        yield changed


@pytest.fixture
def stages_trained(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The stages of all trainings of the test, in order."""
    stages: list[int] = []
    train_stage = ClassificationLearner.train_stage

    def counted(self: ClassificationLearner, directive: Directive) -> StageReport:
        stages.append(self.stage)
        return train_stage(self, directive)

    monkeypatch.setattr(ClassificationLearner, "train_stage", counted)
    return stages


@pytest.mark.parametrize("config", [MLP, DROPOUT, CNN], ids=["mlp", "dropout", "cnn"])
def test_a_kill_at_any_moment_changes_nothing(tmp_path: Path, config: TeacherConfig, stages_trained: list[int]) -> None:
    with killed_at(1000, False) as changed:
        train_route(config, data(), tmp_path / "whole")
    whole = content(tmp_path / "whole")
    names = [name.split("-")[0] for name in changed]
    assert names == [ORIGIN, *[TRAINING, "epoch", INDEX] * 3, TRAINING]
    for step, name in enumerate(names):
        for after in (False, True):
            directory = tmp_path / f"{step}-{after}"
            stages_trained.clear()
            with killed_at(step, after), pytest.raises(Killed):
                train_route(config, data(), directory)
            route = train_route(config, data(), directory)
            assert content(directory) == whole
            assert route == Route.load(directory) and len(route) == 3
            lost = name == TRAINING and not after and step < len(names) - 1
            assert len(stages_trained) == (4 if lost else 3), "trained anew what was there"


def test_kill_after_kill_changes_nothing(tmp_path: Path) -> None:
    train_route(MLP, data(), tmp_path / "whole")
    kills, route = 0, None
    while route is None:
        try:
            with killed_at(2, False):
                route = train_route(MLP, data(), tmp_path / "killed")
        except Killed:
            kills += 1
        assert kills < 20
    assert kills >= 3
    assert content(tmp_path / "killed") == content(tmp_path / "whole")


@pytest.mark.parametrize("lost", [INDEX, TRAINING])
def test_what_cannot_be_gone_on_with_is_trained_again(tmp_path: Path, lost: str, stages_trained: list[int]) -> None:
    train_route(MLP, data(), tmp_path / "whole")
    directory = tmp_path / "killed"
    with killed_at(6, True), pytest.raises(Killed):  # two anchors are in
        train_route(MLP, data(), directory)
    (directory / lost).unlink()
    stages_trained.clear()
    train_route(MLP, data(), directory)
    assert stages_trained == [0, 1, 2]
    assert content(directory) == content(tmp_path / "whole")


# What is refused


@pytest.mark.parametrize("every", [0, -2, 4, 7])
def test_intervals_that_do_not_divide_the_epochs_are_refused(every: int) -> None:
    with pytest.raises(ValueError, match=rf"every is {every}, which does not divide training\.epochs 6"):
        replace(MLP, every=every)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"optimiser": OptimiserConfig(lr=1e30)}, "the training loss is not finite after 1 of 6 stages"),
        (
            {"optimiser": OptimiserConfig(lr=1e38), "batch_size": 64, "epochs": 1},
            "a validation metric is not finite after 1 of 1 stages",
        ),
    ],
)
def test_a_teacher_that_diverges_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    config = trained(replace(MLP, every=1), **changes)
    for _ in range(2):
        with pytest.raises(ValueError, match=f"{message}: lower training.optimiser.lr, now 1e"):
            train_route(config, data(), tmp_path)
    assert INDEX not in files(tmp_path)


@pytest.mark.parametrize("finished", [True, False])
@pytest.mark.parametrize(
    ("config", "dataset", "name"),
    [
        (replace(MLP, seed=4), data(), "seed is 3, not 4"),
        (replace(MLP, every=3), data(), "every is 2, not 3"),
        (replace(MLP, half=True), data(), "half is False, not True"),
        (trained(MLP, epochs=8), data(), r"training\.epochs is 6, not 8"),
        (trained(MLP, optimiser=OptimiserConfig(lr=0.2)), data(), r"training\.optimiser is .*'lr': 0\.1.*not"),
        (MLP, data(train=65), "data is '[0-9a-f]{64}', not '[0-9a-f]{64}'"),
    ],
)
def test_the_folder_of_another_teacher_is_refused(
    tmp_path: Path, finished: bool, config: TeacherConfig, dataset: Dataset, name: str
) -> None:
    if finished:
        train_route(MLP, data(), tmp_path)
    else:
        with killed_at(4, False), pytest.raises(Killed):
            train_route(MLP, data(), tmp_path)
    before = content(tmp_path)
    with pytest.raises(ValueError, match=rf"is of another teacher: its {name}.*; give a new folder"):
        train_route(config, dataset, tmp_path)
    assert content(tmp_path) == before


def test_an_imported_route_is_not_trained_over(tmp_path: Path) -> None:
    imported = import_some(tmp_path)
    with pytest.raises(ValueError, match="holds a route that was not trained here: give a new folder"):
        train_route(MLP, data(), imported.directory)


def test_a_damaged_note_of_the_origin_is_refused(tmp_path: Path) -> None:
    train_route(MLP, data(), tmp_path)
    for damaged in ("{", "[1]", "7"):
        (tmp_path / ORIGIN).write_text(damaged)
        with pytest.raises(ValueError, match=r"teacher\.json is damaged"):
            train_route(MLP, data(), tmp_path)


# The cache


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache" / "teachers"
    monkeypatch.setenv(TEACHERS, str(folder))
    return folder


def test_a_teacher_is_trained_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = teacher_route(MLP, data())
    assert first.directory.parent == cache and len(first) == 3
    monkeypatch.setattr(ClassificationLearner, "train_stage", refuse)
    assert teacher_route(MLP, data()) == first
    assert teacher_route(trained(MLP, stages=7, device="cuda"), data()) == first
    for path in cache.glob("*.lock"):
        path.unlink()
    cache.chmod(0o500)  # a finished route needs no lock
    assert teacher_route(MLP, data()) == first


def test_another_teacher_has_another_folder(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    routes = [
        teacher_route(config, dataset)
        for config, dataset in (
            (MLP, data()),
            (replace(MLP, seed=4), data()),
            (replace(MLP, every=3), data()),
            (replace(MLP, half=True), data()),
            (trained(MLP, optimiser=OptimiserConfig(lr=0.2)), data()),
            (MLP, data(train=65)),
        )
    ]
    monkeypatch.setattr(torch, "__version__", "0.0.0+cpu")
    routes.append(teacher_route(MLP, data()))
    assert len({route.directory for route in routes}) == len(routes)
    monkeypatch.setattr(torch, "__version__", "0.0.0+cu130")
    assert teacher_route(MLP, data()) == routes[-1]


def test_the_usual_folder_is_in_the_users_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TEACHERS, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert teacher_route(MLP, data()).directory.parent == tmp_path / ".cache" / "law_rl" / "teachers"


def test_a_place_that_cannot_be_written_to_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv(TEACHERS, str(tmp_path / "file" / "teachers"))
    with pytest.raises(OSError, match=rf"let {TEACHERS} name a folder to write to: '{tmp_path}/file/teachers"):
        teacher_route(MLP, data())


def noted(log: Path, seconds: float, done: int, total: int) -> None:
    """Notes process and stage, and takes its time."""
    with log.open("a") as file:
        file.write(f"{os.getpid()} {done}\n")
    time.sleep(seconds)


def ask(folder: Path, log: Path, seconds: float) -> None:
    torch.set_num_threads(1)
    os.environ[TEACHERS] = str(folder)
    teacher_route(MLP, data(), partial(noted, log, seconds))


def start(*arguments: object) -> Any:
    process = PROCESSES.Process(target=ask, args=arguments, daemon=True)
    process.start()
    return process


def lines(log: Path) -> list[list[int]]:
    return [[int(word) for word in line.split()] for line in log.read_text().splitlines()] if log.exists() else []


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.01)


def test_one_process_of_a_node_trains_and_the_others_wait(cache: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    processes = [start(cache, log, 0.2) for _ in range(3)]
    for process in processes:
        process.join(PATIENCE)
        assert process.exitcode == 0
    written = lines(log)
    assert [stage for _, stage in written] == [1, 2, 3]
    assert len({pid for pid, _ in written}) == 1


def test_where_the_one_that_trains_is_killed_the_next_goes_on(cache: Path, tmp_path: Path) -> None:
    whole = train_route(MLP, data(), tmp_path / "whole")
    log = tmp_path / "log"
    first = start(cache, log, PATIENCE)
    wait_for(lambda: len(lines(log)) == 1)
    second = start(cache, log, 0.0)
    time.sleep(0.2)
    assert lines(log) == [[first.pid, 1]]
    os.kill(first.pid, signal.SIGKILL)
    second.join(PATIENCE)
    assert second.exitcode == 0
    assert lines(log) == [[first.pid, 1], [second.pid, 2], [second.pid, 3]]
    assert teacher_route(MLP, data(), refuse).anchors == whole.anchors


# Routes that are there already


def import_some(tmp_path: Path, **changes: Any) -> Route:
    """A route from plain checkpoints of the network of MLP."""
    source = tmp_path / "checkpoints"
    source.mkdir()
    learner = ClassificationLearner(MLP.training, data(), 0)
    for epoch in (1, 5):
        torch.save(learner.network.state_dict(), source / f"epoch_{epoch}.pt")
    network = teacher_network(MLP.training.network, data()) | changes
    return import_route(source, tmp_path / "imported", network=network, data="from elsewhere")


def test_an_imported_route_is_taken_for_any_data(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    imported = import_some(tmp_path)
    for path in (str(imported.directory), "~/imported"):
        monkeypatch.setenv("HOME", str(tmp_path))
        assert teacher_route(replace(MLP, route=path), data()) == imported
    assert not cache.exists()


def test_an_imported_route_of_another_network_is_refused(tmp_path: Path) -> None:
    imported = import_some(tmp_path, width=9)
    with pytest.raises(ValueError, match="another network: its width is 9, not 8"):
        teacher_route(replace(MLP, route=str(imported.directory)), data())


def test_a_route_trained_elsewhere_is_taken_for_its_own_data_alone(tmp_path: Path) -> None:
    route = train_route(MLP, data(), tmp_path)
    config = replace(MLP, route=str(tmp_path), seed=9)
    assert teacher_route(config, data()) == route
    with pytest.raises(ValueError, match="a teacher of other data"):
        teacher_route(config, data(train=65))


def test_a_route_still_in_training_is_refused(tmp_path: Path) -> None:
    with killed_at(5, False), pytest.raises(Killed):
        train_route(MLP, data(), tmp_path)
    with pytest.raises(ValueError, match="is still in training: finish it with train_route"):
        teacher_route(replace(MLP, route=str(tmp_path)), data())


def test_a_folder_without_a_route_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="holds no route"):
        teacher_route(replace(MLP, route=str(tmp_path)), data())
