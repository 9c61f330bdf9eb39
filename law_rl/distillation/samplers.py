"""Batches of a fixed number of samples from each of a fixed number of groups: classes (CUR) or superclasses (SUR)."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Sampler

from law_rl.counters import numpy_generator

Integers = npt.NDArray[np.int64]


class GroupUniformBatches(Sampler[list[int]]):
    """Every batch holds exactly `per_group` samples of each of `batch_size / per_group` different groups.

    With `groups` int64 [N] the class labels this is CCKD's class-uniform sampler (CUR, 1904.01802), with the clusters
    of `superclasses` its superclass-uniform one (SUR). What the paper leaves open is our reading: groups come in rounds
    in which none occurs twice; a group's samples come in shuffled passes in which none occurs twice; in a group of
    n < per_group samples each occurs floor or ceil(per_group / n) times in a batch. The samples of a group stand
    together.

    An epoch has floor(N / (batch_size * world_size)) batches on every rank, a function of (seed, epoch) alone; the
    batches of all ranks, put together in order of rank, are those that one process draws at batch_size * world_size,
    so no group is on two ranks at once. `batches` gives index tensors; iterating gives lists, as the `batch_sampler`
    of a torch DataLoader. Raises ValueError where the numbers do not fit.
    """

    def __init__(
        self,
        groups: torch.Tensor,
        *,
        batch_size: int,
        per_group: int,
        seed: int,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        if groups.dim() != 1 or groups.dtype != torch.int64:
            raise ValueError(f"groups must be int64 [N], one per sample, not {groups.dtype} {tuple(groups.shape)}.")
        if not 0 <= rank < world_size:
            raise ValueError(f"rank={rank} is not one of {world_size} ranks: give 0 <= rank < world_size.")
        if per_group < 1 or batch_size < 1 or batch_size % per_group:
            raise ValueError(
                f"batch_size={batch_size} is not a whole number of groups of per_group={per_group} samples: "
                "make it a multiple."
            )
        _, group_of = np.unique(groups.cpu().numpy(), return_inverse=True)
        self._sizes: Integers = np.bincount(group_of)
        self._members: Integers = np.argsort(group_of, kind="stable")  # the samples of group 0, of group 1, ...
        self._groups_per_batch = batch_size // per_group * world_size
        self.batch_size, self.per_group, self.seed = batch_size, per_group, seed
        self.rank, self.world_size, self.epoch = rank, world_size, 0
        self._length = len(groups) // (batch_size * world_size)
        if self._groups_per_batch > len(self._sizes):
            raise ValueError(
                f"batch_size={batch_size} with per_group={per_group} on {world_size} rank(s) needs "
                f"{self._groups_per_batch} different groups at once, but there are {len(self._sizes)}: "
                "take smaller batches or more samples per group."
            )
        if self._length == 0:
            raise ValueError(
                f"{len(groups)} samples do not fill one batch of batch_size={batch_size} on {world_size} rank(s): "
                "take smaller batches."
            )

    def set_epoch(self, epoch: int) -> None:
        """Chooses the epoch whose batches come next; ValueError below 0."""
        if epoch < 0:
            raise ValueError(f"epoch is {epoch}: count from 0.")
        self.epoch = epoch

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[list[int]]:
        for batch in self._draw():
            yield batch.tolist()

    def batches(self, device: torch.device | str = "cpu") -> list[torch.Tensor]:
        """The epoch's batches of sample indices on `device`, each int64 [batch_size]: one copy, no host work after."""
        return list(torch.from_numpy(self._draw()).to(device).unbind())

    def _draw(self) -> Integers:
        """This rank's batches, int64 [batches, batch_size]."""
        generator = numpy_generator(self.seed, "group-uniform batches", self.epoch)
        visited = _rounds(len(self._sizes), self._groups_per_batch, len(self), generator)
        samples = self._samples(visited.ravel(), generator)
        shared = samples.reshape(len(self), self.world_size, self.batch_size)
        return np.ascontiguousarray(shared[:, self.rank])

    def _samples(self, visited: Integers, generator: np.random.Generator) -> Integers:
        """`per_group` samples for each visit to a group, int64 [V, per_group].

        Each group gets as many shuffled copies of its members as its visits use up; they all stand in one array.
        """
        visits_per_pass = np.maximum(self._sizes // self.per_group, 1)
        visits = np.bincount(visited, minlength=len(self._sizes))
        passes = -(-visits // visits_per_pass)
        pass_group = np.repeat(np.arange(len(passes)), passes)
        pass_size = self._sizes[pass_group]
        group_start = _starts(self._sizes)
        pass_start, first_pass = _starts(pass_size), _starts(passes)

        pass_of = np.repeat(np.arange(len(pass_group)), pass_size)
        place = np.arange(len(pass_of)) - pass_start[pass_of]
        ordered = self._members[group_start[pass_group[pass_of]] + place]
        shuffled = ordered[np.lexsort((generator.random(len(ordered)), pass_of))]

        number, offset = np.divmod(_earlier_visits(visited, visits), visits_per_pass[visited])
        within = (offset[:, None] * self.per_group + np.arange(self.per_group)) % self._sizes[visited][:, None]
        return shuffled[pass_start[first_pass[visited] + number][:, None] + within]


def _rounds(groups: int, per_batch: int, batches: int, generator: np.random.Generator) -> Integers:
    """Which groups each batch holds, int64 [batches, per_batch]: pieces of permutations of all groups."""
    pieces = groups // per_batch
    rounds = -(-batches // pieces)
    orders = generator.permuted(np.tile(np.arange(groups), (rounds, 1)), axis=1)
    return orders[:, : pieces * per_batch].reshape(-1, per_batch)[:batches]


def _earlier_visits(visited: Integers, visits: Integers) -> Integers:
    """How often the group of each visit was visited before it."""
    order = np.argsort(visited, kind="stable")
    earlier = np.empty_like(visited)
    earlier[order] = np.arange(len(visited)) - np.repeat(_starts(visits), visits)
    return earlier


def _starts(lengths: Integers) -> Integers:
    """Where each of consecutive pieces of these lengths begins."""
    return np.cumsum(lengths) - lengths
