"""`law-rl face evaluate` end to end: files of embeddings, folders, masks, folds, templates, and what is refused."""

import json
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from law_rl.counters import torch_generator
from law_rl.face.data.identity_folders import read_identity_folders
from law_rl.face.embedder import Embedder
from law_rl.face.embedding_writer import EmbeddingWriter
from law_rl.face.evaluation.bootstrap import bootstrap, tar_at
from law_rl.face.evaluation.folds import fold_accuracy
from law_rl.face.evaluation.pairs import listed_scores, pair_scores
from law_rl.face.evaluation.rates import equal_error_rate
from law_rl.face.evaluation.verification import verification_metrics
from tests.law_rl.commands.cli import complaint, law_rl
from tests.law_rl.commands.faces import SIZE, drawings, png, write_folders, write_network

PERSONS, EACH = 20, 4


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a network and the folder faces, of 20 persons; the tests add files of their own names."""
    folder = tmp_path_factory.mktemp("evaluate")
    write_folders(folder / "faces", PERSONS, EACH)
    write_network(folder / "network.safetensors")
    return folder


def vectors(noise: float, seed: int = 0) -> torch.Tensor:
    """Embeddings [80, 8] of 20 persons."""
    centres = torch.randn(PERSONS, 8, generator=torch_generator(0, "centres")).repeat_interleave(EACH, 0)
    return centres + noise * torch.randn(PERSONS * EACH, 8, generator=torch_generator(seed, "noise"))


IDENTITIES = torch.arange(PERSONS).repeat_interleave(EACH)


def write(path: Path, embeddings: torch.Tensor, identities: torch.Tensor | None, names: Sequence[str] = ()) -> str:
    with EmbeddingWriter(path, width=8, dtype=torch.float32) as writer:
        writer.append(embeddings, identities=identities, names=names or None)
    return str(path)


def run(place: Path, *arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(law_rl("face", "evaluate", *arguments, "--json", cwd=place)[0])
    return found


def test_files_of_the_same_images_are_compared_person_by_person(tmp_path: Path) -> None:
    one = write(tmp_path / "one.safetensors", vectors(0.8), IDENTITIES)
    two = write(tmp_path / "two.safetensors", vectors(0.6, seed=1), IDENTITIES)
    found = run(tmp_path, one, two, "--far", "0.1")
    statistics = {"TAR@0.001": tar_at(0.001), "TAR@0.01": tar_at(0.01), "TAR@0.1": tar_at(0.1)}
    scores = [pair_scores(each, IDENTITIES) for each in (vectors(0.8), vectors(0.6, seed=1))]
    drawn = [bootstrap(each, statistics) for each in scores]
    assert list(found["systems"]) == ["one", "two"] and found["folds"] == [] and found["templates"] is None
    for system, sample, each in zip(found["systems"].values(), drawn, scores, strict=True):
        counts = {"persons": PERSONS, "genuine": PERSONS * 6, "impostor": 80 * 79 // 2 - PERSONS * 6}
        assert {name: system[name] for name in counts} == counts
        for name, interval in sample.intervals().items():
            assert system["metrics"][name] == interval.to_json()
        assert system["metrics"]["EER"]["mean"] == 100 * equal_error_rate(each.genuine, each.impostor)
    rates = verification_metrics(vectors(0.8), IDENTITIES)
    assert found["systems"]["one"]["metrics"]["rank_1"] == {"mean": rates["rank_1"], "ci95": None}
    assert found["differences"]["over"] == "one" and list(found["differences"]["systems"]) == ["two"]
    difference = drawn[1].differences(drawn[0])["TAR@0.1"]
    assert found["differences"]["systems"]["two"]["TAR@0.1"] == difference.to_json()

    report = tmp_path / "report.html"
    out, _ = law_rl("face", "evaluate", one, two, "--report", str(report), "--far", "0.1", cwd=tmp_path)
    assert "differences to one, in points" in out and f"{difference.mean:+.2f} [{difference.low:+.2f}" in out
    assert str(drawn[0].intervals()["TAR@0.001"]) in out
    assert "Differences to one" in report.read_text()


@pytest.mark.parametrize("change", ["identities", "names", "count"])
def test_files_of_other_images_are_not_paired(tmp_path: Path, change: str) -> None:
    names = [f"{number}.png" for number in range(80)]
    one = write(tmp_path / "a" / "e.safetensors", vectors(0.5), IDENTITIES, names)
    others: dict[str, tuple[torch.Tensor, torch.Tensor, list[str]]] = {
        "identities": (vectors(0.5), IDENTITIES.roll(1), names),
        "names": (vectors(0.5), IDENTITIES, names[::-1]),
        "count": (vectors(0.5)[:79], IDENTITIES[:79], names[:79]),
    }
    two = write(tmp_path / "b" / "e.safetensors", *others[change])
    found = run(tmp_path, one, two)
    assert found["differences"]["systems"] == {} and list(found["systems"]) == [one, two]


def test_a_network_on_a_folder_with_masks(place: Path) -> None:
    command = ["--network", "network.safetensors", "--data", "faces"]
    plain = run(place, *command)
    faces = read_identity_folders(place / "faces", size=SIZE, channels=1)
    rates = verification_metrics(Embedder.load(place / "network.safetensors")(faces.images), faces.identities)
    found = {name: each["mean"] for name, each in plain["systems"]["network"]["metrics"].items()}
    assert found == pytest.approx(rates)
    masked = run(place, *command, "--masked", "--report", "masked.html")
    assert list(masked["systems"]) == ["plain-plain", "masked-plain", "masked-masked"]
    assert masked["systems"]["plain-plain"] == plain["systems"]["network"]
    assert masked["systems"]["masked-plain"]["genuine"] == PERSONS * EACH * (EACH - 1)
    assert masked["systems"]["masked-plain"]["metrics"]["EER"] != plain["systems"]["network"]["metrics"]["EER"]
    assert list(masked["differences"]["systems"]) == ["masked-plain", "masked-masked"]
    assert "masked-plain" in (place / "masked.html").read_text()
    assert run(place, *command, "--masked") == masked
    written = ["face", "embed", "network.safetensors", "faces", "--out", "faces.safetensors"]
    law_rl(*written, cwd=place)
    assert run(place, "faces.safetensors")["systems"]["faces"] == plain["systems"]["network"]
    assert "all pairs of images" in law_rl("face", "evaluate", *command, cwd=place)[0]


def folded(
    place: Path, images: torch.Tensor, pairs: torch.Tensor, same: np.ndarray, folds: int
) -> list[dict[str, Any]]:
    """What both rules give."""
    embedder = Embedder.load(place / "network.safetensors")
    fold = np.arange(len(same)) * folds // len(same)
    plain, mirrored = embedder(images), embedder(images) + embedder(images.flip(-1))
    wanted = []
    for rule, embeddings in (("insightface", mirrored), ("facex_zoo", plain)):
        each = fold_accuracy(listed_scores(embeddings, pairs), same, fold, rule)  # type: ignore[arg-type]
        wanted.append({"rule": rule, "accuracy": 100 * each.mean, "std": 100 * each.std, "folds": folds})
    return wanted


def test_bins_and_lfw_by_both_rules(place: Path) -> None:
    faces = drawings(PERSONS, EACH)
    same = np.arange(40) % 2 == 0
    ends = [
        (k % PERSONS, 0, k % PERSONS, 1) if each else (k % PERSONS, 2, (k + 3) % PERSONS, 3)
        for k, each in enumerate(same)
    ]
    first = torch.stack([faces[a, b] for a, b, _, _ in ends])
    second = torch.stack([faces[c, d] for _, _, c, d in ends])
    images = torch.stack([first, second], 1).view(80, 1, SIZE, SIZE)
    (place / "some.bin").write_bytes(pickle.dumps(([png(image[0]) for image in images], same.tolist()), protocol=2))
    found = run(place, "--network", "network.safetensors", "--bin", "some.bin", "some.bin")
    wanted = folded(place, images, torch.arange(80).view(40, 2), same, 10)
    assert found["folds"] == [pytest.approx({"set": "some", **each}) for each in wanted * 2] and found["systems"] == {}

    lfw = place / "lfw"
    for person in range(8):
        (lfw / f"p{person}").mkdir(parents=True)
        for number in range(2):
            face = Image.fromarray(faces[person, number].numpy())
            face.save(lfw / f"p{person}" / f"p{person}_{number + 1:04d}.jpg", quality=100, subsampling=0)
    rows = ["2\t2"]
    for fold in (0, 4):
        rows += [f"p{fold + k}\t1\t2" for k in range(2)] + [f"p{fold + k}\t1\tp{fold + k + 2}\t2" for k in range(2)]
    (place / "pairs.txt").write_text("\n".join(rows) + "\n")
    command = ["--network", "network.safetensors", "--lfw", "lfw", "--pairs", "pairs.txt"]
    assert [(each["set"], each["folds"]) for each in run(place, *command)["folds"]] == [("LFW", 2)] * 2
    out, _ = law_rl("face", "evaluate", *command, "--data", "faces", cwd=place)
    assert "facex_zoo" in out and "all pairs of images" in out


def test_templates(place: Path) -> None:
    rows = [
        f"ann{person}/{number}.png {2 * person + number // 2} {number}" for person in range(6) for number in range(4)
    ]
    (place / "list.txt").write_text("\n".join(rows))
    pairs = [f"{2 * a} {2 * b + 1} {int(a == b)}" for a in range(6) for b in range(6)]
    (place / "template_pairs.txt").write_text("\n".join(pairs))
    command = ["--network", "network.safetensors", "--data", "faces", "--templates", "list.txt"]
    found = run(place, *command, "--template-pairs", "template_pairs.txt")
    embedder = Embedder.load(place / "network.safetensors", mirrored=True)
    pooled = embedder(drawings(6, 4).view(24, 1, SIZE, SIZE)).view(6, 2, 2, 8).sum(2)
    cosines = torch.cosine_similarity(pooled[:, None, 0], pooled[None, :, 1], dim=-1)
    genuine, impostor = cosines.diagonal(), cosines[~torch.eye(6, dtype=torch.bool)]
    assert found["templates"]["TAR@0.01"] == pytest.approx(100 * float((genuine > impostor.max()).float().mean()))
    assert found["templates"].keys() == {"TAR@0.001", "TAR@0.01", "EER"} and found["systems"] == {}
    out, _ = law_rl("face", "evaluate", *command, "--template-pairs", "template_pairs.txt", cwd=place)
    assert f"pairs of templates: TAR@0.001 {found['templates']['TAR@0.001']:.2f} %" in out


NETWORK = ("--network", "network.safetensors")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "give files of embeddings, or --network and images"),
        (("e", *NETWORK), "give files of embeddings, or --network and images"),
        (NETWORK, "--network needs images to measure it on: --data, --lfw or --bin"),
        (("e", "--data", "faces"), "--data, --lfw, --bin and --masked go with --network"),
        (("e", "--masked"), "--data, --lfw, --bin and --masked go with --network"),
        ((*NETWORK, "--lfw", "lfw"), "--lfw and --pairs go together"),
        ((*NETWORK, "--data", "faces", "--templates", "x"), "--templates and --template-pairs go together"),
        ((*NETWORK, "--bin", "x", "--templates", "x", "--template-pairs", "x"), "--templates needs --data"),
        ((*NETWORK, "--bin", "x", "--masked"), "--masked needs --data"),
        ((*NETWORK, "--bin", "x", "--report", "r.html"), "--report compares all pairs of images"),
        ((*NETWORK, "--bin", "x", "--far", "0"), "far is (0.0,): give rates above 0 and below 1"),
        ((*NETWORK, "--bin", "gone.bin"), "The verification set gone.bin does not exist"),
        ((*NETWORK, "--data", "faces/ann0"), "faces/ann0 does not say whose its images are"),
        (("gone",), "there are no embeddings at gone"),
        (("network.safetensors",), "network.safetensors is a file of another kind"),
        (("unnamed.safetensors",), "unnamed.safetensors has no identities"),
        (("single.safetensors",), "there is no impostor score"),
    ],
)
def test_bad_input_is_one_sentence(place: Path, arguments: tuple[str, ...], words: str) -> None:
    write(place / "unnamed.safetensors", vectors(1.0), None)
    write(place / "single.safetensors", vectors(1.0), torch.zeros(80, dtype=torch.int64))
    assert words in complaint("face", "evaluate", *arguments, cwd=place)


def test_too_many_images_are_refused_before_they_are_read(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("law_rl.commands.face_systems.MOST_IMAGES", 79)
    one = write(place / "many.safetensors", vectors(1.0), IDENTITIES)
    for arguments in ((one,), (*NETWORK, "--data", "faces")):
        error = complaint("face", "evaluate", *arguments, cwd=place)
        assert "has 80 images, whose pairs are too many to compare all: give at most 79" in error
