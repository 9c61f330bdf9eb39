"""What is known of one batch after its forward pass: what sample weights are made from."""

from dataclasses import dataclass

import torch

EPSILON = 1e-5


@dataclass(frozen=True, kw_only=True)
class Batch:
    """The losses float32 [B] of one batch, and what else its host knows.

    Of classifiers, whose losses are cross-entropies in nats: logits [B, C] and targets int64 [B], beside a teacher also
    its logits [B, C] and the cosine [B] of the two embeddings; of faces how crowded each one's neighbourhood is [B]. Of
    codecs, whose losses are rate-distortion costs: each image's bits per pixel [B], mean squared error [B] (RGB in
    0..1) and log mean squared gradient [B], of frames of video also the log of how many pixels they moved [B]. `ids`
    int64 [B] are the samples' places in the training set.
    """

    losses: torch.Tensor
    logits: torch.Tensor | None = None
    targets: torch.Tensor | None = None
    ids: torch.Tensor | None = None
    teacher_logits: torch.Tensor | None = None
    teacher_cosine: torch.Tensor | None = None
    crowding: torch.Tensor | None = None
    bits: torch.Tensor | None = None
    distortion: torch.Tensor | None = None
    gradient_energy: torch.Tensor | None = None
    motion: torch.Tensor | None = None

    def given(self, entry: str, feature: str) -> torch.Tensor:
        """What the host gave as `entry`; ValueError where it gave nothing and `feature` wants it."""
        value: torch.Tensor | None = getattr(self, entry)
        if value is None:
            raise ValueError(
                f"{feature} {_WANTED_FOR[entry]}: give {entry}, or leave it out of the features where there is none"
            )
        return value


_WANTED_FOR = {
    "logits": "looks at a classifier's answer",
    "targets": "looks at a classifier's labels",
    "teacher_logits": "compares with a teacher",
    "teacher_cosine": "compares embeddings with a teacher's",
    "crowding": "says how alike a teacher finds a face and others' faces",
    "bits": "says how many bits a codec spends on an image",
    "distortion": "says how far a codec's picture is from the image",
    "gradient_energy": "says how busy an image is",
    "motion": "says how far a frame of video moved",
}


def standardise(values: torch.Tensor) -> torch.Tensor:
    """Zero mean and unit spread over the batch. Population std: our reading; LAW's code very likely has n - 1."""
    std, mean = torch.std_mean(values, correction=0)
    return (values - mean) / (std + EPSILON)
