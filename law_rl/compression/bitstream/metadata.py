"""What a picture's file says beside its pixels."""

from dataclasses import dataclass

MOST_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """EXIF and a colour profile, as their bytes stand in picture files; empty for the one that is not there.

    Raises ValueError where both are empty, and for more than 1 MiB.
    """

    exif: bytes = b""
    icc_profile: bytes = b""

    def __post_init__(self) -> None:
        size = len(self.exif) + len(self.icc_profile)
        if not size:
            raise ValueError("exif and icc_profile are both empty: give one, or no metadata")
        if size > MOST_BYTES:
            raise ValueError(
                f"the metadata have {size:,} bytes, more than {MOST_BYTES:,}: shorten them, or do not keep them"
            )
