"""A trained student put out for use: its network as files, and the model card that says what it is."""

from collections.abc import Sequence
from pathlib import Path

from law_rl.classification.cost import measure_latency, multiply_accumulates, parameter_count
from law_rl.classification.export import save_onnx
from law_rl.classification.network_file import NetworkFacts, save_network
from law_rl.data.dataset import Dataset
from law_rl.data.sources import DataConfig
from law_rl.data.terms import terms_of
from law_rl.distillation.card_files import write_card
from law_rl.distillation.learner import DistillationLearner
from law_rl.distillation.model_card import CardData, CardTeacher, CardTraining, ModelCard
from law_rl.distillation.route_metrics import route_metrics
from law_rl.distillation.student import StageRow, constant_losses
from law_rl.distillation.task import DistillationTask

NAME = "student"


def put_out(
    task: DistillationTask,
    learner: DistillationLearner,
    rows: Sequence[StageRow],
    directory: Path,
    *,
    curriculum: str,
    schedule: str | None,
    warmup: int,
) -> tuple[ModelCard, str]:
    """Writes student.safetensors, student.onnx, README.md and card.json of a classifier whose training has ended.

    `rows` are all its stages, the first `warmup` of them under the twin's directive; `curriculum` names what directed
    the others, `schedule` is its hash where it was learned. Reads the test images. Returns the card, and why there is
    no student.onnx ("" where there is one).
    """
    config, network, dataset = learner.config, learner.network, learner.dataset
    assert isinstance(dataset, Dataset) and isinstance(task.data, DataConfig)
    facts = NetworkFacts.of(config.network, dataset)
    files, missing = _export(learner, directory, facts)
    test = learner.evaluate("test")["accuracy"]
    card = ModelCard(
        facts=facts,
        parameters=parameter_count(network),
        macs=multiply_accumulates(network, facts.image_shape),
        files=files,
        latency=measure_latency(network, facts.image_shape),
        data=CardData.of(dataset, terms_of(task.data)),
        teacher=_teacher(task, learner),
        training=CardTraining(
            curriculum=curriculum, schedule=schedule, loss_weights=constant_losses(rows[warmup:]), epochs=config.epochs
        ),
        accuracies={learner.seed: test},
        seed=learner.seed,
        intended_use=f"Studies of distillation, and classifying images like those of {task.data.name}.",
        limits=(*_how(task, learner, rows, warmup), *_limits(task.data)),
    )
    write_card(directory, card)
    return card, missing


def _export(learner: DistillationLearner, directory: Path, facts: NetworkFacts) -> tuple[dict[str, int], str]:
    """The bytes of each file written, and why there is no graph."""
    weights, graph, missing = directory / f"{NAME}.safetensors", directory / f"{NAME}.onnx", ""
    save_network(learner.network, weights, facts)
    try:
        save_onnx(learner.network, graph, facts)
    except ModuleNotFoundError as error:
        missing = str(error)
        graph.unlink(missing_ok=True)
    return {path.name: path.stat().st_size for path in (weights, graph) if path.exists()}, missing


def _teacher(task: DistillationTask, learner: DistillationLearner) -> CardTeacher:
    route = learner.teacher.route
    (accuracy,) = route_metrics(task.teacher, task.dataset, route, "test", [len(route) - 1])
    return CardTeacher(network=task.teacher.training.network, route=route.anchors[-1].sha256, accuracy=accuracy)


def _how(task: DistillationTask, learner: DistillationLearner, rows: Sequence[StageRow], warmup: int) -> list[str]:
    """What in the training stands between the student and its accuracy."""
    said = []
    directed = {(row.anchor, row.weighting, *row.losses.items()) for row in rows}
    if warmup and len(directed) > 1:
        own = ", ".join(f"{term} {weight:g}" for term, weight in learner.loss_weights.items() if weight)
        stages = "stage" if warmup == 1 else f"{warmup} stages"
        said.append(
            f"The first {stages} of {learner.stages} had the converged teacher and the loss weights {own}, before the "
            "curriculum began; stages.csv has them all."
        )
    if task.transfer:
        teacher, student = len(task.dataset.train), len(learner.dataset.train)
        said.append(f"The teacher learned from {teacher:,} training images, the student from {student:,} of them.")
    if learner.config.precision != "float32":
        said.append(f"Accuracy was measured in {learner.config.precision}, as trained; the files hold float32.")
    return said


def _limits(data: DataConfig) -> list[str]:
    noise = [f"Part of the training labels were wrong ({data.noise.kind} noise)."]
    return [
        *(noise if data.noise.kind != "none" else []),
        f"Its accuracy on images other than the test images of {data.name} is not known.",
        "Fairness, privacy and robustness were not looked at: not for decisions about people.",
    ]
