"""A teacher's route (RCO, 1904.09149): its checkpoints from easy to hard, as a folder of files with an index."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import nn

import law_rl
from law_rl.files import write_atomic, write_json

INDEX = "route.json"
SCHEMA = 1
WRAPPERS = ("_orig_mod.", "module.")
"""What torch.compile and data-parallel wrappers put before every name of a state."""

State = dict[str, torch.Tensor]


@dataclass(frozen=True, kw_only=True)
class Anchor:
    """One checkpoint: the epochs trained before it, its file, and its validation accuracy in percent if known.

    Where success is another metric of 0 to 100 points, as `rd_db` of codecs, that stands for the accuracy.
    """

    epoch: int
    file: str
    sha256: str
    accuracy: float | None

    def __post_init__(self) -> None:
        if type(self.epoch) is not int or self.epoch < 0:
            raise ValueError(f"epoch is {self.epoch!r}: give a whole number from 0")
        if type(self.file) is not str or Path(self.file).name != self.file:
            raise ValueError(f"file is {self.file!r}: give a file name without a folder")
        accuracy = self.accuracy
        if accuracy is not None and not (isinstance(accuracy, int | float) and 0 <= accuracy <= 100):
            raise ValueError(f"accuracy of epoch {self.epoch} is {accuracy!r}: give percent in [0, 100], or None")


@dataclass(frozen=True, kw_only=True)
class Route:
    """Anchors in order of their epochs, and what they are checkpoints of.

    `network` is the teacher's configuration as JSON values, `data` the content hash of what it was trained on, and
    `version` that of the law-rl that wrote the route.
    """

    directory: Path
    network: Mapping[str, Any]
    data: str
    version: str
    anchors: tuple[Anchor, ...]

    @classmethod
    def load(cls, directory: Path, *, network: Mapping[str, Any] | None = None, data: str | None = None) -> Self:
        """The route in a folder, once its index and the sha256 of all its files are checked.

        Where `network` or `data` are given, it must be a route of that network or data. Raises ValueError with one
        sentence that says what is wrong; FileNotFoundError where there is no index.
        """
        route = cls._from_index(directory)
        if network is not None:
            _check_network(directory, route.network, _plain(network))
        if data is not None and data != route.data:
            raise ValueError(
                f"{directory} is the route of a teacher of other data ({route.data[:12]}, not {data[:12]}): "
                "train a teacher on this data"
            )
        for anchor in route.anchors:
            route._content(anchor)
        return route

    @classmethod
    def _from_index(cls, directory: Path) -> Self:
        path = directory / INDEX
        if not path.is_file():
            raise FileNotFoundError(f"{directory} holds no route (no {INDEX}): train a teacher with a RouteWriter")
        try:
            index = json.loads(path.read_bytes())
            if index["schema"] != SCHEMA:
                raise ValueError(f"its schema is {index['schema']}, and this law-rl reads {SCHEMA}")
            names = {field.name for field in fields(Anchor)}
            anchors = tuple(Anchor(**{name: entry[name] for name in names}) for entry in index["anchors"])
            network, data, version = dict(index["network"]), str(index["data"]), str(index["law_rl"])
            _check_order(anchors)
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            reason = f"it has no {error}" if isinstance(error, KeyError) else error
            raise ValueError(f"{path} is damaged or not an index of law-rl ({reason}): restore a copy") from error
        return cls(directory=directory, network=network, data=data, version=version, anchors=anchors)

    def __len__(self) -> int:
        return len(self.anchors)

    @property
    def epochs(self) -> tuple[int, ...]:
        """The epochs of the anchors, ascending."""
        return tuple(anchor.epoch for anchor in self.anchors)

    def select(self, indices: Iterable[int]) -> Self:
        """The route that has only these anchors, in ascending order; ValueError where there are none."""
        anchors = tuple(self.anchors[index] for index in sorted(set(indices)))
        _check_order(anchors)
        return replace(self, anchors=anchors)

    def state(self, index: int) -> State:
        """The weights of one anchor on the CPU, as stored; ValueError where its file is missing or changed."""
        anchor = self.anchors[index]
        try:
            return load_tensors(self._content(anchor))
        except SafetensorError as error:
            raise ValueError(
                f"{self.directory / anchor.file} is not a safetensors file ({error}): restore a copy"
            ) from error

    def write_index(self) -> None:
        """Writes the index beside the anchors' files, whole or not at all."""
        entries = [asdict(anchor) for anchor in self.anchors]
        head = {"schema": SCHEMA, "law_rl": self.version, "network": self.network, "data": self.data}
        write_json(self.directory / INDEX, {**head, "anchors": entries})

    def _content(self, anchor: Anchor) -> bytes:
        path = self.directory / anchor.file
        if not path.is_file():
            raise ValueError(f"{path}, the anchor of epoch {anchor.epoch}, is missing: restore it, or train again")
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != anchor.sha256:
            raise ValueError(
                f"{path}, the anchor of epoch {anchor.epoch}, is not the file that {INDEX} names "
                "(its sha256 differs): restore a copy"
            )
        return content


class RouteWriter:
    """Writes a route while a teacher trains: an anchor after every `every`-th epoch and after the last of `epochs`.

    A folder that holds a route of the same network and data is gone on with. An anchor's file is named after its
    content and written before the index, so a kill at any moment leaves a whole route of all anchors but the last.
    `half` stores matrices and convolutions as float16.
    """

    def __init__(
        self,
        directory: Path,
        *,
        network: Mapping[str, Any],
        data: str,
        every: int,
        epochs: int,
        half: bool = False,
    ) -> None:
        if every < 1 or epochs < 1:
            raise ValueError(f"every is {every} and epochs is {epochs}: give at least 1 of each")
        self.every, self.epochs, self.half = every, epochs, half
        if (directory / INDEX).exists():
            self.route = replace(Route.load(directory, network=network, data=data), version=law_rl.__version__)
        else:
            self.route = new_route(directory, network, data)

    def due(self, epoch: int) -> bool:
        """Whether an anchor is to be saved once this many epochs are trained."""
        return epoch % self.every == 0 or epoch == self.epochs

    def save(self, epoch: int, network: nn.Module, accuracy: float | None) -> None:
        """Adds the network as the anchor of `epoch`, with its validation accuracy in percent.

        Anchors of this epoch and of later ones, left by a training that went further before it was resumed, go: a route
        is of one training. Raises ValueError for weights that are not finite.
        """
        old = self.route.anchors
        added = save_anchor(self.route.directory, epoch, network.state_dict(), accuracy, half=self.half)
        kept = tuple(anchor for anchor in old if anchor.epoch < epoch)
        self.route = replace(self.route, anchors=(*kept, added))
        self.route.write_index()
        for anchor in old[len(kept) :]:
            if anchor.file != added.file:
                (self.route.directory / anchor.file).unlink(missing_ok=True)


def new_route(directory: Path, network: Mapping[str, Any], data: str) -> Route:
    """A route without anchors yet."""
    return Route(directory=directory, network=_plain(network), data=data, version=law_rl.__version__, anchors=())


def save_anchor(
    directory: Path, epoch: int, state: Mapping[str, torch.Tensor], accuracy: float | None, *, half: bool = False
) -> Anchor:
    """Writes one state as a safetensors file of its own, and returns its entry for the index.

    With `half` floating tensors of two dimensions or more become float16; biases and statistics of normalisation stay
    as they are. Raises ValueError for values that are not finite, or not in float16.
    """
    tensors = {name: _stored(name, tensor, half) for name, tensor in unwrapped(state).items()}
    content = save_tensors(tensors)
    sha256 = hashlib.sha256(content).hexdigest()
    anchor = Anchor(epoch=epoch, file=f"epoch-{epoch:04d}-{sha256[:12]}.safetensors", sha256=sha256, accuracy=accuracy)
    write_atomic(directory / anchor.file, content)
    return anchor


def unwrapped(state: Mapping[str, torch.Tensor]) -> State:
    """The state without the prefixes that torch.compile and data-parallel wrappers put before all of its names."""
    names = list(state)
    while prefix := next((p for p in WRAPPERS if names and all(name.startswith(p) for name in names)), ""):
        names = [name.removeprefix(prefix) for name in names]
    return dict(zip(names, state.values(), strict=True))


def _stored(name: str, tensor: torch.Tensor, half: bool) -> torch.Tensor:
    tensor = tensor.detach().cpu()
    if not tensor.is_floating_point():
        return tensor.contiguous().clone()
    if not tensor.isfinite().all():
        raise ValueError(f"{name} holds values that are not finite: a teacher that diverged is no anchor")
    if half and tensor.dim() > 1:
        tensor = tensor.half()
        if not tensor.isfinite().all():
            raise ValueError(f"{name} holds values beyond the range of float16: save without half")
    return tensor.contiguous().clone()


def _plain(network: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration as JSON gives it back, so that tuples equal lists."""
    plain: dict[str, Any] = json.loads(json.dumps(dict(network)))
    return plain


def _check_network(directory: Path, stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    for key in sorted({*stored, *wanted}):
        if stored.get(key) != wanted.get(key):
            raise ValueError(
                f"{directory} is the route of another network: its {key} is {stored.get(key)!r}, "
                f"not {wanted.get(key)!r}; choose the network that it was trained with, or another route"
            )


def _check_order(anchors: tuple[Anchor, ...]) -> None:
    epochs = [anchor.epoch for anchor in anchors]
    if not epochs:
        raise ValueError("it has no anchors")
    if any(later <= earlier for earlier, later in pairwise(epochs)):
        raise ValueError(f"its epochs {epochs} do not ascend")
