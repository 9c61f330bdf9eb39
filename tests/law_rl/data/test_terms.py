from typing import get_args, get_type_hints

import pytest

from law_rl.data.noise import NoiseConfig
from law_rl.data.sources import DataConfig
from law_rl.data.terms import terms_of


@pytest.mark.parametrize("name", get_args(get_type_hints(DataConfig)["name"]))
def test_every_data_set_has_terms(name: str) -> None:
    folder = name == "folder"
    config = DataConfig(name=name, root="images" if folder else "", image_size=8 if folder else 0)  # type: ignore[arg-type]
    assert terms_of(config).endswith(".")


def test_labels_from_a_file_have_terms_of_their_own() -> None:
    noise = NoiseConfig(kind="human", labels="somewhere/cifar10n.npz", column="worse_label")
    text = terms_of(DataConfig(name="cifar10", noise=noise))
    assert text.startswith(terms_of(DataConfig(name="cifar10")))
    assert "cifar10n.npz" in text and "somewhere" not in text
