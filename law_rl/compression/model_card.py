"""What the card of a codec's model says: NAME.json for programs, NAME.md to be read, one page for several models."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import law_rl
from law_rl.compression.network.codec_network import CodecConfig
from law_rl.compression.photograph_files import PhotographFiles
from law_rl.compression.training_config import TrainingConfig
from law_rl.compression.validation import Validation
from law_rl.files import write_atomic, write_json
from law_rl.markdown import code, escaped, table

LIMITS = (
    "Made for photographs; drawings, text and screens cost more bits than with PNG or WebP.",
    "It fills in texture that is plausible rather than true at low rates: not for evidence or measurement.",
)


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
class CodecCard:
    """All that a card says. `validation` is measured with the float16 weights, on photographs held out from training,
    at estimated bits; `steps` and `seconds` are what the training took, `device` where.
    """

    codec: CodecConfig
    training: TrainingConfig
    quality: int
    parameters: int
    bytes: int
    photographs: PhotographFacts
    validation: Validation
    steps: int
    seconds: float
    device: str

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
            parts = {"codec": CodecConfig, "training": TrainingConfig}
            parts |= {"photographs": PhotographFacts, "validation": Validation}
            return cls(**values | {name: kind(**values[name]) for name, kind in parts.items()})
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is no card of a codec ({error}): restore a copy") from error


def write_card(model: Path, card: CodecCard) -> None:
    """Writes the card beside the model's file, under its name, each file whole or not at all."""
    write_json(model.with_suffix(".json"), card.to_json())
    write_atomic(model.with_suffix(".md"), _page(f"{model.stem}, an image codec", {model.name: card}).encode())


def write_set_card(directory: Path) -> None:
    """Writes README.md of a folder from the cards of all its models: one page, with their curve."""
    cards = {path.name: CodecCard.read(path) for path in sorted(directory.glob("*.safetensors"))}
    write_atomic(directory / "README.md", _page("Image codecs", cards).encode())


def _page(title: str, cards: Mapping[str, CodecCard]) -> str:
    first = next(iter(cards))
    sections = {
        "How good it is": _curve(cards),
        "What it is": [line for name, card in cards.items() for line in _facts(name, card)],
        "How to use it": code(_USAGE.format(model=first)),
        "Limits": [f"- {limit}" for limit in LIMITS],
    }
    lines = [f"# {escaped(title)}", "", f"EDIC's network (arXiv 2002.03370), trained with law-rl {law_rl.__version__}."]
    for heading, body in sections.items():
        lines += ["", f"## {heading}", "", *body]
    return "\n".join(lines) + "\n"


def _curve(cards: Mapping[str, CodecCard]) -> Iterable[str]:
    yield "On photographs held out from training, by the model's own estimate of the bits:"
    yield ""
    yield "| model | quality | lambda | bits per pixel | PSNR, dB |"
    yield "|:--|--:|--:|--:|--:|"
    for name, card in sorted(cards.items(), key=lambda item: item[1].validation.bpp):
        found, trained = card.validation, card.training
        yield f"| {escaped(name)} | {card.quality} | {trained.lambda_:g} | {found.bpp:.3f} | {found.psnr:.2f} |"


def _facts(name: str, card: CodecCard) -> Iterable[str]:
    codec, trained, data = card.codec, card.training, card.photographs
    distortion = "mean squared error" if trained.distortion == "mse" else "1 - MS-SSIM"
    yield from table(
        (
            ("model", f"{name}: {card.bytes:,} bytes, {card.parameters:,} parameters"),
            ("network", ", ".join(f"{field} {value}" for field, value in asdict(codec).items())),
            ("trained for", f"bits per pixel + {trained.lambda_:g} x {distortion}"),
            ("photographs", f"{data.name}: {data.train:,} to train on, {data.validation:,} for validation"),
            ("content hash", data.hash),
            ("terms of the photographs", data.terms),
            ("training", _training_words(card)),
        )
    )
    yield ""


def _training_words(card: CodecCard) -> str:
    trained = card.training
    precision = "bfloat16" if trained.bfloat16 else "float32"
    return (
        f"{card.steps:,} steps of {trained.batch} crops of {trained.crop} x {trained.crop} in {card.seconds / 60:.0f} "
        f"minutes ({card.device}, {precision}), Adam from {trained.learning_rate:g} to "
        f"{trained.final_learning_rate:g}, seed {trained.seed}"
    )


_USAGE = """\
import numpy as np

from law_rl.compression.codec import load_codec

codec = load_codec("{model}")
image = np.zeros((512, 768, 3), np.uint8)  # yours
content = codec.encode(image)
decoded = codec.decode(content)"""
