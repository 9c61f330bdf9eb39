"""A codec's model in one safetensors file: float16 weights, the coder's tables, and JSON on where it comes from."""

import copy
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Self, cast, get_args

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from law_rl.compression.bitstream.container import MODEL_BYTES
from law_rl.compression.bitstream.fixed_point import FixedPointDecoder
from law_rl.compression.bitstream.table_export import latent_tables
from law_rl.compression.bitstream.tables import LatentTables
from law_rl.compression.network.codec_network import CodecConfig, CodecNetwork
from law_rl.files import read_metadata, write_atomic

KEY, FORMAT, VERSION = "law_rl", "law-rl codec", 1
Distortion = Literal["mse", "ms_ssim"]
LARGEST_QUALITY = 255

_WEIGHT, _TABLE = "weight.", "table."


@dataclass(frozen=True, kw_only=True, eq=False)
class CodecModel:
    """All that a codec is made of.

    `lambda_` and `distortion` are what it was trained for, `quality` (1 to 255) its place among models of one size,
    `provenance` plain values that its model card is made of. `weights` are float16 on the CPU, `known_answer` the CRC32
    of the parameters that the hyper-decoder gives for fixed symbols.
    """

    config: CodecConfig
    lambda_: float
    quality: int
    distortion: Distortion
    provenance: Mapping[str, Any]
    weights: Mapping[str, Tensor]
    tables: LatentTables
    known_answer: int

    def __post_init__(self) -> None:
        if not 0 < self.lambda_ < math.inf:
            raise ValueError(f"lambda_ is {self.lambda_}: give a finite number above 0")
        if not 1 <= self.quality <= LARGEST_QUALITY:
            raise ValueError(f"quality is {self.quality}: give a whole number from 1 to {LARGEST_QUALITY}")
        if self.distortion not in get_args(Distortion):
            raise ValueError(f"distortion is {self.distortion!r}: use one of {', '.join(get_args(Distortion))}")

    @classmethod
    def export(
        cls,
        network: CodecNetwork,
        *,
        lambda_: float,
        quality: int,
        distortion: Distortion = "mse",
        provenance: Mapping[str, Any] | None = None,
    ) -> Self:
        """The model of a trained network, whose weights are rounded to float16.

        Raises ValueError where they are not finite then, and for a prior or hyper-decoder that cannot be coded with.
        """
        weights = {name: tensor.detach().cpu().half() for name, tensor in network.state_dict().items()}
        _check_finite(weights)
        rounded = _network(network.config, weights)
        return cls(
            config=network.config,
            lambda_=lambda_,
            quality=quality,
            distortion=distortion,
            provenance=dict(provenance or {}),
            weights=weights,
            tables=latent_tables(copy.deepcopy(rounded.prior).double().cdf),
            known_answer=_known_answer(rounded),
        )

    @property
    def hash(self) -> bytes:
        """The first 8 bytes of the SHA-256 over everything that decoding depends on."""
        digest = hashlib.sha256(json.dumps([VERSION, asdict(self.config), self.known_answer]).encode())
        for name, tensor in sorted(self._tensors().items()):
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)};".encode())
            digest.update(tensor.contiguous().numpy().tobytes())
        return digest.digest()[:MODEL_BYTES]

    def network(self, device: str | torch.device = "cpu") -> CodecNetwork:
        """The network, float32, on a device, for evaluation."""
        return _network(self.config, self.weights).to(device)

    def save(self, path: str | Path) -> None:
        """Writes the file; ValueError where the provenance cannot be written as JSON."""
        head = {
            "format": FORMAT,
            "version": VERSION,
            "config": asdict(self.config),
            "lambda": self.lambda_,
            "quality": self.quality,
            "distortion": self.distortion,
            "provenance": self.provenance,
            "known_answer": self.known_answer,
            "hash": self.hash.hex(),
        }
        text = json.dumps(head, allow_nan=False, sort_keys=True)
        write_atomic(Path(path), save_tensors(self._tensors(), {KEY: text}))

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """The model in a file. Raises FileNotFoundError where there is none, and ValueError, one sentence, for a
        damaged, foreign or newer one, and where this machine's arithmetic gives other parameters than the writer's.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"there is no codec model at {path}: give the path of one, or a quality that ships")
        content = path.read_bytes()
        head = _head(content, path)
        try:
            model = cls._of(head, load_tensors(content))
            network = _network(model.config, model.weights)
            intact = model.hash.hex() == head["hash"]
        except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
            reason = " ".join(str(error).split())
            raise ValueError(
                f"{path} is damaged or no codec model that fits together ({reason}): restore a copy"
            ) from error
        if not intact:
            raise ValueError(f"{path} is damaged, its hash is another: restore a copy")
        if _known_answer(network) != model.known_answer:
            raise ValueError(f"{path} gives other numbers on this machine than where it was written: report this to us")
        return model

    @classmethod
    def _of(cls, head: dict[str, Any], tensors: dict[str, Tensor]) -> Self:
        weights = {name.removeprefix(_WEIGHT): part for name, part in tensors.items() if name.startswith(_WEIGHT)}
        tables = {name.removeprefix(_TABLE): part for name, part in tensors.items() if name.startswith(_TABLE)}
        if any(tensor.dtype != torch.float16 for tensor in weights.values()):
            raise ValueError("its weights are not float16")
        _check_finite(weights)
        config = CodecConfig(**head["config"])
        if len(tables["prior_firsts"]) != config.width:
            raise ValueError("its prior has another number of channels than its network")
        return cls(
            config=config,
            lambda_=float(head["lambda"]),
            quality=int(head["quality"]),
            distortion=cast(Distortion, head["distortion"]),
            provenance=dict(head["provenance"]),
            weights=weights,
            tables=LatentTables.of_arrays({name: part.numpy() for name, part in tables.items()}),
            known_answer=int(head["known_answer"]),
        )

    def _tensors(self) -> dict[str, Tensor]:
        weights = {_WEIGHT + name: tensor.contiguous() for name, tensor in self.weights.items()}
        return weights | {_TABLE + name: torch.from_numpy(array) for name, array in self.tables.arrays().items()}


def read_head(path: Path) -> dict[str, Any]:
    """The JSON of a model's file: config, lambda, quality, distortion, provenance, hash; ValueError as for `load`."""
    return _head(path.read_bytes(), path)


def _head(content: bytes, path: Path) -> dict[str, Any]:
    try:
        head = json.loads(read_metadata(content).get(KEY, "null"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged or no safetensors file ({error}): restore a copy") from error
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise ValueError(f"{path} is a file of another kind: give a codec model")
    if head.get("version") != VERSION:
        raise ValueError(f"{path} has codec model version {head.get('version')}, this law-rl reads {VERSION}: upgrade")
    return head


def _network(config: CodecConfig, weights: Mapping[str, Tensor]) -> CodecNetwork:
    network = CodecNetwork(config)
    network.load_state_dict({name: tensor.float() for name, tensor in weights.items()})
    return network.to(memory_format=torch.channels_last).eval().requires_grad_(False)  # type: ignore[call-overload,no-any-return]


def _check_finite(weights: Mapping[str, Tensor]) -> None:
    for name, tensor in weights.items():
        if not tensor.isfinite().all():
            raise ValueError(f"{name} is not finite in float16: export a network that has not diverged")


def _known_answer(network: CodecNetwork) -> int:
    """The CRC32 of the parameters that the hyper-decoder gives for symbols from -6 to 6."""
    size = 2 * network.config.width
    symbols = (np.arange(size, dtype=np.int32) * 37 % 13 - 6).reshape(network.config.width, 1, 2)
    return FixedPointDecoder(network.hyper_decoder, network.config.components)(symbols).crc()
