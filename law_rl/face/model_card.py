"""What the model card of a face network says: metrics.json for programs, README.md to be read. It names no person."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import torch

import law_rl
from law_rl.classification.network_file import NetworkFacts
from law_rl.distillation.card_files import network_words
from law_rl.face.data.face_dataset import FaceDataset
from law_rl.files import write_atomic, write_json
from law_rl.markdown import code, escaped, table
from law_rl.statistics import Interval

CARD, TEXT = "metrics.json", "README.md"


@dataclass(frozen=True, kw_only=True)
class Crowd:
    """How many persons and images a part of the data shows."""

    persons: int
    images: int

    def __str__(self) -> str:
        return f"{self.images:,} images of {self.persons:,} persons"


@dataclass(frozen=True, kw_only=True)
class FaceData:
    """What a network was trained and measured on, in numbers: name, content hash, terms, and the size of each part."""

    name: str
    hash: str
    terms: str
    train: Crowd
    validation: Crowd
    test: Crowd

    @classmethod
    def of(cls, dataset: FaceDataset, terms: str, *, copies: int = 0) -> Self:
        """The facts of data as a training saw it, in which each training image has so many augmented copies."""
        parts = {"train": dataset.train, "validation": dataset.validation.faces, "test": dataset.test.faces}
        images = {**{name: len(part) for name, part in parts.items()}, "train": len(dataset.train) // (copies + 1)}
        crowds = {
            name: Crowd(persons=len(torch.unique(part.targets)), images=images[name]) for name, part in parts.items()
        }
        return cls(name=dataset.name, hash=dataset.content_hash(), terms=terms, **crowds)


@dataclass(frozen=True, kw_only=True)
class FaceTeacher:
    """The teacher: its network in words, a hash of its route, and its metric on the test persons, in percent."""

    network: str
    route: str
    metric: float


@dataclass(frozen=True, kw_only=True)
class FaceCard:
    """All that a card says.

    `metrics` are those of the test persons, in percent; `intervals` the 95 % intervals over persons of some of them.
    `files` are the bytes of each file, `macs` the multiply-accumulates of one image, `losses` the weights of the terms
    that stayed the same after the `warmup` first stages.
    """

    facts: NetworkFacts
    parameters: int
    macs: int
    files: Mapping[str, int]
    data: FaceData
    teacher: FaceTeacher | None
    curriculum: str
    schedule: str | None
    losses: Mapping[str, float]
    epochs: int
    seed: int
    metric: str
    metrics: Mapping[str, float]
    intervals: Mapping[str, Interval]
    limits: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The card as JSON values; each metric is its mean and its 95 % interval, null where that is not known."""
        measured = {
            name: {"mean": value, "ci95": self.intervals[name].to_json()["ci95"] if name in self.intervals else None}
            for name, value in self.metrics.items()
        }
        card = {name: value for name, value in asdict(self).items() if name != "intervals"}
        plain: dict[str, Any] = json.loads(json.dumps({**card, "metrics": measured, "law_rl": law_rl.__version__}))
        return plain

    def words(self, name: str) -> str:
        """A metric with its interval, if there is one."""
        value = f"{self.metrics[name]:.2f} %"
        interval = self.intervals.get(name)
        return value if interval is None else f"{value} [{interval.low:.2f}, {interval.high:.2f}]"


def write_card(directory: Path, card: FaceCard) -> None:
    """Writes metrics.json and README.md into the folder of the network's files, each whole or not at all."""
    write_json(directory / CARD, card.to_json())
    write_atomic(directory / TEXT, _markdown(card).encode())


def _markdown(card: FaceCard) -> str:
    shape = " x ".join(map(str, card.facts.image_shape))
    measured = (
        f"On {card.data.test}, whom no training has seen; in brackets 95 % intervals by a bootstrap over persons."
    )
    sections = {
        "How good it is": [measured, "", *table((name, card.words(name)) for name in card.metrics)],
        "What it is": table(_facts(card)),
        "How to use it": _usage(card),
        "Limits": [f"- {limit}" for limit in card.limits],
    }
    lines = [
        f"# {escaped(card.facts.network.name)}, an embedder of faces",
        "",
        f"It turns an aligned face, an image of {shape} (channels, height, width), into a vector; the cosine of two "
        f"vectors says how alike the faces are. Trained with law-rl {law_rl.__version__}. The files hold neither the "
        f"names nor the centres of the persons it was trained on. {CARD} holds the same facts for programs.",
    ]
    for title, body in sections.items():
        lines += ["", f"## {title}", "", *body]
    return "\n".join(lines) + "\n"


def _facts(card: FaceCard) -> Iterable[tuple[str, str]]:
    facts, data = card.facts, card.data
    yield "network", network_words(facts.network)
    yield "parameters", f"{card.parameters:,}"
    yield "multiply-accumulates of one image", f"{card.macs:,}"
    yield "normalisation, part of the ONNX graph", f"(image - {_numbers(facts.mean)}) / {_numbers(facts.std)}"
    for name, size in card.files.items():
        yield name, f"{size:,} bytes"
    yield "data", f"{data.name}: {data.train} to train on, {data.validation} for validation"
    yield "data content hash", data.hash
    yield "terms of the data", data.terms
    if card.teacher is not None:
        yield "teacher", f"{card.teacher.network}, {card.metric} {card.teacher.metric:.2f} %"
        yield "teacher route hash", card.teacher.route
    yield "curriculum", card.curriculum
    if card.schedule is not None:
        yield "schedule hash", card.schedule
    if card.losses:
        yield "loss weights", ", ".join(f"{name} {weight:g}" for name, weight in card.losses.items())
    yield "epochs", f"{card.epochs}"
    yield "training seed", f"{card.seed}"


def _numbers(values: tuple[float, ...]) -> str:
    words = ", ".join(f"{value:.4g}" for value in values)
    return words if len(values) == 1 else f"({words})"


def _usage(card: FaceCard) -> list[str]:
    weights, graph = (next((f for f in card.files if f.endswith(end)), None) for end in (".safetensors", ".onnx"))
    shape = ", ".join(map(str, card.facts.image_shape))
    onnx = ["With onnxruntime alone; the graph normalises the images itself:", ""]
    lines = [] if graph is None else [*onnx, *code(_WITH_ONNXRUNTIME.format(file=graph, shape=shape)), ""]
    return [
        *lines,
        "With law-rl, in torch:",
        "",
        *code(_WITH_LAW_RL.format(file=weights, shape=shape)),
        "",
        f"A folder of images at once: `law-rl face embed {weights} FOLDER --out gallery.safetensors`.",
    ]


_WITH_ONNXRUNTIME = """\
import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession("{file}")
images = np.zeros((2, {shape}), np.float32)  # yours, aligned, from 0 to 255
(embeddings,) = session.run(["embedding"], {{"images": images}})
embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
print(embeddings[0] @ embeddings[1])"""

_WITH_LAW_RL = """\
import torch

from law_rl.face.embedder import Embedder

embedder = Embedder.load("{file}")
images = torch.zeros(2, {shape}, dtype=torch.uint8)  # yours, aligned
print(torch.cosine_similarity(*embedder(images), dim=0))"""
