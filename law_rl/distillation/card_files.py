"""A model card as files: README.md to be read, card.json for programs."""

from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path

import law_rl
from law_rl.classification.networks import NetworkConfig
from law_rl.distillation.model_card import ModelCard
from law_rl.files import write_atomic, write_json
from law_rl.markdown import code, escaped, table

CARD, TEXT = "card.json", "README.md"


def write_card(directory: Path, card: ModelCard) -> None:
    """Writes README.md and card.json into the folder of the exported files, each whole or not at all."""
    write_json(directory / CARD, card.to_json())
    write_atomic(directory / TEXT, _markdown(card).encode())


def _markdown(card: ModelCard) -> str:
    shape, names = " x ".join(map(str, card.facts.image_shape)), card.facts.class_names
    sections = {
        "Accuracy": _accuracy(card),
        "Size and speed": table(_cost(card)),
        "Data, teacher and training": table(_origin(card)),
        "Intended use": [card.intended_use],
        "Limits": [f"- {limit}" for limit in card.limits],
        "How to use it": _usage(card),
        "Classes": [f"In the order of the outputs: {escaped(', '.join(names))}."],
    }
    lines = [
        f"# {escaped(card.facts.network.name)}, distilled on {escaped(card.data.name)}",
        "",
        f"A classifier of {shape} images (channels, height, width) into {len(names)} classes, trained by distillation "
        f"with law-rl {law_rl.__version__}. {CARD} holds the same facts for programs.",
    ]
    for title, body in sections.items():
        lines += ["", f"## {title}", "", *body]
    return "\n".join(lines) + "\n"


def _accuracy(card: ModelCard) -> list[str]:
    count, own = len(card.accuracies), f"{card.accuracies[card.seed]:.2f} %"
    teacher = f"The teacher's is {card.teacher.accuracy:.2f} %."
    interval = f"95 % interval {card.accuracy.low:.2f} to {card.accuracy.high:.2f}"
    if count == 1:
        return [
            f"{own} of {card.data.test:,} test images ({interval}, Wilson score interval over test images), "
            f"from one training, of seed {card.seed}. {teacher}"
        ]
    return [
        f"{own} of {card.data.test:,} test images: this student, of training seed {card.seed}. Over {count} training "
        f"seeds ({', '.join(map(str, card.accuracies))}) the mean is {card.accuracy.mean:.2f} % "
        f"({interval}, t interval over seeds). {teacher}"
    ]


def _cost(card: ModelCard) -> Iterable[tuple[str, str]]:
    latency = card.latency
    yield "parameters", f"{card.parameters:,}"
    yield "multiply-accumulates of one image", f"{card.macs:,}"
    for name, size in card.files.items():
        yield name, f"{size:,} bytes"
    images, threads = _count(latency.batch, "image"), _count(latency.threads, "thread")
    yield (
        f"forward pass of {images} on the CPU",
        f"median {latency.median_ms:.3g} ms, 95 % quantile {latency.p95_ms:.3g} ms over {latency.rounds} passes "
        f"({latency.cpu}, {threads}, torch {latency.torch})",
    )


def _origin(card: ModelCard) -> Iterable[tuple[str, str]]:
    data, teacher, training = card.data, card.teacher, card.training
    yield "data", f"{data.name}: {data.train:,} training, {data.validation:,} validation, {data.test:,} test images"
    yield "data content hash", data.hash
    yield "terms of the data", data.terms
    yield "teacher", network_words(teacher.network)
    yield "teacher route hash", teacher.route
    yield "student", network_words(card.facts.network)
    yield "curriculum", training.curriculum
    if training.schedule is not None:
        yield "schedule hash", training.schedule
    if training.loss_weights:
        yield "loss weights", ", ".join(f"{name} {weight:g}" for name, weight in training.loss_weights.items())
    yield "epochs", f"{training.epochs}"


def network_words(config: NetworkConfig) -> str:
    """The name, and the settings that are not the default."""
    values = ((field.name, getattr(config, field.name), field.default) for field in fields(config)[1:])
    settings = ", ".join(f"{name} {value}" for name, value, default in values if value != default)
    return f"{config.name} ({settings})" if settings else config.name


def _usage(card: ModelCard) -> list[str]:
    shape = ", ".join(map(str, card.facts.image_shape))
    weights, graph = card.file(".safetensors"), card.file(".onnx")
    lines = []
    if graph is not None:
        lines = [
            "With onnxruntime alone; the graph normalises the images itself:",
            "",
            *code(_WITH_ONNXRUNTIME.format(file=graph, shape=shape)),
            "",
        ]
    return [*lines, "With law-rl, in torch:", "", *code(_WITH_LAW_RL.format(file=weights, shape=shape))]


_WITH_ONNXRUNTIME = """\
import json

import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession("{file}")
names = json.loads(session.get_modelmeta().custom_metadata_map["law_rl"])["class_names"]
images = np.zeros((1, {shape}), np.float32)  # yours, from 0 to 255
logits, embedding = session.run(["logits", "embedding"], {{"images": images}})
print([names[index] for index in logits.argmax(axis=1)])"""

_WITH_LAW_RL = """\
import torch

from law_rl.classification.network_file import load_network
from law_rl.data.dataset import normalise

network, facts = load_network("{file}")
images = torch.zeros(1, {shape})  # yours, from 0 to 255
with torch.inference_mode():
    logits = network(normalise(images, facts.mean, facts.std))
print([facts.class_names[index] for index in logits.argmax(dim=1)])"""


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
