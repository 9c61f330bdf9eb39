"""What is chosen on which faces, and what a run writes and keeps."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
import torch

from benchmarks import alignment_methods, score_alignment
from benchmarks.alignment_faces import Embedded, Views
from benchmarks.alignment_methods import Network, methods
from benchmarks.alignment_tables import ALIKE, COSINE, DEFAULT, PEER, TUNED
from benchmarks.degradations import Condition
from benchmarks.score_alignment import Choice, chosen, in_condition, main, on_test_faces, on_validation_faces
from law_rl.face.evaluation.bootstrap import bootstrap_difference, tar_at
from law_rl.face.evaluation.rates import percentages
from law_rl.face.ida.operators import OPERATORS
from law_rl.face.ida.support import SupportConfig
from tests.benchmarks.alignment import embedded_faces

UNREAD = Views(conditions={}, identities=torch.tensor([-1]))


@pytest.fixture(autouse=True, scope="module")
def small() -> Iterator[None]:
    """Few settings, within the numbers of drawn references."""
    with pytest.MonkeyPatch.context() as patch:
        supports = SupportConfig(count=5), SupportConfig(rule="near", delta=0.2)
        patch.setattr(alignment_methods, "SUPPORTS", supports)
        patch.setattr(alignment_methods, "BETAS", (0.5, 1.0))
        patch.setattr(alignment_methods, "GAMMAS", (16.0,))
        patch.setattr(alignment_methods, "COUNTS", {"as_norm": (10, 20), "csls": (5,)})
        yield


@pytest.fixture(scope="module")
def validations(small: None) -> list[dict[str, Any]]:
    """Those of two networks whose test faces cannot be read."""
    return [on_validation_faces(Network(replace(embedded_faces(seed), test=UNREAD), seed), "") for seed in (0, 1)]


def unread(faces: Embedded) -> Embedded:
    return replace(faces, validation=UNREAD)


def test_every_setting_is_tried_in_every_condition_on_validation_faces(validations: list[dict[str, Any]]) -> None:
    tars = validations[0]["tar"]
    assert list(tars) == list(get_args(Condition))
    for by_label in tars.values():
        assert {label: list(found) for label, found in by_label.items()} == {
            label: list(method.settings) for label, method in methods().items()
        }
    method = methods()["shift, virtual"]
    scores = Network(embedded_faces(0), 0).aligned("validation", "dark", method, method.settings["top 5, beta 0.5"])
    expected = percentages(scores.genuine, scores.impostor, (0.01,))["TAR@0.01"]
    assert tars["dark"]["shift, virtual"]["top 5, beta 0.5"] == pytest.approx(expected)


def flat(value: float) -> dict[str, Any]:
    """A validation in which all settings are alike."""
    return {
        "tar": {
            condition: {label: dict.fromkeys(method.settings, value) for label, method in methods().items()}
            for condition in get_args(Condition)
        }
    }


def test_the_best_mean_over_networks_is_chosen_and_the_first_of_equals() -> None:
    first, second = flat(50.0), flat(40.0)
    first["tar"]["plain"]["shift, gallery"]["top 5, beta 1"] = 58.0
    second["tar"]["plain"]["shift, gallery"]["top 5, beta 1"] = 30.0
    second["tar"]["plain"]["shift, gallery"]["within 0.2, beta 0.5"] = 41.0
    second["tar"]["dark"]["margin, gallery"]["within 0.2"] = 90.0
    choice = chosen([first, second])
    assert choice.settings["plain"]["shift, gallery"] == "within 0.2, beta 0.5"
    assert choice.settings["plain"]["shift, learned"] == "top 5, beta 0.5"
    assert choice.settings["dark"]["margin, gallery"] == "within 0.2"
    assert choice.default == "shift, gallery"


def test_the_default_is_an_operator_on_a_gallery_by_plain_faces() -> None:
    part = flat(50.0)
    part["tar"]["plain"]["as_norm, gallery"]["top 10"] = 99.0
    part["tar"]["plain"]["shift, learned"]["top 5, beta 1"] = 98.0
    part["tar"]["dark"]["margin, gallery"]["top 5"] = 97.0
    part["tar"]["plain"]["z_score, gallery"]["within 0.2"] = 60.0
    choice = chosen([part])
    assert choice.default == "z_score, gallery"
    method, setting = choice.method(choice.default)
    assert method.name == "z_score" and setting.support.rule == "near"
    assert choice.method("margin, gallery", "dark")[1].support.rule == "top_k"


def test_test_faces_are_scored_with_what_was_chosen(validations: list[dict[str, Any]]) -> None:
    choice, network = chosen(validations), Network(unread(embedded_faces(0)), 0)
    found = on_test_faces(network, choice, "", replicates=20)
    listed = [label for label in methods() if "alike" not in label]
    assert list(found["rates"]) == [COSINE, *listed] and list(found["bootstrap"]) == listed
    scores, cosine = network.aligned("test", "plain", *choice.method("csls, gallery")), network.cosines("test", "plain")
    assert found["rates"]["csls, gallery"] == percentages(scores.genuine, scores.impostor, (0.01, 0.001))
    expected = bootstrap_difference(scores, cosine, tar_at(0.01), replicates=20)
    assert found["bootstrap"]["csls, gallery"]["TAR@0.01"] == expected.to_json()
    assert set(found["estimators"]) == {"plain", "mixed"}
    plain = found["conditions"]["plain"]["rates"]
    assert plain[DEFAULT] == plain[TUNED] == found["rates"][choice.default]
    assert (plain[COSINE], plain[PEER]) == (found["rates"][COSINE], found["rates"][PEER])
    assert on_test_faces(network, choice, "", replicates=None)["bootstrap"] == {}


def test_a_condition_is_scored_with_settings_for_plain_faces_and_with_its_own() -> None:
    settings = {
        condition: {label: next(iter(method.settings)) for label, method in methods().items()}
        for condition in get_args(Condition)
    }
    settings["mixed"] = {**settings["mixed"], "shift, gallery": "within 0.2, beta 1"}
    choice, network = Choice(default="shift, gallery", settings=settings), Network(embedded_faces(0), 0)
    rates = in_condition(network, choice, "mixed")["rates"]
    shift = methods()["shift, gallery"]
    for name, setting in ((DEFAULT, "top 5, beta 0.5"), (TUNED, "within 0.2, beta 1")):
        scores = network.aligned("test", "mixed", shift, shift.settings[setting])
        assert rates[name] == percentages(scores.genuine, scores.impostor, (0.01, 0.001))
    assert rates[DEFAULT] != rates[TUNED]
    alike = replace(network.faces, reference=spoilt(network.faces.reference, "mixed"))
    scores = Network(alike, 0).aligned("test", "mixed", shift, shift.settings["top 5, beta 0.5"])
    assert rates[ALIKE] == percentages(scores.genuine, scores.impostor, (0.01, 0.001)) != rates[DEFAULT]


def spoilt(faces: Views, condition: Condition) -> Views:
    """Faces that are in one condition only, which counts as how they are."""
    return replace(faces, conditions={"plain": faces.conditions[condition]})


def test_a_run_writes_its_tables_and_keeps_finished_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    networks: list[int] = []

    def embedded(task: object, seed: int, *rest: object) -> Embedded:
        networks.append(seed)
        return embedded_faces(seed)

    monkeypatch.setattr(score_alignment, "embedded", embedded)
    monkeypatch.setattr(score_alignment, "face_generator", lambda *args: None)
    command = ["--seeds", "2", "--replicates", "10", "--out", str(tmp_path)]
    main(command)
    first = (tmp_path / "score_alignment.md").read_text()
    assert networks == [1000, 1001]
    parts = json.loads((tmp_path / "score_alignment.json").read_text())["parts"]
    assert list(parts) == ["validation/1000", "validation/1001", "test/1000", "test/1001"]
    assert parts["test/1000"]["bootstrap"] and not parts["test/1001"]["bootstrap"]
    default = first.split("Validation prefers ")[1].split(" (")[0]
    assert default in [f"{name}, gallery" for name in OPERATORS] and default in capsys.readouterr().out
    assert first.count("| mixed |") == 6
    monkeypatch.delattr(score_alignment, "embedded")
    main(command)
    assert (tmp_path / "score_alignment.md").read_text() == first
    with pytest.raises(NameError):
        main([*command, "--candidates", "7"])
