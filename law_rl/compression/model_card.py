"""What the card of an image codec's model says."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from law_rl.compression.card import Card
from law_rl.compression.network.codec_network import CodecConfig
from law_rl.compression.training_config import TrainingConfig
from law_rl.compression.validation import Validation


@dataclass(frozen=True, kw_only=True)
class CodecCard(Card):
    """As `Card` has it, of crops of photographs."""

    ONE: ClassVar[str] = "an image codec"
    SEVERAL: ClassVar[str] = "Image codecs"
    SOURCE: ClassVar[str] = "EDIC's network (arXiv 2002.03370)"
    MEASURED: ClassVar[str] = "On photographs held out from training, by the model's own estimate of the bits:"
    CROPS: ClassVar[str] = "crops"
    LIMITS: ClassVar[tuple[str, ...]] = (
        "Made for photographs; drawings, text and screens cost more bits than with PNG or WebP.",
        "It fills in texture that is plausible rather than true at low rates: not for evidence or measurement.",
    )
    USAGE: ClassVar[str] = """\
import numpy as np

from law_rl.compression.codec import load_codec

codec = load_codec("{model}")
image = np.zeros((512, 768, 3), np.uint8)  # yours
content = codec.encode(image)
decoded = codec.decode(content)"""

    codec: CodecConfig

    @classmethod
    def readers(cls) -> Mapping[str, Callable[[dict[str, Any]], object]]:
        """As `Card` has it."""
        return {
            "codec": lambda values: CodecConfig(**values),
            "training": lambda values: TrainingConfig(**values),
            "validation": lambda values: Validation(**values),
        }

    @property
    def network(self) -> Mapping[str, Any]:
        """As `Card` has it."""
        return asdict(self.codec)
