"""A video codec beside others on the same clips, on average and clip by clip."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from law_rl.compression.bd_rate import BdRate
from law_rl.compression.comparison import NOT_MEASURED, Comparison


@dataclass(frozen=True, kw_only=True)
class MeanAgainst:
    """The means over clips of the BD-rates in % against a peer; why not, where a clip's curves do not overlap."""

    name: str
    psnr: float | str
    ms_ssim: float | str


@dataclass(frozen=True, kw_only=True)
class ClipComparison:
    """`mean` has the curves that are means over clips, `clips` those of each clip by its name; `settings` says for each
    peer what it is and how it was set; all had an intra frame every `gop` frames.
    """

    gop: int
    mean: Comparison
    clips: Mapping[str, Comparison]
    settings: Mapping[str, str]

    @property
    def terms(self) -> str:
        """What the codecs have alike, and what sets them apart."""
        return (
            f"All have an intra frame every {self.gop} frames. Bits of {self.mean.codec.name} are those of whole "
            "files, of the others those of streams without a container. The others keep what their presets do for the "
            "eye (adaptive quantisation, psychovisual decisions), which costs them PSNR."
        )

    def against(self) -> tuple[MeanAgainst, ...]:
        """The mean of the clips' BD-rates against each peer, as papers on video coding report it."""
        columns = zip(*(each.against() for each in self.clips.values()), strict=True)
        return tuple(
            MeanAgainst(
                name=column[0].name,
                psnr=_mean([each.psnr for each in column]),
                ms_ssim=_mean([each.ms_ssim for each in column]),
            )
            for column in columns
        )


def _mean(rates: Sequence[BdRate | str]) -> float | str:
    percents = [rate.percent for rate in rates if isinstance(rate, BdRate)]
    if all(rate == NOT_MEASURED for rate in rates):
        return NOT_MEASURED
    if len(percents) < len(rates):
        return f"{len(percents)} of {len(rates)} overlap"
    return math.fsum(percents) / len(percents)


def mean_in_words(rate: float | str) -> str:
    """A mean BD-rate as a cell of a table."""
    return rate if isinstance(rate, str) else f"{rate:+.1f} %"
