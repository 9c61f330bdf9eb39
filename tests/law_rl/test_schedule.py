import json
import math
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from law_rl import Schedule
from law_rl.actions import Heads, LossWeights, SampleWeights, TeacherAnchor
from law_rl.actor import MlpActor, TableActor
from law_rl.files import load_tree, save_tree
from law_rl.learner import Directive
from law_rl.observation import FOLLOWER, LAW_STATE, StageView
from law_rl.schedule import FORMAT, VERSION, ScheduleError
from law_rl.weighting import LinearTanh

GOLDEN = Path(__file__).parents[1] / "golden" / "schedule.safetensors"
GOLDEN_HASH = "6ad083974900aca19cc8c72ed6ae6a0a823f9a9dee38c81725c39adb3de1e4f1"


def golden() -> Schedule:
    """What the golden file holds; a change here, or of its hash, breaks the files that users have."""
    weight = torch.arange(14, dtype=torch.float32).reshape(2, 7) / 16 - 0.4
    return Schedule(
        actor=MlpActor(weights=(weight,), biases=(torch.tensor([0.25, -0.5]),), output="clip"),
        action=SampleWeights(features=("own_confidence_in_class",), gain=4.0),
        observation=FOLLOWER,
        stages=10,
        warmup=1,
        memory_decay=0.8,
        provenance={"experiment": "golden", "training_seeds": [0, 1], "validation_gain": {"mean": 1.5, "none": None}},
    )


def table(**changes: Any) -> Schedule:
    actions = torch.tensor([[0.0, 0.0], [-0.5, 0.25], [2.0, -0.25], [-1.0, 0.0]])
    head = SampleWeights(features=("loss",))
    schedule = Schedule(
        actor=TableActor(actions=actions), action=head, observation=("progress",), stages=4, warmup=1, memory_decay=0.8
    )
    return replace(schedule, **changes)


def law() -> Schedule:
    actor = MlpActor(
        weights=(torch.full((6, 5), 0.1), torch.full((2, 6), -0.1)),
        biases=(torch.zeros(6), torch.full((2,), 0.3)),
        embedding=torch.eye(6)[:, :2],
    )
    return table(actor=actor, observation=LAW_STATE)


HEADS = Heads(
    sample_weights=SampleWeights(features=("teacher_divergence",), gain=2.0),
    teacher_anchor=TeacherAnchor(),
    loss_weights=LossWeights(terms=("ce", "kd"), usual=(0.1, 0.9), most=(1.0, 1.2)),
)


def distilling(action: Any = HEADS) -> Schedule:
    size = len(action.names)
    entries = torch.linspace(-1.5, 1.5, 4 * size).reshape(4, size)
    return table(actor=TableActor(actions=entries), action=action)


SCHEDULES: dict[str, Callable[[], Schedule]] = {
    "golden": golden,
    "table": table,
    "law": law,
    "distilling": distilling,
    "of a teacher": lambda: distilling(TeacherAnchor()),
    "of losses": lambda: distilling(HEADS.loss_weights),
}


def view(stage: int, stages: int = 4, **changes: Any) -> StageView:
    plain = StageView(
        stage=stage, stages=stages, lr=0.05, lr0=0.1, ema_loss=1.2, ema_weight=0.9, loss_quantiles=(0.1, 0.7, 3.0)
    )
    return replace(plain, **changes)


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_survives_its_file(name: str, tmp_path: Path) -> None:
    schedule = SCHEDULES[name]()
    schedule.save(tmp_path / "deep" / "s.safetensors")
    for path in (tmp_path / "deep" / "s.safetensors", str(tmp_path / "deep" / "s.safetensors")):
        loaded = Schedule.load(path)
        assert loaded.hash == schedule.hash
        assert loaded.to_json() == schedule.to_json()
        assert (loaded.action, loaded.observation) == (schedule.action, schedule.observation)
        for stage in range(8):
            assert loaded.directive(view(stage, 8)) == schedule.directive(view(stage, 8))


def test_the_golden_file_still_loads() -> None:
    loaded = Schedule.load(GOLDEN)
    assert loaded.hash == golden().hash == GOLDEN_HASH
    assert loaded.to_json() == golden().to_json()
    rule = loaded.directive(view(5, 10)).weighting
    assert isinstance(rule, LinearTanh) and rule.features == ("own_confidence_in_class",)
    values = [0.5, 0.5, 1.2, 0.9, 0.1, 0.7, 3.0]
    expected = [sum(((7 * j + i) / 16 - 0.4) * v for i, v in enumerate(values)) + b for j, b in ((0, 0.25), (1, -0.5))]
    clipped = [min(max(entry, -1.0), 1.0) for entry in expected]
    assert [*rule.weights, rule.bias] == pytest.approx(clipped, abs=1e-6)


@pytest.mark.parametrize("name", SCHEDULES)
def test_the_file_does_not_depend_on_where_and_when_it_was_written(name: str, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        SCHEDULES[name]().save(tmp_path / folder / "s")
    assert (tmp_path / "a" / "s").read_bytes() == (tmp_path / "b" / "s").read_bytes()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": {"b": 1}}, {"a": {}, "b": 1}),
        ({"a": [1, 23]}, {"a": [12, 3]}),
        ({"a": [[], [1]]}, {"a": [[1], []]}),
        ({"a": 1}, {"a": 1.0}),
        ({"a": 1}, {"a": "1"}),
        ({"a": 1}, {"a": True}),
        ({"a": None}, {"a": "null"}),
        ({"a": None}, {}),
        ({'a"1': 1}, {"a": 1}),
    ],
)
def test_different_contents_have_different_hashes(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert table(provenance=one).hash != table(provenance=other).hash
    assert table(provenance=one).hash == table(provenance=dict(one)).hash


def test_every_part_counts_in_the_hash() -> None:
    actions = torch.zeros(4, 2)
    changes: list[dict[str, Any]] = [
        {},
        {"actor": TableActor(actions=actions)},
        {"actor": TableActor(actions=actions.double())},
        {"actor": TableActor(actions=torch.zeros(2, 2))},
        {"actor": TableActor(actions=torch.full((4, 2), -0.0))},
        {"action": SampleWeights(features=("margin",))},
        {"action": SampleWeights(features=("loss",), gain=5.0)},
        {"action": Heads(sample_weights=SampleWeights(features=("loss",)))},
        {"action": LossWeights(terms=("ce", "kd"), usual=(0.1, 0.9), most=(1.0, 1.0))},
        {"action": LossWeights(terms=("ce", "kd"), usual=(0.1, 0.8), most=(1.0, 1.0))},
        {"action": LossWeights(terms=("ce", "kd"), usual=(0.1, 0.9), most=(1.0, 2.0))},
        {"action": LossWeights(terms=("ce", "cc"), usual=(0.1, 0.9), most=(1.0, 1.0))},
        {"observation": ("lr",)},
        {"stages": 5},
        {"warmup": 0},
        {"memory_decay": 0.7},
        {"provenance": {"a": 1}},
    ]
    assert len({table(**change).hash for change in changes}) == len(changes)


def test_a_warm_up_stage_is_uniform_and_later_ones_follow_the_actor() -> None:
    schedule = table()
    assert schedule.kind == "table" and golden().kind == "policy"
    expected = [
        Directive(),
        Directive(weighting=LinearTanh(features=("loss",), weights=(-0.5,), bias=0.25)),
        Directive(weighting=LinearTanh(features=("loss",), weights=(1.0,), bias=-0.25)),
        Directive(weighting=LinearTanh(features=("loss",), weights=(-1.0,), bias=0.0)),
    ]
    assert [schedule.directive(view(stage)) for stage in range(4)] == expected
    stretched = [schedule.directive(view(stage, 10)) for stage in range(10)]
    assert stretched == [expected[k * 4 // 10] for k in range(10)]


def test_a_schedule_of_all_heads_says_which_teacher_and_which_losses() -> None:
    schedule = distilling()
    assert schedule.directive(view(0)) == Directive()
    rows = torch.linspace(-1.5, 1.5, 20).reshape(4, 5).clamp(-1, 1).tolist()
    for stage in (1, 2, 3):
        weight, bias, anchor, ce, kd = rows[stage]
        directive = schedule.directive(view(stage))
        rule = LinearTanh(features=("teacher_divergence",), weights=(weight,), bias=bias, gain=2.0)
        assert directive.weighting == rule
        assert directive.anchor == pytest.approx((1 + anchor) / 2)
        expected = [u * (1 + e) if e <= 0 else u + e * (m - u) for u, m, e in ((0.1, 1.0, ce), (0.9, 1.2, kd))]
        assert list(directive.losses) == ["ce", "kd"] and [*directive.losses.values()] == pytest.approx(expected)


def test_a_schedule_knows_what_it_needs() -> None:
    assert not table().needs_validation
    assert table(observation=("progress", "validation")).needs_validation
    assert table(observation=("advantage",)).needs_validation


def test_its_json_is_plain_and_whole() -> None:
    content = json.loads(json.dumps(table(provenance={"seeds": [1, 2]}).to_json()))
    assert content["kind"] == "table"
    assert content["action"]["names"] == ["weight of loss", "bias"]
    assert content["provenance"] == {"seeds": [1, 2]}
    assert content["actor"]["actions"][1] == [-0.5, 0.25]


# Files that are not what was written


def refused(path: Path) -> str:
    """The reason for which the file is refused: one line that names it."""
    with pytest.raises(ValueError) as raised:
        Schedule.load(path)
    assert type(raised.value) is ScheduleError
    text = str(raised.value)
    assert str(path) in text and "\n" not in text
    return text


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("schedule") / "s.safetensors"
    golden().save(path)
    return path.read_bytes()


def test_a_truncated_file_is_refused(written: bytes, tmp_path: Path) -> None:
    path = tmp_path / "cut.safetensors"
    for length in [*range(0, 40), *range(40, len(written), 29), len(written) - 1]:
        path.write_bytes(written[:length])
        assert "is truncated or not a schedule" in refused(path)


def check_flip(written: bytes, place: int, mask: int, path: Path) -> None:
    changed = bytearray(written)
    changed[place] ^= mask
    path.write_bytes(bytes(changed))
    try:
        loaded = Schedule.load(path)
    except ScheduleError as error:
        assert str(path) in str(error) and "\n" not in str(error)
    else:
        assert loaded.hash == golden().hash
        assert loaded.to_json() == golden().to_json()


def test_no_byte_can_be_changed_unnoticed(written: bytes, tmp_path: Path) -> None:
    for place in range(len(written)):
        check_flip(written, place, 1 << place % 7, tmp_path / "flipped.safetensors")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None)
@given(data=st.data())
def test_no_bits_of_a_byte_can_be_changed_unnoticed(data: st.DataObject, written: bytes, tmp_path: Path) -> None:
    place, mask = data.draw(st.integers(0, len(written) - 1)), data.draw(st.integers(1, 255))
    check_flip(written, place, mask, tmp_path / "flipped.safetensors")


def test_changed_content_is_named_as_changed(tmp_path: Path) -> None:
    path = tmp_path / "s"
    table().save(path)
    tree = load_tree(path)
    for part, value in (("stages", 5), ("provenance", {"gain": 99}), ("memory_decay", 0.1)):
        save_tree(path, tree | {"body": tree["body"] | {part: value}})
        assert "was changed after it was written" in refused(path)
    tree["body"]["actor"]["actions"][0, 0] = math.inf
    save_tree(path, tree)
    assert "was changed after it was written" in refused(path)
    save_tree(path, {"format": FORMAT, "version": VERSION, "body": "nothing"})
    assert "was changed after it was written" in refused(path)


def test_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s"
    table().save(path)
    save_tree(path, load_tree(path) | {"version": VERSION + 1})
    assert f"has schedule version {VERSION + 1}, this law-rl reads {VERSION}: upgrade law-rl" in refused(path)


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "foreign"
    save_file({"weight": torch.ones(3)}, path)
    assert "is truncated or not a schedule" in refused(path)
    save_tree(path, {"experiment": "x"})
    assert "is a file of another kind" in refused(path)
    foreign = [b"A text that somebody wrote.\n" * 9, pickle.dumps({"a": [1, 2]}), b"\x89PNG\r\n\x1a\n" + bytes(100)]
    for content in foreign:
        path.write_bytes(content)
        assert "is truncated or not a schedule" in refused(path)
    torch.save({"weight": torch.ones(3)}, path)
    assert "is truncated or not a schedule" in refused(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "nothing.safetensors", tmp_path):
        assert "there is no schedule at" in refused(path)


LAYER = {"weight": torch.zeros(2, 1), "bias": torch.zeros(2)}
MLP = {
    "kind": "mlp",
    "layers": {"0": LAYER},
    "activation": "relu",
    "output": "clip",
    "exploration": "none",
    "log_std": {},
}


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"kind": "transformer"}, "actor kind 'transformer' is not known"),
        ({}, "lacks an entry"),
        ({"kind": "table"}, "lacks an entry"),
        ({"kind": "table", "actions": "none"}, "lacks an entry"),
        ({"kind": "table", "actions": torch.zeros(0, 2)}, "the actor does not fit the observation progress"),
        ({"kind": "table", "actions": torch.zeros(4, 3)}, r"gives \(3,\) numbers where 2 have a meaning"),
        (MLP | {"layers": {"0": {"weight": torch.zeros(2, 9), "bias": torch.zeros(2)}}}, "the actor does not fit"),
        (MLP | {"layers": {"1": LAYER}}, "lacks an entry"),
        (MLP | {"layers": {"0": LAYER | {"weight": "none"}}}, "lacks an entry"),
        (MLP | {"layers": {}}, "the actor does not fit"),
        (MLP | {"activation": "swish"}, "activation is 'swish'"),
        (MLP | {"layers": {"0": LAYER | {"bias": torch.zeros(2).bfloat16()}}}, "the actor does not fit"),
    ],
)
def test_a_file_that_another_version_wrote_with_a_right_hash_is_refused(
    tree: dict[str, Any], message: str, tmp_path: Path
) -> None:
    actor: Any = SimpleNamespace(act=lambda observation, stage: torch.zeros(2), to_tree=lambda: tree)
    table(actor=actor).save(tmp_path / "s")
    assert refused(tmp_path / "s")
    with pytest.raises(ScheduleError, match=message):
        Schedule.load(tmp_path / "s")


@pytest.mark.parametrize(
    ("action", "message"),
    [
        ({"head": "temperature"}, "has the head 'temperature', which this law-rl does not know: upgrade law-rl"),
        ({**HEADS.to_json(), "temperature": {"head": "temperature"}}, "has the head 'temperature', which this law-rl"),
        ({}, "lacks an entry of a schedule"),
        ({"head": ["loss_weights"]}, "lacks an entry of a schedule"),
        ({"head": "loss_weights", "terms": ["ce", "kd"]}, "lacks an entry of a schedule"),
        ({"head": "loss_weights", "terms": ["ce"], "usual": [2.0], "most": [1.0]}, "ce is usually weighted 2.0"),
        ({"head": "loss_weights", "terms": ["ce"], "usual": ["a"], "most": [1.0]}, "lacks an entry of a schedule"),
        ({"head": "heads"}, "no head is given"),
        (
            {"head": "heads", "teacher_anchor": {"head": "teacher_anchor"}},
            r"gives \(2,\) numbers where 1 have a meaning",
        ),
        ({"head": "sample_weights", "features": ["loss"], "gain": 1e9}, "gain is 1000000000.0"),
    ],
)
def test_a_file_with_an_action_that_has_no_meaning_is_refused(
    action: dict[str, Any], message: str, tmp_path: Path
) -> None:
    made: Any = SimpleNamespace(names=("a", "b"), to_json=lambda: action)
    table(action=made).save(tmp_path / "s")
    assert refused(tmp_path / "s")
    with pytest.raises(ScheduleError, match=message):
        Schedule.load(tmp_path / "s")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"observation": ("weather",)}, "observation names 'weather'"),
        ({"warmup": 4}, "warmup is 4 of 4 stages"),
        ({"warmup": -1}, "warmup is -1 of 4 stages"),
        ({"memory_decay": 1.0}, "memory_decay is 1.0"),
        ({"memory_decay": math.nan}, "memory_decay is nan"),
        ({"action": SampleWeights(features=("loss", "margin"))}, r"gives \(2,\) numbers where 3 have a meaning"),
        ({"actor": TableActor(actions=torch.full((4, 2), math.nan))}, "holds a number that is not finite"),
        ({"actor": TableActor(actions=torch.tensor([[0.0, math.inf]]))}, "holds a number that is not finite"),
        ({"provenance": {"gain": [math.nan]}}, "provenance holds a number that is not finite"),
    ],
)
def test_a_schedule_that_cannot_be_followed_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        table(**changes)


def test_saving_leaves_no_other_file_behind(tmp_path: Path) -> None:
    table().save(tmp_path / "s.safetensors")
    golden().save(tmp_path / "s.safetensors")
    assert [entry.name for entry in tmp_path.iterdir()] == ["s.safetensors"]
    assert Schedule.load(tmp_path / "s.safetensors").hash == golden().hash
