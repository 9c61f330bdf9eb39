"""A codec beside others on the same pictures."""

from dataclasses import dataclass
from typing import Literal

from law_rl.compression.bd_rate import BdRate, NoOverlap, bd_rate
from law_rl.compression.rate_curve import Metric, RateCurve

NOT_MEASURED = "not measured"
"""In place of a BD-rate by a metric that pictures or clips are too small for."""


@dataclass(frozen=True, kw_only=True)
class Against:
    """The codec's BD-rates against another: negative where the codec needs fewer bits; why not, where there is none."""

    name: str
    psnr: BdRate | str
    ms_ssim: BdRate | str


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Curves over the same `count` pictures or clips, by their `noun`: the codec's, and those of its peers, measured or
    published.
    """

    noun: Literal["picture", "clip"]
    count: int
    codec: RateCurve
    peers: tuple[RateCurve, ...]

    @property
    def what(self) -> str:
        return f"{self.count} {self.noun}{'' if self.count == 1 else 's'}"

    @property
    def curves(self) -> tuple[RateCurve, ...]:
        return (self.codec, *self.peers)

    def against(self) -> tuple[Against, ...]:
        """The codec against each peer."""
        return tuple(
            Against(name=peer.name, psnr=self._rate(peer, "psnr"), ms_ssim=self._rate(peer, "ms_ssim"))
            for peer in self.peers
        )

    def _rate(self, peer: RateCurve, metric: Metric) -> BdRate | str:
        if all(getattr(point, metric) is None for point in (*self.codec.points, *peer.points)):
            return NOT_MEASURED
        try:
            return bd_rate(self.codec, peer, metric)
        except NoOverlap as error:
            return str(error)


def in_words(rate: BdRate | str) -> str:
    """A BD-rate as a cell of a table."""
    if isinstance(rate, str):
        return NOT_MEASURED if rate == NOT_MEASURED else "no overlap"
    return f"{rate.percent:+.1f} %"
