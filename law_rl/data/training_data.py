"""What every kind of data set offers to those who train on it, whatever it is measured by."""

from collections.abc import Sized
from typing import Any, Protocol, Self

from law_rl.data.dataset import Split


class LearnerData(Protocol):
    """Training samples in memory, and held-out parts which the learner of such data knows how to measure."""

    @property
    def metric(self) -> str:
        """The entry of the learner's `evaluate` that measures success, in points."""
        ...

    @property
    def train(self) -> Sized: ...

    @property
    def validation(self) -> Any:
        """What the reward is measured on."""
        ...

    @property
    def test(self) -> Any:
        """What no search sees."""
        ...

    def to(self, device: Any) -> Self: ...

    def content_hash(self) -> str: ...


class TrainingData(LearnerData, Protocol):
    """Labelled training images in memory, with the held-out parts; the metric is in percent."""

    @property
    def name(self) -> str: ...

    @property
    def class_names(self) -> tuple[str, ...]: ...

    @property
    def classes(self) -> int: ...

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of one image."""
        ...

    @property
    def mean(self) -> tuple[float, ...]:
        """Per channel of the training images, in uint8 units; `std` likewise."""
        ...

    @property
    def std(self) -> tuple[float, ...]: ...

    @property
    def train(self) -> Split: ...

    def with_train(self, train: Split) -> Self:
        """The same data with another training part, normalised as before."""
        ...


class DataSource(Protocol):
    """A configuration from which data is loaded."""

    @property
    def name(self) -> str: ...

    @property
    def metric(self) -> str:
        """That of the data."""
        ...

    def load(self, seed: int) -> TrainingData:
        """The data, on the CPU; `seed` draws what is drawn anew for each training, as label noise.

        Raises FileNotFoundError in one sentence where it is missing.
        """
        ...
