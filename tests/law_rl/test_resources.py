"""Resources: sizes with units, and sentences for what cannot be."""

import pytest

from law_rl.resources import Resources, size_in_bytes


@pytest.mark.parametrize(
    ("text", "size"),
    [("", 0), ("1000", 1000), ("2GiB", 2**31), ("1.5 g", 3 * 2**29), ("500MB", 500 * 2**20), ("3k", 3 * 2**10)],
)
def test_sizes_have_units(text: str, size: int) -> None:
    assert size_in_bytes(text, "memory") == size


@pytest.mark.parametrize("text", ["much", "0", "-1g", "2 parsecs", "g"])
def test_what_is_no_size_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match=r"gpu_memory is .*: give a size such as 2GiB"):
        Resources(gpu_memory=text)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"cpus": 0}, "cpus is 0"),
        ({"gpus": -0.5}, "gpus is -0.5"),
        ({"gpus": 1.5}, "a fraction up to 1"),
        ({"placement": "heap"}, "pack or spread"),
    ],
)
def test_impossible_resources_are_refused(fields: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Resources(**fields)  # type: ignore[arg-type]
