"""What the card of any codec's model says: NAME.json for programs, NAME.md to be read, one page for several models."""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar, cast

import law_rl
from law_rl.compression.bitstream.network_file import NetworkFile
from law_rl.compression.photograph_files import PhotographFiles
from law_rl.compression.training_config import TrainingConfig
from law_rl.compression.validation import Validation
from law_rl.files import write_atomic, write_json
from law_rl.markdown import code, escaped, table

BESIDE = (".md", ".json")
"""What a card's files end in, beside the model's."""


@dataclass(frozen=True, kw_only=True)
class PhotographFacts:
    """What a codec was trained on, in words and numbers: no path of a machine is told."""

    name: str
    terms: str
    hash: str
    train: int
    validation: int

    @classmethod
    def of(cls, files: PhotographFiles) -> Self:
        """The facts of photographs as they were read."""
        return cls(
            name=files.name,
            terms=files.terms,
            hash=files.content_hash(),
            train=len(files.train),
            validation=len(files.validation),
        )


@dataclass(frozen=True, kw_only=True)
class Card(ABC):
    """What the cards of all kinds say. `validation` is measured with the float16 weights, on what was held out from
    training, at estimated bits; `steps` and `seconds` are what the training took, `device` where.

    A kind says how its page is called and what it holds: MEASURED is on what, COLUMNS what `cells` are, CROPS what a
    step sees, and USAGE a program with the place {model}.
    """

    ONE: ClassVar[str]
    SEVERAL: ClassVar[str]
    SOURCE: ClassVar[str]
    MEASURED: ClassVar[str]
    COLUMNS: ClassVar[tuple[str, ...]] = ("quality", "lambda", "bits per pixel", "PSNR, dB")
    CROPS: ClassVar[str]
    USAGE: ClassVar[str]
    LIMITS: ClassVar[tuple[str, ...]]

    training: TrainingConfig
    quality: int
    parameters: int
    bytes: int
    photographs: PhotographFacts
    validation: Validation
    steps: int
    seconds: float
    device: str

    @classmethod
    @abstractmethod
    def readers(cls) -> Mapping[str, Callable[[dict[str, Any]], object]]:
        """By the names of a kind's fields that are no plain values: what makes them of their JSON."""

    @property
    @abstractmethod
    def network(self) -> Mapping[str, Any]:
        """The network's configuration as plain values."""

    def cells(self) -> tuple[str, ...]:
        """Its row in the table of how good it is."""
        found, lambda_ = self.validation, self.training.lambda_
        return str(self.quality), f"{lambda_:g}", f"{found.bpp:.3f}", f"{found.psnr:.2f}"

    def further_facts(self) -> Iterable[tuple[str, str]]:
        """What a kind says of itself beside what all say."""
        return ()

    def to_json(self) -> dict[str, Any]:
        """The card as JSON values."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self) | {"law_rl": law_rl.__version__}))
        return plain

    @classmethod
    def read(cls, model: Path) -> Self:
        """The card beside a model's file; FileNotFoundError or ValueError where there is none that law-rl wrote."""
        path = model.with_suffix(".json")
        try:
            values = json.loads(path.read_text())
            del values["law_rl"]
            readers = {"photographs": lambda facts: PhotographFacts(**facts), **cls.readers()}
            return cls(**values | {name: read(values[name]) for name, read in readers.items()})
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is no card of {cls.ONE} ({error}): restore a copy") from error


Kind = TypeVar("Kind", bound=Card)


def write_model(path: Path, model: NetworkFile[Any, Any], card: Kind) -> Kind:
    """Writes the model to `path` and its card beside it; gives the card, its `bytes` those of the file.

    The model's file holds the card's facts too, but for its own size.
    """
    provenance = {name: value for name, value in card.to_json().items() if name != "bytes"}
    replace(model, provenance=provenance).save(path)
    card = replace(card, bytes=path.stat().st_size)
    write_card(path, card)
    return card


def write_card(model: Path, card: Card) -> None:
    """Writes the card beside the model's file, under its name, each file whole or not at all."""
    write_json(model.with_suffix(".json"), card.to_json())
    write_atomic(model.with_suffix(".md"), _page(f"{model.stem}, {card.ONE}", {model.name: card}).encode())


def write_set_card(directory: Path, kind: type[Card]) -> None:
    """Writes README.md of a folder from the cards of all its models: one page, with their curve."""
    cards = {path.name: kind.read(path) for path in sorted(directory.glob("*.safetensors"))}
    if not cards:
        raise ValueError(f"{directory} holds no model: give a folder of .safetensors files with their cards")
    write_atomic(directory / "README.md", _page(kind.SEVERAL, cards).encode())


def _page(title: str, cards: Mapping[str, Card]) -> str:
    name, card = next(iter(cards.items()))
    sections = {
        "How good it is": [card.MEASURED, "", *_curve(cards)],
        "What it is": [line for name, card in cards.items() for line in _facts(name, card)],
        "How to use it": code(card.USAGE.format(model=name)),
        "Limits": [f"- {limit}" for limit in card.LIMITS],
    }
    lines = [f"# {escaped(title)}", "", f"{card.SOURCE}, trained with law-rl {law_rl.__version__}."]
    for heading, body in sections.items():
        lines += ["", f"## {heading}", "", *body]
    return "\n".join(lines) + "\n"


def _curve(cards: Mapping[str, Card]) -> Iterable[str]:
    columns = next(iter(cards.values())).COLUMNS
    yield "| " + " | ".join(("model", *columns)) + " |"
    yield "|:--|" + "--:|" * len(columns)
    for name, card in sorted(cards.items(), key=lambda item: item[1].validation.bpp):
        yield "| " + " | ".join((escaped(name), *card.cells())) + " |"


def _facts(name: str, card: Card) -> Iterable[str]:
    data, trained = card.photographs, card.training
    distortion = "mean squared error" if trained.distortion == "mse" else "1 - MS-SSIM"
    yield from table(
        (
            ("model", f"{name}: {card.bytes:,} bytes, {card.parameters:,} parameters"),
            ("network", ", ".join(_words(card.network))),
            ("trained for", f"bits per pixel + {trained.lambda_:g} x {distortion}"),
            *card.further_facts(),
            ("photographs", f"{data.name}: {data.train:,} to train on, {data.validation:,} for validation"),
            ("content hash", data.hash),
            ("terms of the photographs", data.terms),
            ("training", _training_words(card)),
        )
    )
    yield ""


def _words(values: Mapping[str, Any], before: str = "") -> Iterable[str]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _words(cast(Mapping[str, Any], value), f"{before}{name} ")
        else:
            yield f"{before}{name} {value}"


def _training_words(card: Card) -> str:
    trained = card.training
    precision = "bfloat16" if trained.bfloat16 else "float32"
    return (
        f"{card.steps:,} steps of {trained.batch} {card.CROPS} of {trained.crop} x {trained.crop} in "
        f"{card.seconds / 60:.0f} minutes ({card.device}, {precision}), Adam from {trained.learning_rate:g} to "
        f"{trained.final_learning_rate:g}, seed {trained.seed}"
    )
