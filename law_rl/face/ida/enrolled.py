"""Tables of aligned scores: probes against a gallery whose statistics are known."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from law_rl.face.evaluation.pairs import similarities
from law_rl.face.ida.statistics import NeighbourStatistics

ROWS, COLUMNS = 1024, 2048
"""The size of a tile: as many scores as stay in a processor's cache until they are aligned."""

Alignment = Callable[[Tensor, NeighbourStatistics, NeighbourStatistics], Tensor]
"""An operator whose settings are fixed."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Enrolled:
    """Faces ready to be compared, any number of times: directions float32 [N, D] and their statistics [N]."""

    directions: Tensor
    statistics: NeighbourStatistics

    def __len__(self) -> int:
        return len(self.directions)


@torch.no_grad()
def aligned_table(probes: Enrolled, gallery: Enrolled, align: Alignment) -> Tensor:
    """Aligned cosines float32 [Q, G] of each probe with each gallery face, on the probes' device.

    They are aligned tile by tile, while the cosines are still in the processor's cache. Raises ValueError for two
    widths.
    """
    if probes.directions.shape[1] != gallery.directions.shape[1]:
        raise ValueError(
            f"probes have {probes.directions.shape[1]} dimensions and the gallery {gallery.directions.shape[1]}: "
            "use one network for both."
        )
    table = probes.directions.new_empty(len(probes), len(gallery))
    rows = probes.statistics.as_column()
    for top in range(0, len(probes), ROWS):
        down = slice(top, top + ROWS)
        for left in range(0, len(gallery), COLUMNS):
            across = slice(left, left + COLUMNS)
            cosines = similarities(probes.directions[down], gallery.directions[across])
            table[down, across] = align(cosines, rows.at(down), gallery.statistics.at(across))
    return table
