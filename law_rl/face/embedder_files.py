"""A trained face network put out for use: its files without the persons it was trained on, and its model card."""

from collections.abc import Callable, Sequence
from pathlib import Path

from torch import Tensor

from law_rl.classification.cost import multiply_accumulates, parameter_count
from law_rl.classification.export import save_onnx
from law_rl.classification.network_file import NetworkFacts, plain_copy, save_network
from law_rl.distillation.card_files import network_words
from law_rl.distillation.route_metrics import route_metrics
from law_rl.distillation.student import StageRow, constant_losses
from law_rl.face.data.face_dataset import FaceSplit, tar_name
from law_rl.face.data.terms import terms_of
from law_rl.face.evaluation.bootstrap import Statistic, bootstrap, tar_at
from law_rl.face.evaluation.pairs import pair_scores
from law_rl.face.evaluation.rates import Roc
from law_rl.face.learner import FaceLearner
from law_rl.face.model_card import FaceCard, FaceData, FaceTeacher, write_card
from law_rl.face.student import FaceStudent
from law_rl.face.task import FaceTask
from law_rl.statistics import Interval

NAME = "network"


def put_out(
    task: FaceTask,
    learner: FaceLearner,
    rows: Sequence[StageRow],
    directory: Path,
    *,
    curriculum: str,
    schedule: str | None = None,
    warmup: int = 0,
) -> tuple[FaceCard, str]:
    """Writes network.safetensors, network.onnx, metrics.json and README.md of a face learner whose training has ended.

    The network's files are embedders, and the owner's alone to read and write. `rows` are all stages, the first
    `warmup` of them under the twin's directive; `curriculum` names what directed the others, `schedule` is its hash
    where it was learned. Reads the test faces. Returns the card, and why there is no network.onnx ("" where there is
    one). Raises ValueError for a network that has diverged.
    """
    config, dataset = learner.config, learner.dataset
    facts = NetworkFacts.of_embedder(config.network, dataset)
    files, missing = _export(learner, directory, facts)
    embedder = plain_copy(learner.network, facts)
    intervals = held_out_intervals(learner.embed, dataset.test, dataset.fars)
    card = FaceCard(
        facts=facts,
        parameters=parameter_count(embedder),
        macs=multiply_accumulates(embedder, facts.image_shape),
        files=files,
        data=FaceData.of(dataset, terms_of(task.data), copies=task.data.copies),
        teacher=_teacher(task, learner) if isinstance(learner, FaceStudent) else None,
        curriculum=curriculum,
        schedule=schedule,
        losses=constant_losses(rows[warmup:]),
        epochs=config.epochs,
        seed=learner.seed,
        metric=learner.metric,
        metrics=learner.evaluate("test"),
        intervals=intervals,
        limits=(*_how(learner, rows, warmup), *_limits(task)),
    )
    write_card(directory, card)
    return card, missing


def held_out_intervals(
    embed: Callable[[Tensor], Tensor], data: FaceSplit, fars: Sequence[float], *, replicates: int = 200
) -> dict[str, Interval]:
    """The 95 % intervals over persons, in percent, of the TAR at each of `fars`, plain and masked, and of the EER."""
    tars: dict[str, Statistic] = {tar_name(far): tar_at(far) for far in fars}
    plain, identities = embed(data.faces.images), data.faces.targets
    scores = pair_scores(plain, identities)
    found = bootstrap(scores, {**tars, "EER": Roc.equal_error_rate}, replicates=replicates).intervals()
    if data.masked is not None:
        crossed = pair_scores(embed(data.masked), identities, plain)
        masked = {f"masked {name}": statistic for name, statistic in tars.items()}
        found |= bootstrap(crossed, masked, replicates=replicates).intervals()
    return found


def _export(learner: FaceLearner, directory: Path, facts: NetworkFacts) -> tuple[dict[str, int], str]:
    """The bytes of each file written, and why there is no graph."""
    weights, graph, missing = directory / f"{NAME}.safetensors", directory / f"{NAME}.onnx", ""
    save_network(learner.network, weights, facts, private=True)
    try:
        save_onnx(learner.network, graph, facts, private=True)
    except ModuleNotFoundError as error:
        missing = str(error)
        graph.unlink(missing_ok=True)
    return {path.name: path.stat().st_size for path in (weights, graph) if path.exists()}, missing


def _teacher(task: FaceTask, learner: FaceStudent) -> FaceTeacher:
    route = learner.teacher.route
    (metric,) = route_metrics(task.teacher, task.dataset, route, "test", [len(route) - 1])
    words = network_words(task.teacher.training.network)
    return FaceTeacher(network=words, route=route.anchors[-1].sha256, metric=metric)


def _how(learner: FaceLearner, rows: Sequence[StageRow], warmup: int) -> list[str]:
    said = []
    if warmup and len({(row.anchor, row.weighting, *row.losses.items()) for row in rows}) > 1:
        said.append(f"The first {warmup} of {len(rows)} stages were not the curriculum's; stages.csv has them all.")
    if learner.config.precision != "float32":
        said.append(f"Measured in {learner.config.precision}, as trained; the files hold float32.")
    return said


def _limits(task: FaceTask) -> list[str]:
    if task.data.name == "synthetic":
        return ["Trained on drawings: of no use for photographs of people."]
    return [
        "Trained on faces: do not publish; see docs/faces.md.",
        "How well it tells apart persons unlike those it was trained on, by age, sex or skin, was not looked at: not "
        "for decisions about people.",
    ]
