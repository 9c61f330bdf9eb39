"""Points of other codecs on Kodak's pictures, as published: not measured here."""

import hashlib
import json
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path

from law_rl.compression.pictures import read_picture
from law_rl.compression.rate_curve import RateCurve, RatePoint

FILE = "published_kodak.json"
KODAK = "2be7fa2eebfda5c57eb79b521bdd1dadd0cebac670583f1c6b7a25fb1f6afa3b"
"""The SHA-256 of the sorted SHA-256 of the pixels of Kodak's 24 pictures."""


@cache
def published_kodak() -> tuple[RateCurve, ...]:
    """JPEG, WebP, BPG, VTM and learned codecs (8-bit pictures, real files, means over 24 pictures); `source()` says
    whose numbers they are.
    """
    return tuple(
        RateCurve(
            name=f"{name} (published)",
            points=tuple(RatePoint(setting=str(place), **point) for place, point in enumerate(points, 1)),
            published=True,
        )
        for name, points in _content()["curves"].items()
    )


def source() -> str:
    """Whose numbers the published ones are, in a sentence."""
    return str(_content()["source"])


@cache
def _content() -> dict[str, dict[str, list[dict[str, float]]]]:
    content: dict[str, dict[str, list[dict[str, float]]]] = json.loads(
        files("law_rl.compression").joinpath(FILE).read_text(encoding="utf-8")
    )
    return content


def is_kodak(paths: Sequence[Path]) -> bool:
    """Whether these are Kodak's 24 pictures, by their pixels; names and file formats do not matter."""
    return len(paths) == 24 and fingerprint(paths) == KODAK


def fingerprint(paths: Sequence[Path]) -> str:
    """A hash of the pixels of pictures in any order."""
    each = sorted(hashlib.sha256(read_picture(path).tobytes()).hexdigest() for path in paths)
    return hashlib.sha256("".join(each).encode()).hexdigest()
