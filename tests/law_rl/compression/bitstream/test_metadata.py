"""What is kept beside the pixels is there, and bounded."""

import pytest

from law_rl.compression.bitstream.metadata import MOST_BYTES, Metadata


def test_both_together_are_bounded() -> None:
    Metadata(exif=bytes(MOST_BYTES - 1), icc_profile=b"a")
    with pytest.raises(ValueError, match="have 1,048,577 bytes, more than 1,048,576"):
        Metadata(exif=bytes(MOST_BYTES), icc_profile=b"a")


def test_no_metadata_are_none() -> None:
    with pytest.raises(ValueError, match="are both empty"):
        Metadata()
