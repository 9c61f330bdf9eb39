import io
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.nn import functional

from law_rl import Schedule
from law_rl.actions import Action, Heads, LossWeights, SampleWeights, TeacherAnchor
from law_rl.actor import MlpActor, TableActor
from law_rl.classification.learner import ClassificationConfig, ClassificationLearner
from law_rl.classification.networks import NetworkConfig, build_network
from law_rl.classification.optimisation import OptimiserConfig
from law_rl.counters import torch_generator
from law_rl.data.batches import epoch_batches, epoch_order
from law_rl.data.dataset import Dataset, Split
from law_rl.distillation.congruence import correlation_congruence_loss
from law_rl.distillation.hint import mimic_loss
from law_rl.distillation.kd import kd_loss
from law_rl.distillation.learner import DistillationConfig, DistillationLearner, LossTerms
from law_rl.distillation.route import Route
from law_rl.distillation.teacher import TeacherConfig, train_route
from law_rl.distillation.teacher_outputs import TeacherOutputs
from law_rl.evaluate import Follow
from law_rl.features import FEATURE_NAMES, OF_CODECS, WITH_TEACHER
from law_rl.learner import BASELINE, Directive
from law_rl.observation import FOLLOWER, LAW_STATE

SAMPLES, CLASSES, BATCH, EPOCHS, STAGES, SEED = 50, 3, 8, 5, 4, 7
STEPS = 35  # seven batches an epoch: stages end within epochs
DECAY = 0.7
OWN_FEATURES = tuple(name for name in FEATURE_NAMES if name not in WITH_TEACHER | OF_CODECS)
Network = torch.nn.Sequential


def dataset() -> Dataset:
    generator = torch_generator(0, "test images")
    images = torch.randint(0, 256, (SAMPLES, 1, 3, 3), generator=generator, dtype=torch.uint8)
    targets = torch.randint(0, CLASSES, (SAMPLES,), generator=generator)
    split = Split(images=images, targets=targets)
    names = tuple("abc")
    return Dataset(
        name="tiny", class_names=names, mean=(127.0,), std=(74.0,), train=split, validation=split, test=split
    )


def make_learner(features: tuple[str, ...]) -> ClassificationLearner:
    config = ClassificationConfig(
        network=NetworkConfig(width=8, depth=1),
        optimiser=OptimiserConfig(lr=0.1, milestones=(0.5, 0.8)),
        batch_size=BATCH,
        epochs=EPOCHS,
        stages=STAGES,
        features=features,
        memory_decay=DECAY,
    )
    return ClassificationLearner(config, dataset(), SEED)


def schedule(features: tuple[str, ...], observation: tuple[str, ...] = FOLLOWER, **changes: Any) -> Schedule:
    """A policy of sample weights."""
    return policy(SampleWeights(features=features, gain=1.0), observation, **changes)


def policy(head: Action, observation: tuple[str, ...] = FOLLOWER, **changes: Any) -> Schedule:
    """A policy with random weights, whose actions move with everything that it sees."""
    generator = torch_generator(1, "test policy")
    inputs, embedding = len(observation), None
    if observation == LAW_STATE:
        inputs, embedding = inputs + 2, torch.randn(STAGES + 2, 3, generator=generator)
    actor = MlpActor(
        weights=(torch.randn(6, inputs, generator=generator), torch.randn(len(head.names), 6, generator=generator)),
        biases=(torch.randn(6, generator=generator), torch.randn(len(head.names), generator=generator)),
        activation="tanh",
        embedding=embedding,
    )
    settings: dict[str, Any] = {
        "actor": actor,
        "stages": STAGES,
        "warmup": 1,
        "memory_decay": DECAY,
        "observation": observation,
    }
    return Schedule(action=head, **(settings | changes))


def table(actions: torch.Tensor, **changes: Any) -> Schedule:
    settings: dict[str, Any] = {"observation": ("progress",), "actor": TableActor(actions=actions)}
    return schedule(("loss",), **(settings | changes))


# The host: a plain training loop that knows torch and `law_rl.Schedule` alone.


class Host:
    def __init__(self, schedule: Schedule, network: Network, steps: int, labels: torch.Tensor | None) -> None:
        self.network = network
        self.optimiser = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4, fused=True)
        self.follower = schedule.follow(steps, targets=labels)

    def step(self, inputs: torch.Tensor, targets: torch.Tensor, ids: torch.Tensor, lr: float) -> torch.Tensor:
        self.optimiser.param_groups[0]["lr"] = lr
        logits = self.network(inputs)
        losses = functional.cross_entropy(logits, targets, reduction="none")
        weights = self.follower.weights(losses, logits=logits, targets=targets, lr=lr, ids=ids)
        self.optimiser.zero_grad()
        (losses * (weights / weights.sum())).sum().backward()
        self.optimiser.step()
        return weights

    def state(self) -> bytes:
        states = {"follower": self.follower.state_dict(), "optimiser": self.optimiser.state_dict()}
        file = io.BytesIO()
        torch.save(states | {"network": self.network.state_dict()}, file)
        return file.getvalue()

    def load(self, state: bytes) -> None:
        states = torch.load(io.BytesIO(state), weights_only=True)
        self.network.load_state_dict(states["network"])
        self.optimiser.load_state_dict(states["optimiser"])
        self.follower.load_state_dict(states["follower"])


def plain_network(parameters: list[torch.Tensor]) -> Network:
    network = Network(torch.nn.Flatten(), torch.nn.Linear(9, 8), torch.nn.ReLU(), torch.nn.Linear(8, CLASSES))
    for own, value in zip(network.parameters(), parameters, strict=True):
        own.data.copy_(value)
    return network


def batches() -> list[torch.Tensor]:
    return [ids for epoch in range(EPOCHS) for ids in epoch_batches(epoch_order(SAMPLES, SEED, epoch), BATCH)]


def rate(step: int) -> float:
    return 0.1 * 0.1 ** sum(step / STEPS >= milestone for milestone in (0.5, 0.8))


def run_host(
    host: Host, start: int = 0, end: int = STEPS, after: Callable[[torch.Tensor], Any] = lambda weights: None
) -> None:
    train = dataset().train
    inputs = (train.images - torch.tensor(127.0)) / 74.0
    for step, ids in enumerate(batches()[start:end], start):
        after(host.step(inputs[ids], train.targets[ids], ids, rate(step)))


def make_host(followed: Schedule) -> Host:
    initial = [parameter.detach() for parameter in make_learner(("loss",)).network.parameters()]
    return Host(followed, plain_network(initial), STEPS, dataset().train.targets)


SCHEDULES = {
    "of one feature": schedule(("loss",)),
    "of every feature": schedule(OWN_FEATURES),
    "with LAW's state": schedule(("loss", "entropy"), LAW_STATE),
    "with memory and no warm-up": schedule(("own_loss_in_class", "own_agreement"), warmup=0),
    "as a table": table(torch.tensor([[0.0, 0.0], [-0.9, 0.1], [0.4, -0.5], [-1.0, 0.2]])),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_plain_loop_ends_with_the_bits_of_a_learner_under_the_schedule(name: str) -> None:
    followed = SCHEDULES[name]
    learner, host = make_learner(followed.action.features), make_host(followed)
    curriculum = Follow(schedule=followed)
    while learner.stage < learner.stages:
        assert not learner.train_stage(curriculum.directive(learner)).failure
    given: list[torch.Tensor] = []
    run_host(host, after=given.append)
    assert torch.cat(given).std() > 0.01, "the schedule must do something"
    for own, other in zip(learner.network.parameters(), host.network.parameters(), strict=True):
        assert torch.equal(own, other)


@pytest.mark.parametrize("pause", [0, 1, 9, 12, 17, 34])
def test_following_goes_on_from_a_state_bit_for_bit(pause: int) -> None:
    followed = schedule(OWN_FEATURES)
    whole, first, second = (make_host(followed) for _ in range(3))
    run_host(whole)
    run_host(first, 0, pause)
    run_host(second, 0, 5)  # what a state replaces
    second.load(first.state())
    run_host(second, pause)
    for own, other in zip(whole.network.parameters(), second.network.parameters(), strict=True):
        assert torch.equal(own, other)


def weights_of(followed: Schedule, steps: int, **changes: Any) -> list[float]:
    """The first sample's weight at each step of a training whose losses do not matter."""
    follower = followed.follow(steps)
    arguments: dict[str, Any] = {
        "logits": torch.zeros(2, CLASSES),
        "targets": torch.tensor([0, 1]),
        "lr": 0.1,
    } | changes
    return [follower.weights(torch.tensor([1.0, 2.0]), **arguments)[0].item() for _ in range(steps)]


BIASES = torch.tensor([[0.0, 0.9], [0.0, 0.25], [0.0, -0.25], [0.0, -0.5]])


@pytest.mark.parametrize("steps", [4, 5, 7, 16, 33, 1000])
def test_stages_are_stretched_to_the_length_of_the_training(steps: int) -> None:
    got = weights_of(table(BIASES), steps)
    boundaries = [round(k * steps / STAGES) for k in range(STAGES)] + [steps]
    expected = [1.0, *(1 + torch.tanh(BIASES[1:, 1])).tolist()]
    for k in range(STAGES):
        part = got[boundaries[k] : boundaries[k + 1]]
        assert len(part) >= 1 and part == pytest.approx([expected[k]] * len(part))


def test_following_warns_of_a_training_that_is_too_short() -> None:
    with pytest.raises(ValueError, match="total_steps is 3: give at least the schedule's 4 stages"):
        table(BIASES).follow(3)


def test_a_schedule_that_looks_at_validation_data_is_refused() -> None:
    with pytest.raises(ValueError, match="this schedule looks at validation data"):
        table(BIASES, observation=("progress", "validation")).follow(100)


def test_labels_and_ids_are_asked_for_where_a_feature_remembers() -> None:
    followed = schedule(("own_loss", "label_prior"))
    with pytest.raises(ValueError, match="own_loss, label_prior look at the whole training set: give targets"):
        weights_of(followed, STEPS)
    follower = followed.follow(STEPS, targets=torch.tensor([0, 1, 1]))
    with pytest.raises(ValueError, match="own_loss remember single samples: give ids"):
        follower.weights(torch.ones(2), logits=torch.zeros(2, CLASSES), targets=torch.tensor([0, 1]), lr=0.1)


def test_a_state_of_another_training_is_refused() -> None:
    state = table(BIASES).follow(100).state_dict()
    with pytest.raises(ValueError, match="the state is of a training of 100 steps, this one has 90: give that number"):
        table(BIASES).follow(90).load_state_dict(state)


def test_weights_are_detached_and_between_zero_and_two() -> None:
    follower = schedule(("loss",), warmup=0).follow(STEPS)
    logits = torch.randn(6, CLASSES, generator=torch_generator(0, "test logits")).requires_grad_()
    losses = functional.cross_entropy(logits, torch.arange(6) % 3, reduction="none")
    weights = follower.weights(losses, logits=logits, targets=torch.arange(6) % 3, lr=0.1)
    assert not weights.requires_grad and weights.dtype == torch.float32
    assert bool(((weights >= 0) & (weights <= 2)).all()) and weights.std() > 0
    functional.cross_entropy(logits, torch.arange(6) % 3).backward()
    assert logits.grad is not None


def test_a_host_may_overwrite_its_losses_and_weights() -> None:
    def follow(overwrite: bool) -> list[list[float]]:
        follower = schedule(("loss",), warmup=0).follow(8)
        given = []
        for step in range(8):
            losses = torch.rand(5, generator=torch_generator(step, "test losses"))
            weights = follower.weights(losses, logits=torch.zeros(5, CLASSES), targets=torch.arange(5) % 3, lr=0.1)
            given.append(weights.tolist())
            if overwrite:
                weights.div_(weights.sum())
                losses.zero_()
        return given

    assert follow(overwrite=True) == follow(overwrite=False)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_losses_of_any_precision_are_taken(dtype: torch.dtype) -> None:
    follower = schedule(OWN_FEATURES, warmup=0).follow(8, targets=torch.arange(6) % 3)
    for step in range(8):
        logits = torch.randn(6, CLASSES, generator=torch_generator(step, "test logits")).to(dtype)
        losses = functional.cross_entropy(logits, torch.arange(6) % 3, reduction="none")
        weights = follower.weights(losses, logits=logits, targets=torch.arange(6) % 3, lr=0.1, ids=torch.arange(6))
        assert weights.dtype == torch.float32 and bool(weights.isfinite().all())


# A host with a teacher, which chooses and mixes as the schedule says

TERMS, USUAL, T = ("ce", "kd", "hint", "cc"), (0.3, 0.2, 0.0, 0.1), 2.0
EVERYTHING = Heads(
    sample_weights=SampleWeights(
        features=("teacher_divergence", "own_loss", "teacher_cosine", "teacher_confidence"), gain=1.0
    ),
    teacher_anchor=TeacherAnchor(),
    loss_weights=LossWeights(terms=TERMS, usual=USUAL, most=(1.0, 0.4, 0.05, 2.0)),
)
ACTIONS: dict[str, Action] = {
    "all heads": EVERYTHING,
    "the teacher": TeacherAnchor(),
    "losses": LossWeights(terms=("cc", "hint"), usual=(0.1, 0.0), most=(2.0, 0.05)),
    "sample weights": SampleWeights(features=("teacher_confidence",), gain=1.0),
    "sample weights by embeddings": SampleWeights(features=("teacher_cosine", "centre_cosine"), gain=1.0),
}
TEACHER = TeacherConfig(
    training=ClassificationConfig(
        network=NetworkConfig(width=12, depth=1, embedding=8),
        optimiser=OptimiserConfig(lr=0.05),
        epochs=3,
        batch_size=8,
    )
)


@pytest.fixture(scope="module")
def route(tmp_path_factory: pytest.TempPathFactory) -> Route:
    return train_route(TEACHER, dataset(), tmp_path_factory.mktemp("teacher"))


def make_student(route: Route) -> DistillationLearner:
    def network() -> Any:
        return build_network(TEACHER.training.network, image_shape=(1, 3, 3), classes=CLASSES, seed=0)

    config = DistillationConfig(
        network=NetworkConfig(width=8, depth=1),
        optimiser=OptimiserConfig(lr=0.1, milestones=(0.5, 0.8)),
        batch_size=BATCH,
        epochs=EPOCHS,
        stages=STAGES,
        features=(*EVERYTHING.features, "centre_cosine"),
        memory_decay=DECAY,
        losses=LossTerms(**dict(zip(TERMS, USUAL, strict=True))),
        temperature=T,
    )
    return DistillationLearner(config, dataset(), SEED, TeacherOutputs(route, network, "cpu", temperature=T))


class DistillingHost(Host):
    """A plain loop in which a student learns from teachers and from losses of its own choice, until it is told."""

    def __init__(self, schedule: Schedule, student: DistillationLearner) -> None:
        parameters = [parameter.detach() for parameter in student.network.parameters()]
        super().__init__(schedule, plain_network(parameters), STEPS, dataset().train.targets)
        self.teachers = []
        for state in map(student.teacher.route.state, range(student.anchors)):
            teacher = build_network(TEACHER.training.network, image_shape=(1, 3, 3), classes=CLASSES, seed=0).eval()
            teacher.load_state_dict(state)
            self.teachers.append(teacher)
        self.directives: list[Directive] = []

    def step(self, inputs: torch.Tensor, targets: torch.Tensor, ids: torch.Tensor, lr: float) -> torch.Tensor:
        self.begin(lr)
        return self.finish(inputs, targets, ids, lr)

    def begin(self, lr: float) -> None:
        directive = self.follower.directive(lr=lr)
        self.directives.append(directive)
        self.chosen = self.teachers[int(directive.anchor * (len(self.teachers) - 1) + 0.5)]
        self.mixture = dict(zip(TERMS, USUAL, strict=True)) | dict(directive.losses)

    def finish(self, inputs: torch.Tensor, targets: torch.Tensor, ids: torch.Tensor, lr: float) -> torch.Tensor:
        self.optimiser.param_groups[0]["lr"] = lr
        with torch.no_grad():
            teacher_embedding = self.chosen.embed(inputs)
            teacher_logits = self.chosen.classifier(teacher_embedding)
        embedding = self.network[:-1](inputs)
        logits = self.network[-1](embedding)
        cross_entropy = functional.cross_entropy(logits, targets, reduction="none")
        weights = self.follower.weights(
            cross_entropy,
            logits=logits,
            targets=targets,
            lr=lr,
            ids=ids,
            teacher_logits=teacher_logits,
            teacher_cosine=functional.cosine_similarity(embedding, teacher_embedding),
        )
        assert not weights.requires_grad
        losses = self.mixture["ce"] * cross_entropy
        if self.mixture["kd"]:
            losses = losses + self.mixture["kd"] * kd_loss(logits, teacher_logits, T, reduction="none")
        if self.mixture["hint"]:
            losses = losses + self.mixture["hint"] * mimic_loss(embedding, teacher_embedding, reduction="none")
        total = (losses * (weights / weights.sum())).sum()
        if self.mixture["cc"]:
            total = total + self.mixture["cc"] * correlation_congruence_loss(embedding, teacher_embedding)
        self.optimiser.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        return weights


def same_parameters(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize("name", ACTIONS)
@pytest.mark.parametrize("warmup", [0, 1])
def test_a_plain_loop_distils_with_the_bits_of_a_learner_under_the_schedule(
    route: Route, name: str, warmup: int
) -> None:
    followed = policy(ACTIONS[name], warmup=warmup)
    learner, curriculum, directed = make_student(route), Follow(schedule=followed), []
    host = DistillingHost(followed, learner)
    while learner.stage < learner.stages:
        directed.append(curriculum.directive(learner))
        assert not learner.train_stage(directed[-1]).failure
    run_host(host)
    assert same_parameters(learner.network, host.network)
    assert [host.directives[round(k * STEPS / STAGES)] for k in range(STAGES)] == directed
    assert (directed[0] == BASELINE) == (warmup == 1)
    assert len({repr(directive) for directive in directed}) == STAGES
    baseline = make_student(route)
    while baseline.stage < baseline.stages:
        baseline.train_stage(BASELINE)
    assert not same_parameters(baseline.network, host.network)


@pytest.mark.parametrize("between_calls", [False, True])
@pytest.mark.parametrize("pause", [0, 1, 9, 12, 18, 26, 34])
def test_distilling_goes_on_from_a_state_bit_for_bit(route: Route, pause: int, between_calls: bool) -> None:
    """Stages begin at the steps 9, 18 and 26; `between_calls` stops between `directive` and `weights`."""
    followed = policy(EVERYTHING, warmup=0)
    whole, first, second = (DistillingHost(followed, make_student(route)) for _ in range(3))
    run_host(whole)
    run_host(first, 0, pause)
    run_host(second, 0, 5)  # what a state replaces
    if between_calls:
        first.begin(rate(pause))
    second.load(first.state())
    first.directives.clear()
    run_host(second, pause)
    assert same_parameters(whole.network, second.network)
    assert second.directives[5:] == whole.directives[pause:]


def test_the_directive_is_the_same_however_often_it_is_asked_for() -> None:
    often, once, never = (schedule(("loss",)).follow(STEPS) for _ in range(3))
    given: list[list[torch.Tensor]] = [[], [], []]
    for step in range(STEPS):
        losses = torch.rand(5, generator=torch_generator(step, "test losses"))
        arguments: dict[str, Any] = {"logits": torch.zeros(5, CLASSES), "targets": torch.arange(5) % 3}
        directives = [often.directive(lr=rate(step)) for _ in range(3)]
        assert directives == [once.directive(lr=rate(step))] * 3
        for follower, weights in zip((often, once, never), given, strict=True):
            weights.append(follower.weights(losses, lr=rate(step), **arguments))
    for others in given[1:]:
        assert all(torch.equal(one, other) for one, other in zip(given[0], others, strict=True))


def test_without_a_head_of_sample_weights_all_weigh_one() -> None:
    follower = policy(TeacherAnchor(), warmup=0).follow(STEPS)
    for step in range(STEPS):
        anchor = follower.directive(lr=rate(step)).anchor
        weights = follower.weights(torch.rand(4), logits=torch.zeros(4, 3), targets=torch.arange(4) % 3, lr=rate(step))
        assert torch.equal(weights, torch.ones(4)) and 0 <= anchor <= 1


@pytest.mark.parametrize(
    ("feature", "message"),
    [
        ("teacher_confidence", "teacher_confidence compares with a teacher: give teacher_logits"),
        ("teacher_cosine", "teacher_cosine compares embeddings with a teacher's: give teacher_cosine"),
        ("crowding", "crowding says how alike a teacher finds a face and others' faces: give crowding"),
        ("bits", "bits says how many bits a codec spends on an image: give bits"),
        ("distortion", "distortion says how far a codec's picture is from the image: give distortion"),
    ],
)
def test_what_a_feature_compares_with_is_asked_for(feature: str, message: str) -> None:
    follower = schedule((feature,), warmup=0).follow(STEPS)
    with pytest.raises(ValueError, match=message):
        follower.weights(torch.ones(2), logits=torch.zeros(2, CLASSES), targets=torch.tensor([0, 1]), lr=0.1)


def test_a_codec_is_followed_without_a_classifiers_answer() -> None:
    """Weights move with what the codec tells, and are detached from it."""
    bits, error = torch.rand(8, requires_grad=True), torch.rand(8, requires_grad=True)
    energy, motion = torch.rand(8), torch.rand(8)
    for name in OF_CODECS:
        follower = schedule((name,), warmup=0).follow(STEPS)
        told = {"bits": bits, "distortion": error, "gradient_energy": energy, "motion": motion}
        weights = follower.weights(bits + error, lr=0.1, **told)
        told[name] = told[name].flip(0)
        again = schedule((name,), warmup=0).follow(STEPS).weights(bits + error, lr=0.1, **told)
        assert torch.allclose(again, weights.flip(0), atol=1e-6) and not torch.equal(again, weights)
        assert not weights.requires_grad


def test_a_training_may_begin_at_rate_zero() -> None:
    rates = [0.0, 0.05, 0.1, 0.1, 0.05, 0.0, 0.0, 0.0]
    follower = schedule(("loss",), ("lr_ratio",), warmup=0).follow(len(rates))
    for lr in rates:
        weights = follower.weights(torch.rand(4), logits=torch.zeros(4, 3), targets=torch.arange(4) % 3, lr=lr)
        assert bool(weights.isfinite().all())
