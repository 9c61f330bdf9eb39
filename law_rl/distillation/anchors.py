"""Teacher anchors: those chosen from a route, and the few of them that are on the device."""

import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from law_rl.distillation.route import Route, State, unwrapped


class Anchors:
    """The anchors of a route as frozen networks in evaluation mode, of which at most `capacity` exist at a time.

    `build_network` makes one with any weights. Anchors are loaded when first asked for; when `capacity` networks exist,
    the one used longest ago takes the new weights in place: no memory is taken anew, and its addresses stay, as CUDA
    graphs need. So a network is its anchor only until `capacity` others were asked for.
    """

    def __init__(
        self, route: Route, build_network: Callable[[], nn.Module], device: torch.device | str, capacity: int = 2
    ) -> None:
        if capacity < 1:
            raise ValueError(f"capacity is {capacity}: give at least 1 network")
        self.route, self.device, self.capacity = route, device, capacity
        self._build = build_network
        self._networks: OrderedDict[int, nn.Module] = OrderedDict()  # by anchor, the one used longest ago first

    def __len__(self) -> int:
        return len(self.route)

    def network(self, index: int) -> nn.Module:
        """The network of anchor `index` of the route, in [0, len).

        Raises ValueError where its file is missing, changed or of another network; those on the device then stay.
        """
        if not 0 <= index < len(self):
            raise ValueError(f"anchor {index} is not on a route of {len(self)}: give 0 to {len(self) - 1}")
        if index not in self._networks:
            state = self.route.state(index)
            full = len(self._networks) >= self.capacity
            network = next(iter(self._networks.values())) if full else self._new()
            _check_fit(network, state, f"{self.route.directory / self.route.anchors[index].file}")
            if full:
                self._networks.popitem(last=False)
            _copy(state, network)
            self._networks[index] = network
        self._networks.move_to_end(index)
        return self._networks[index]

    def _new(self) -> nn.Module:
        return self._build().to(self.device).requires_grad_(False).eval()


def _check_fit(network: nn.Module, state: State, file: str) -> None:
    own = unwrapped(network.state_dict())
    for name in {**own, **state}:
        ours, theirs = (tuple(tree[name].shape) if name in tree else "missing" for tree in (own, state))
        if ours != theirs:
            raise ValueError(
                f"{file} is of another network ({name} is {theirs} in the file, {ours} in the network): "
                "build the network that the route's index describes"
            )


@torch.no_grad()
def _copy(state: State, network: nn.Module) -> None:
    for name, tensor in unwrapped(network.state_dict()).items():
        tensor.copy_(state[name])


def neighbours(position: float, anchors: int) -> tuple[int, int, float]:
    """(lower, upper, share of the upper) of a position in [0, 1] on a route of equally spaced anchors.

    On an anchor both are that one, with share 0. Raises ValueError for a position outside [0, 1].
    """
    if not 0.0 <= position <= 1.0:
        raise ValueError(f"position is {position}: give one in [0, 1], 0 the first anchor and 1 the last")
    place = round(position * (anchors - 1), 9)  # the product of i / (anchors - 1) can miss i by a rounding error
    lower = math.floor(place)
    return lower, math.ceil(place), place - lower


def mix_logits(lower: torch.Tensor, upper: torch.Tensor, share: float, temperature: float) -> torch.Tensor:
    """Logits z [N, K] with softmax(z / T) = (1 - share) softmax(lower / T) + share softmax(upper / T).

    Computed in the log domain, so that no class's probability becomes 0.
    """
    if not 0.0 < share < 1.0:
        raise ValueError(f"share is {share}: give one between 0 and 1")
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}: give a positive one")
    logs = [torch.log_softmax(logits / temperature, dim=1) for logits in (lower, upper)]
    return temperature * torch.logaddexp(logs[0] + math.log1p(-share), logs[1] + math.log(share))


def equal_epoch_interval(route: Route, count: int) -> tuple[int, ...]:
    """RCO's EEI: indices of the `count` anchors at epochs E/count, 2E/count, ..., E, where E is the route's last.

    Where none was saved at such an epoch, the nearest is taken, the earlier of two. Raises ValueError where the route
    has too few for that.
    """
    epochs = route.epochs
    targets = [epochs[-1] * step / count for step in range(1, count + 1)]
    chosen = [min(range(len(epochs)), key=lambda index: abs(epochs[index] - target)) for target in targets]
    if count < 1 or len(set(chosen)) < count:
        raise ValueError(
            f"count is {count}, but the route has anchors at epochs {list(epochs)}: give at least 1, and no more than "
            "it has at equal intervals"
        )
    return tuple(chosen)


@dataclass(frozen=True, kw_only=True, eq=False)
class GreedySearch:
    """What a greedy search chose, and from what: `ratios` float64 [E, E] as in `greedy_search`."""

    indices: tuple[int, ...]
    ratios: torch.Tensor
    delta: float


def greedy_search(divergences: torch.Tensor, delta: float) -> GreedySearch:
    """RCO's GS, our reading: from each anchor to the furthest one that is not too hard for a student just taught by it.

    `divergences` [E, E] holds H[i, j], the validation divergence between anchor j and a student just taught by anchor i
    (its entries below the diagonal are not used). With r[i, j] = H[i, j] / H[i, i], the search starts at anchor 0; from
    anchor i it walks on while r[i, j] <= delta and takes the last j reached, at least i + 1; it ends with the last
    anchor. A larger delta gives fewer anchors. Raises ValueError for a matrix without a meaning.
    """
    size = len(divergences)
    if divergences.shape != (size, size) or size == 0:
        raise ValueError(f"divergences must be [E, E], anchors by anchors, not {tuple(divergences.shape)}")
    if not delta > 0:
        raise ValueError(f"delta is {delta}: give a positive threshold, usually above 1")
    matrix = divergences.double()
    used = matrix[torch.ones(size, size, dtype=torch.bool).triu()]
    if not used.isfinite().all() or not (used >= 0).all() or not (matrix.diagonal() > 0).all():
        raise ValueError("divergences must be finite and not negative, and positive on the diagonal: measure them anew")
    ratios = matrix / matrix.diagonal()[:, None]
    indices = [0]
    while (here := indices[-1]) < size - 1:
        too_hard = (ratios[here, here + 1 :] > delta).nonzero()
        reached = here + int(too_hard[0]) if len(too_hard) else size - 1
        indices.append(max(reached, here + 1))
    return GreedySearch(indices=tuple(indices), ratios=ratios, delta=delta)
