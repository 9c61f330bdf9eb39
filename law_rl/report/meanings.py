"""What the features of samples mean, in a clause each, for people who read a schedule."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Meaning:
    """`clause` completes "the feature is ..."; `axis` names its unit; plots show it from -`reach` to `reach`."""

    clause: str
    axis: str
    reach: float = 3.0


_STD = "standard deviations"

MEANINGS: dict[str, Meaning] = {
    "loss": Meaning(clause="the sample's loss now, against its batch", axis=_STD),
    "entropy": Meaning(
        clause="how undecided the network is about it now, against its batch, in standard deviations of the loss",
        axis="standard deviations of the loss",
    ),
    "entropy_own_std": Meaning(clause="how undecided the network is about it now, against its batch", axis=_STD),
    "loss_rank": Meaning(
        clause="the place of its loss in the batch: -1 the lowest, 0 the middle, 1 the highest",
        axis="lowest (-1) to highest (1)",
        reach=1.0,
    ),
    "loss_in_class": Meaning(clause="its loss now, against those of the batch with the same label", axis=_STD),
    "margin": Meaning(clause="how far the network prefers its label to all others now, against its batch", axis=_STD),
    "own_loss": Meaning(clause="a running mean of its own loss, against all training samples", axis=_STD),
    "own_loss_in_class": Meaning(
        clause="a running mean of its own loss, against all training samples with the same label", axis=_STD
    ),
    "own_confidence": Meaning(
        clause="a running mean of the probability that the network gives its label, against all training samples",
        axis=_STD,
    ),
    "own_confidence_in_class": Meaning(
        clause="a running mean of the probability that the network gives its label, against those with the same label",
        axis=_STD,
    ),
    "own_agreement": Meaning(
        clause="how often the network chose its label of late: -1 never, 0 half of the time, 1 always",
        axis="never (-1) to always (1)",
        reach=1.0,
    ),
    "label_prior": Meaning(
        clause="the logarithm of how frequent its label is: 0 an equal share, below 0 a rare one, above 0 a common one",
        axis="log of relative frequency",
    ),
}
