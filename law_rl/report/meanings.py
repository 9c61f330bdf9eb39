"""What the features of samples and the terms of losses mean, in a clause each, for people who read a schedule."""

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
    "centre_cosine": Meaning(
        clause="how close it is now to the centre of its label (the logit of the label), against its batch", axis=_STD
    ),
    "teacher_divergence": Meaning(
        clause="how far the network's answer is from the teacher's now (Kullback-Leibler), against its batch", axis=_STD
    ),
    "teacher_confidence": Meaning(
        clause="the probability that the teacher gives its label: -1 none, 0 one half, 1 certain",
        axis="none (-1) to certain (1)",
        reach=1.0,
    ),
    "teacher_cosine": Meaning(
        clause="how close its embedding is now to the teacher's (cosine), against its batch", axis=_STD
    ),
    "crowding": Meaning(
        clause="how alike the teacher finds the face and its most alike other persons (mean cosine), against its batch",
        axis=_STD,
    ),
    "bits": Meaning(clause="how many bits the codec spends on the image now, against its batch", axis=_STD),
    "distortion": Meaning(
        clause="how far the codec's picture is from the image now (log of the squared error), against its batch",
        axis=_STD,
    ),
    "gradient_energy": Meaning(
        clause="how busy the image is (log of the squared difference of neighbouring pixels), against its batch",
        axis=_STD,
    ),
    "motion": Meaning(
        clause="how far the frame moved, as the codec tells it (log of pixels), against its batch", axis=_STD
    ),
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

LOSSES: dict[str, str] = {
    "ce": "the cross-entropy with the labels",
    "kd": "how far the answer is from the teacher's, both softened (Hinton's distillation)",
    "hint": "how far the embedding is from the teacher's",
    "cc": "how far the correlations between the samples of a batch are from the teacher's",
    "rkd": "how far the distances and angles between the samples of a batch are from the teacher's",
    "sp": "how far the similarities between the samples of a batch are from the teacher's",
    "fcd": "how far the direction of the embedding is from the teacher's (feature consistency)",
    "rad": "how far the cosines to identities that look alike are from the teacher's (relation-aware distillation)",
    "ekd": "how far the ranks of the batch's pairs among false matches are from the teacher's",
    "distortion": "lambda times the squared error of the codec's picture, beside the bits",
    "teacher_output": "lambda times the squared error to the picture of a heavier codec",
    "teacher_features": "how far the latents are from a heavier codec's",
}
"""Terms of the loss: those of distillation, of faces and of codecs."""
