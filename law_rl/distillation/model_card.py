"""What the model card of a student says: what it is, what it was made from, how good, fast and large it is."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import law_rl
from law_rl.classification.cost import Latency
from law_rl.classification.network_file import NetworkFacts
from law_rl.classification.networks import NetworkConfig
from law_rl.data.dataset import Dataset
from law_rl.statistics import Interval, mean_interval


@dataclass(frozen=True, kw_only=True)
class CardData:
    """What a student was trained and tested on: name, content hash, images in each split, terms of use in words."""

    name: str
    hash: str
    train: int
    validation: int
    test: int
    terms: str

    def __post_init__(self) -> None:
        if not self.terms.strip():
            raise ValueError(f"terms of {self.name} is empty: say under which licence or terms the data may be used")
        if self.test < 1:
            raise ValueError(f"test is {self.test}: give how many images the accuracy was measured on")

    @classmethod
    def of(cls, dataset: Dataset, terms: str) -> Self:
        """The facts of a data set as a training saw it."""
        sizes = {name: len(getattr(dataset, name)) for name in ("train", "validation", "test")}
        return cls(name=dataset.name, hash=dataset.content_hash(), terms=terms, **sizes)


@dataclass(frozen=True, kw_only=True)
class CardTeacher:
    """The teacher: its network, a hash of its route, and its accuracy in percent on the student's test images."""

    network: NetworkConfig
    route: str
    accuracy: float

    def __post_init__(self) -> None:
        _check_percent("the teacher's accuracy", self.accuracy)


@dataclass(frozen=True, kw_only=True)
class CardTraining:
    """How it was trained: the curriculum's name, the hash of its schedule if it was learned, and the epochs.

    `loss_weights` are those of the loss terms by name, where a schedule does not set them.
    """

    curriculum: str
    schedule: str | None = None
    loss_weights: Mapping[str, float]
    epochs: int


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """All that a card says.

    `macs` are the multiply-accumulates of one image, `files` the bytes of each exported file. `accuracies` holds the
    test accuracy in percent of each training seed that was measured; `seed` is that of the exported student.
    """

    facts: NetworkFacts
    parameters: int
    macs: int
    files: Mapping[str, int]
    latency: Latency
    data: CardData
    teacher: CardTeacher
    training: CardTraining
    accuracies: Mapping[int, float]
    seed: int
    intended_use: str
    limits: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.seed not in self.accuracies:
            raise ValueError(
                f"seed is {self.seed}, and accuracies are of {list(self.accuracies)}: add that of the seed"
            )
        for seed, accuracy in self.accuracies.items():
            _check_percent(f"the accuracy of seed {seed}", accuracy)
        if self.file(".safetensors") is None:
            raise ValueError(f"files are {list(self.files)}: export the weights first, a card describes a file")

    @property
    def accuracy(self) -> Interval:
        """Test accuracy in percent with its 95 % interval.

        Of several training seeds the mean and its t interval; of a single one the Wilson score interval, which is about
        the choice of the test images.
        """
        if len(self.accuracies) > 1:
            return mean_interval(list(self.accuracies.values()))
        return wilson_interval(self.accuracies[self.seed], self.data.test)

    def file(self, suffix: str) -> str | None:
        """The name of the exported file with this suffix."""
        return next((name for name in self.files if name.endswith(suffix)), None)

    def to_json(self) -> dict[str, Any]:
        """The card as JSON values."""
        over = "training seeds" if len(self.accuracies) > 1 else "test images"
        card = {**asdict(self), "accuracy": {**self.accuracy.to_json(), "over": over}, "law_rl": law_rl.__version__}
        plain: dict[str, Any] = json.loads(json.dumps(card))
        return plain


def wilson_interval(accuracy: float, images: int) -> Interval:
    """The Wilson score interval, 95 %, of an accuracy in percent that was measured on so many images."""
    from scipy import stats

    test = stats.binomtest(round(accuracy * images / 100), images)
    interval = test.proportion_ci(0.95, method="wilson")
    return Interval(mean=accuracy, low=100 * float(interval.low), high=100 * float(interval.high))


def _check_percent(what: str, value: float) -> None:
    if not 0 <= value <= 100:
        raise ValueError(f"{what} is {value}: give percent, from 0 to 100")
