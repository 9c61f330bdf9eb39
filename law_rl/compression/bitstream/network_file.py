"""A trained network in one safetensors file: float16 weights, the coder's tables, and JSON on where it comes from."""

import hashlib
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, Literal, Self, TypeVar, cast, get_args

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from law_rl.compression.bitstream.container import MODEL_BYTES
from law_rl.compression.bitstream.table_export import latent_tables
from law_rl.compression.bitstream.tables import LatentTables
from law_rl.files import read_metadata, write_atomic

KEY, VERSION = "law_rl", 1
Distortion = Literal["mse", "ms_ssim"]
LARGEST_QUALITY = 255


def check_quality(quality: int) -> None:
    """Raises ValueError for what cannot be a model's quality."""
    if not 1 <= quality <= LARGEST_QUALITY:
        raise ValueError(f"quality is {quality}: give a whole number from 1 to {LARGEST_QUALITY}")


Config = TypeVar("Config")
Network = TypeVar("Network", bound=nn.Module)

_WEIGHT, _TABLE = "weight.", "table."


@dataclass(frozen=True, kw_only=True, eq=False)
class NetworkFile(ABC, Generic[Config, Network]):
    """All that a codec's network is made of.

    `lambda_` and `distortion` are what it was trained for, `quality` (1 to 255) its place among models of one size,
    `provenance` plain values that its model card is made of. `weights` are float16 on the CPU; `known_answer` is the
    CRC32 of what the network's exact part gives for fixed symbols.
    """

    FORMAT: ClassVar[str]
    KIND: ClassVar[str]

    config: Config
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
        check_quality(self.quality)
        if self.distortion not in get_args(Distortion):
            raise ValueError(f"distortion is {self.distortion!r}: use one of {', '.join(get_args(Distortion))}")

    @classmethod
    @abstractmethod
    def config_of(cls, values: Mapping[str, Any]) -> Config:
        """The configuration that its plain values describe."""

    @classmethod
    @abstractmethod
    def build(cls, config: Config) -> Network:
        """A network of this configuration, its weights not set."""

    @classmethod
    @abstractmethod
    def channels(cls, config: Config) -> int:
        """How many channels have a table of their own."""

    @classmethod
    @abstractmethod
    def cdf(cls, network: Network, values: Tensor) -> Tensor:
        """Cumulative probabilities float64 [1, channels, 1, V] of values float64 [1, 1, 1, V] in these channels."""

    @classmethod
    @abstractmethod
    def answer(cls, network: Network) -> int:
        """The CRC32 of what the exact part gives for fixed symbols; ValueError where it cannot be exact."""

    @classmethod
    def export(
        cls,
        network: Network,
        *,
        lambda_: float,
        quality: int,
        distortion: Distortion = "mse",
        provenance: Mapping[str, Any] | None = None,
        **own: Any,
    ) -> Self:
        """The model of a trained network, whose weights are rounded to float16; `own` are fields of the kind's own.

        Raises ValueError where they are not finite then, and for priors and decoders that cannot be coded with.
        """
        config = cast(Config, network.config)
        weights = {name: tensor.detach().cpu().half() for name, tensor in network.state_dict().items()}
        _check_finite(weights)
        rounded = cls._network(config, weights)
        return cls(
            config=config,
            lambda_=lambda_,
            quality=quality,
            distortion=distortion,
            provenance=dict(provenance or {}),
            weights=weights,
            tables=latent_tables(lambda values: cls.cdf(rounded, values)),
            known_answer=cls.answer(rounded),
            **own,
        )

    @property
    def hash(self) -> bytes:
        """The first 8 bytes of the SHA-256 over everything that decoding depends on."""
        digest = hashlib.sha256(json.dumps(self._decided_by()).encode())
        for name, tensor in sorted(self._tensors().items()):
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)};".encode())
            digest.update(tensor.contiguous().numpy().tobytes())
        return digest.digest()[:MODEL_BYTES]

    @property
    def parameters(self) -> int:
        """How many weights it has."""
        return sum(weight.numel() for weight in self.weights.values())

    def network(self, device: str | torch.device = "cpu") -> Network:
        """The network, float32, on a device, for evaluation."""
        return self._network(self.config, self.weights).to(device)

    def save(self, path: str | Path) -> None:
        """Writes the file; ValueError where the provenance cannot be written as JSON."""
        text = json.dumps(self._head(), allow_nan=False, sort_keys=True)
        write_atomic(Path(path), save_tensors(self._tensors(), {KEY: text}))

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """The model in a file. Raises FileNotFoundError where there is none, and ValueError, one sentence, for a
        damaged, foreign or newer one, and where this machine's arithmetic gives other numbers than the writer's.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"there is no {cls.KIND} at {path}: give the path of one, or a quality that ships")
        content = path.read_bytes()
        head = cls._read_head(content, path)
        try:
            model = cls._of(head, load_tensors(content))
            network = cls._network(model.config, model.weights)
            intact = model.hash.hex() == head["hash"]
        except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
            reason = " ".join(str(error).split())
            raise ValueError(
                f"{path} is damaged or no {cls.KIND} that fits together ({reason}): restore a copy"
            ) from error
        if not intact:
            raise ValueError(f"{path} is damaged, its hash is another: restore a copy")
        if cls.answer(network) != model.known_answer:
            raise ValueError(f"{path} gives other numbers on this machine than where it was written: report this to us")
        return model

    @classmethod
    def read_head(cls, path: Path) -> dict[str, Any]:
        """The JSON of a model's file: config, lambda, quality, distortion, provenance, hash; ValueError as `load`."""
        return cls._read_head(path.read_bytes(), path)

    def _own_head(self) -> dict[str, Any]:
        """Entries of the head that this kind of model has beside those of all; decoding depends on them."""
        return {}

    @classmethod
    def _own_fields(cls, head: Mapping[str, Any]) -> dict[str, Any]:
        """The fields that `_own_head` was made of."""
        return {}

    def _decided_by(self) -> list[Any]:
        own = self._own_head()
        return [VERSION, asdict(cast(Any, self.config)), self.known_answer, *([own] if own else [])]

    def _head(self) -> dict[str, Any]:
        return {
            "format": self.FORMAT,
            "version": VERSION,
            "config": asdict(cast(Any, self.config)),
            "lambda": self.lambda_,
            "quality": self.quality,
            "distortion": self.distortion,
            "provenance": self.provenance,
            "known_answer": self.known_answer,
            "hash": self.hash.hex(),
            **self._own_head(),
        }

    @classmethod
    def _of(cls, head: dict[str, Any], tensors: dict[str, Tensor]) -> Self:
        weights = {name.removeprefix(_WEIGHT): part for name, part in tensors.items() if name.startswith(_WEIGHT)}
        tables = {name.removeprefix(_TABLE): part for name, part in tensors.items() if name.startswith(_TABLE)}
        if any(tensor.dtype != torch.float16 for tensor in weights.values()):
            raise ValueError("its weights are not float16")
        _check_finite(weights)
        config = cls.config_of(head["config"])
        if len(tables["prior_firsts"]) != cls.channels(config):
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
            **cls._own_fields(head),
        )

    def _tensors(self) -> dict[str, Tensor]:
        weights = {_WEIGHT + name: tensor.contiguous() for name, tensor in self.weights.items()}
        return weights | {_TABLE + name: torch.from_numpy(array) for name, array in self.tables.arrays().items()}

    @classmethod
    def _network(cls, config: Config, weights: Mapping[str, Tensor]) -> Network:
        network = cls.build(config)
        network.load_state_dict({name: tensor.float() for name, tensor in weights.items()})
        return cast(Network, network.to(memory_format=torch.channels_last).eval().requires_grad_(False))  # type: ignore[call-overload]

    @classmethod
    def _read_head(cls, content: bytes, path: Path) -> dict[str, Any]:
        try:
            head = json.loads(read_metadata(content).get(KEY, "null"))
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path} is damaged or no safetensors file ({error}): restore a copy") from error
        if not isinstance(head, dict) or head.get("format") != cls.FORMAT:
            raise ValueError(f"{path} is a file of another kind: give a {cls.KIND}")
        if head.get("version") != VERSION:
            raise ValueError(
                f"{path} has {cls.KIND} version {head.get('version')}, this law-rl reads {VERSION}: upgrade"
            )
        return head


def _check_finite(weights: Mapping[str, Tensor]) -> None:
    for name, tensor in weights.items():
        if not tensor.isfinite().all():
            raise ValueError(f"{name} is not finite in float16: export a network that has not diverged")
