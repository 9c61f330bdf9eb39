import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import law_rl
from law_rl.distillation import route as route_module
from law_rl.distillation.import_route import import_route, read_checkpoint
from law_rl.distillation.route import INDEX, Route, RouteWriter

NETWORK = {"name": "mlp", "shape": (3, 4)}


def teacher(value: float = 1.0) -> nn.Module:
    network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(value)
    return network


def writer(directory: Path, **changes: Any) -> RouteWriter:
    settings = {"network": NETWORK, "data": "d" * 64, "every": 2, "epochs": 5, **changes}
    return RouteWriter(directory, **settings)


def train(directory: Path, first: int = 1, last: int = 5, **changes: Any) -> Route:
    """A teacher whose weights equal the epochs it was trained."""
    writing = writer(directory, **changes)
    for epoch in range(first, last + 1):
        if writing.due(epoch):
            writing.save(epoch, teacher(epoch), accuracy=10.0 * epoch)
    return writing.route


def files(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def test_a_route_comes_back_as_it_was_written(tmp_path: Path) -> None:
    train(tmp_path)
    route = Route.load(tmp_path, network=NETWORK, data="d" * 64)
    assert route.epochs == (2, 4, 5)
    assert [anchor.accuracy for anchor in route.anchors] == [20.0, 40.0, 50.0]
    assert (route.data, route.version, route.network["name"]) == ("d" * 64, law_rl.__version__, "mlp")
    for index, epoch in enumerate(route.epochs):
        state, expected = route.state(index), teacher(epoch).state_dict()
        assert state.keys() == expected.keys()
        assert all(torch.equal(state[name], expected[name]) for name in expected)
        assert all(state[name].dtype == expected[name].dtype for name in expected)
    assert files(tmp_path) == {INDEX, *(anchor.file for anchor in route.anchors)}


def test_half_rounds_the_matrices_alone(tmp_path: Path) -> None:
    writing = writer(tmp_path, half=True)
    writing.save(2, teacher(0.1), 50.0)
    state = Route.load(tmp_path).state(0)
    assert state["0.weight"].dtype == torch.float16
    assert torch.equal(state["0.weight"], torch.full((4, 3), 0.1).half())
    assert torch.equal(state["0.bias"], torch.full((4,), 0.1))
    with pytest.raises(ValueError, match=r"0\.weight holds values beyond the range of float16"):
        writing.save(4, teacher(1e5), 50.0)


def test_wrappers_leave_no_mark(tmp_path: Path) -> None:
    writer(tmp_path).save(2, nn.DataParallel(teacher()), None)
    assert Route.load(tmp_path).state(0).keys() == teacher().state_dict().keys()


def test_a_diverged_teacher_is_no_anchor(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"0\.weight holds values that are not finite"):
        writer(tmp_path).save(2, teacher(float("nan")), 50.0)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("accuracy", [float("nan"), -1.0, 101.0])
def test_an_accuracy_is_in_percent(tmp_path: Path, accuracy: float) -> None:
    with pytest.raises(ValueError, match="accuracy of epoch 2"):
        writer(tmp_path).save(2, teacher(), accuracy)


class Killed(BaseException):
    pass


@pytest.mark.parametrize("at", ["write_json", "replace"])
def test_a_kill_between_anchor_and_index_loses_that_anchor_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    train(tmp_path / "whole")
    killed = tmp_path / "killed"
    train(killed, last=3)

    def kill(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        if at == "write_json":
            patch.setattr(route_module, "write_json", kill)  # the anchor's file is there, the index not
        else:
            patch.setattr(Path, "replace", kill)  # the anchor's file has its temporary name
        train(killed, first=4)
    assert Route.load(killed).epochs == (2,)
    train(killed, first=4)
    left_over = {name for name in files(killed) if name.endswith(".tmp")}
    assert files(killed) - left_over == files(tmp_path / "whole")
    assert (killed / INDEX).read_bytes() == (tmp_path / "whole" / INDEX).read_bytes()


def test_a_training_resumed_earlier_replaces_what_came_after(tmp_path: Path) -> None:
    train(tmp_path)
    writing = writer(tmp_path)
    writing.save(4, teacher(44.0), 44.0)
    route = Route.load(tmp_path)
    assert route.epochs == (2, 4) and route.anchors[1].accuracy == 44.0
    assert files(tmp_path) == {INDEX, *(anchor.file for anchor in route.anchors)}


def test_saving_the_same_anchor_again_keeps_its_file(tmp_path: Path) -> None:
    before = train(tmp_path)
    writer(tmp_path).save(5, teacher(5), 50.0)
    assert Route.load(tmp_path).anchors == before.anchors


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"network": {**NETWORK, "name": "cnn"}}, "another network: its name is 'mlp', not 'cnn'"),
        ({"network": {**NETWORK, "width": 3}}, "another network: its width is None, not 3"),
        ({"data": "e" * 64}, "a teacher of other data"),
        ({"every": 0}, "every is 0"),
        ({"epochs": 0}, "epochs is 0"),
    ],
)
def test_a_writer_refuses_another_teachers_folder(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    train(tmp_path)
    with pytest.raises(ValueError, match=message):
        writer(tmp_path, **changes)


def edit(directory: Path, change: Callable[[dict[str, Any]], object]) -> None:
    index = json.loads((directory / INDEX).read_text())
    change(index)
    (directory / INDEX).write_text(json.dumps(index))


def flip_a_byte(directory: Path) -> None:
    path = sorted(directory.glob("epoch-0004*"))[0]
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (flip_a_byte, r"the anchor of epoch 4, is not the file that route\.json names"),
        (lambda d: sorted(d.glob("epoch-0004*"))[0].unlink(), "the anchor of epoch 4, is missing"),
        (lambda d: (d / INDEX).write_text("{"), "is damaged or not an index"),
        (lambda d: (d / INDEX).write_text("[]"), "is damaged or not an index"),
        (lambda d: (d / INDEX).write_bytes(b"\xff"), "is damaged or not an index"),
        (lambda d: edit(d, lambda i: i.update(schema=2)), "its schema is 2"),
        (lambda d: edit(d, lambda i: i.pop("network")), "it has no 'network'"),
        (lambda d: edit(d, lambda i: i["anchors"][0].pop("sha256")), "it has no 'sha256'"),
        (lambda d: edit(d, lambda i: i["anchors"][0].update(file="../x")), "a file name without a folder"),
        (lambda d: edit(d, lambda i: i["anchors"][0].update(epoch="2")), "epoch is '2'"),
        (lambda d: edit(d, lambda i: i["anchors"][0].update(epoch=4)), r"its epochs \[4, 4, 5\] do not ascend"),
        (lambda d: edit(d, lambda i: i.update(anchors=[])), "it has no anchors"),
    ],
)
def test_damage_is_named_in_one_sentence(tmp_path: Path, damage: Callable[[Path], object], message: str) -> None:
    train(tmp_path)
    Route.load(tmp_path)
    damage(tmp_path)
    with pytest.raises(ValueError, match=message) as caught:
        Route.load(tmp_path)
    assert str(tmp_path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_file_changed_after_loading_is_noticed(tmp_path: Path) -> None:
    train(tmp_path)
    route = Route.load(tmp_path)
    flip_a_byte(tmp_path)
    route.state(0)
    with pytest.raises(ValueError, match="sha256 differs"):
        route.state(1)


def test_a_folder_without_a_route(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="holds no route"):
        Route.load(tmp_path)


def test_selected_anchors_are_a_route(tmp_path: Path) -> None:
    route = train(tmp_path).select([2, 0])
    assert route.epochs == (2, 5)
    assert route.state(1)["0.bias"].tolist() == [5.0] * 4
    with pytest.raises(ValueError, match="no anchors"):
        route.select([])


def checkpoint(path: Path, content: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(content, path)
    return path


def bring_in(tmp_path: Path, **changes: Any) -> Route:
    return import_route(tmp_path / "old", tmp_path / "new", **{"network": NETWORK, "data": "d", **changes})


def test_checkpoints_become_a_route(tmp_path: Path) -> None:
    old = tmp_path / "old"
    checkpoint(old / "epoch_10.pt", teacher(10).state_dict())
    checkpoint(old / "resnet18.pth", {"model": teacher(3).state_dict(), "epoch": 3, "lr": 0.1})
    checkpoint(old / "net-epoch=2-step=40.ckpt", {"state_dict": nn.DataParallel(teacher(2)).state_dict()})
    checkpoint(old / "checkpoint-7.pth.tar", {"model_state_dict": teacher(7).state_dict()})
    (old / "log.txt").write_text("not a checkpoint")
    bring_in(tmp_path)
    route = Route.load(tmp_path / "new", network=NETWORK, data="d")
    assert route.epochs == (2, 3, 7, 10)
    assert [route.state(index)["0.bias"][0].item() for index in range(4)] == [2, 3, 7, 10]
    assert {anchor.accuracy for anchor in route.anchors} == {None}
    with pytest.raises(ValueError, match="already holds a route"):
        bring_in(tmp_path)


class Harmful:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def test_code_in_a_checkpoint_is_not_run(tmp_path: Path) -> None:
    checkpoint(tmp_path / "old" / "epoch_1.pt", {"state_dict": Harmful(tmp_path / "harm")})
    with pytest.raises(ValueError, match=r"epoch_1\.pt is damaged or holds more than tensors"):
        bring_in(tmp_path)
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize("keep", [0, 1, 20, 200, -30])
def test_a_damaged_checkpoint_is_named(tmp_path: Path, keep: int) -> None:
    path = checkpoint(tmp_path / "old" / "epoch_1.pt", teacher().state_dict())
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match=r"epoch_1\.pt is damaged"):
        bring_in(tmp_path)
    assert not (tmp_path / "new" / INDEX).exists()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("epoch_1.pt", torch.zeros(3), "holds a Tensor"),
        ("epoch_1.pt", {"optimiser": {"lr": 0.1}}, "no state dict of tensors"),
        ("epoch_1.pt", {}, "no state dict of tensors"),
        ("best.pt", {"w": torch.zeros(2)}, "does not say its epoch"),
        ("resnet18.pt", {"w": torch.zeros(2)}, "does not say its epoch"),
    ],
)
def test_what_is_no_checkpoint_is_refused(tmp_path: Path, name: str, content: object, message: str) -> None:
    path = checkpoint(tmp_path / name, content)
    with pytest.raises(ValueError, match=message):
        read_checkpoint(path)


def test_two_checkpoints_of_one_epoch_are_refused(tmp_path: Path) -> None:
    checkpoint(tmp_path / "old" / "epoch_1.pt", teacher().state_dict())
    checkpoint(tmp_path / "old" / "last.pt", {"model": teacher().state_dict(), "epoch": 1})
    with pytest.raises(ValueError, match=r"last\.pt and epoch_1\.pt are both of epoch 1"):
        bring_in(tmp_path)


def test_checkpoints_of_two_networks_are_refused(tmp_path: Path) -> None:
    checkpoint(tmp_path / "old" / "epoch_1.pt", teacher().state_dict())
    checkpoint(tmp_path / "old" / "epoch_2.pt", nn.Linear(3, 4).state_dict())
    with pytest.raises(ValueError, match=r"epoch_2\.pt is of another network than epoch_1\.pt \(0\.weight differs\)"):
        bring_in(tmp_path)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no checkpoints"):
        bring_in(tmp_path)
