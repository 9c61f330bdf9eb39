"""`law-rl face identify` end to end: names, thresholds, files, and what is refused."""

import csv
import json
from pathlib import Path

import pytest
import torch

from law_rl.counters import torch_generator
from law_rl.face.embedding_writer import EmbeddingWriter
from tests.law_rl.commands.cli import complaint, law_rl
from tests.law_rl.commands.faces import write_folders, write_network

GALLERY = torch.randn(30, 8, generator=torch_generator(0, "gallery"))
PROBES = GALLERY[[4, 20, 7]] + 0.2 * torch.randn(3, 8, generator=torch_generator(0, "probes"))
COSINES = torch.cosine_similarity(PROBES[:, None], GALLERY[None], dim=-1)


def write(path: Path, embeddings: torch.Tensor, *, network: str = "n", named: bool = True) -> None:
    persons = [f"person {number}" for number in range(10)] if named else []
    with EmbeddingWriter(path, width=embeddings.shape[1], network=network, identity_names=persons) as writer:
        names = [f"{path.stem}/{number}.png" for number in range(len(embeddings))]
        writer.append(
            embeddings,
            names=names if named else None,
            identities=torch.arange(len(embeddings)) % 10 if named else None,
        )


@pytest.fixture
def place(tmp_path: Path) -> Path:
    write(tmp_path / "probes", PROBES)
    write(tmp_path / "gallery", GALLERY)
    return tmp_path


def test_names_and_identities_are_printed(place: Path) -> None:
    out, _ = law_rl("face", "identify", "probes", "gallery", cwd=place)
    assert "gallery: 30/30 rows" in out and "3 of 3 probes have a match among 30 entries" in out
    for probe, entry in enumerate((4, 20, 7)):
        line = next(line for line in out.splitlines() if f"probes/{probe}.png" in line)
        assert f"gallery/{entry}.png" in line and f"person {entry % 10}" in line
        assert f"{COSINES[probe, entry]:.3f}" in line


def test_json_holds_the_k_best_in_order(place: Path) -> None:
    found = json.loads(law_rl("face", "identify", "probes", "gallery", "-k", "4", "--json", cwd=place)[0])
    best = COSINES.topk(4)
    assert [entry["match"] for entry in found] == best.indices.flatten().tolist()
    assert [entry["place"] for entry in found] == [1, 2, 3, 4] * 3
    assert [entry["similarity"] for entry in found] == pytest.approx(best.values.flatten().tolist(), abs=2e-3)
    first = found[0]
    assert (first["probe"], first["probe_name"], first["match_name"]) == (0, "probes/0.png", "gallery/4.png")
    assert first["identity"] == "person 4"


def test_a_threshold_leaves_out_what_is_below(place: Path) -> None:
    best = COSINES.topk(3).values
    threshold = f"{float(best.flatten().sort().values[4:6].mean()):.6f}"
    command = ["face", "identify", "probes", "gallery", "-k", "3", "--threshold", threshold]
    found = json.loads(law_rl(*command, "--json", cwd=place)[0])
    assert len(found) == 4 and min(entry["similarity"] for entry in found) >= float(threshold)
    out, _ = law_rl("face", "identify", "probes", "gallery", "--threshold", "1.01", cwd=place)
    assert "0 of 3 probes have a match among 30 entries with a similarity of 1.01 or more" in out


def test_a_csv_is_the_owners_alone(place: Path) -> None:
    out, _ = law_rl("face", "identify", "probes", "gallery", "-k", "2", "--out", "found.csv", cwd=place)
    assert "in found.csv (mode 0600)" in out and "gallery/4.png" not in out
    assert (place / "found.csv").stat().st_mode & 0o777 == 0o600
    with (place / "found.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6 and rows[0]["match_name"] == "gallery/4.png" and rows[0]["identity"] == "person 4"
    assert float(rows[0]["similarity"]) == pytest.approx(float(COSINES[0, 4]), abs=2e-3)


def test_without_names_there_are_indices(place: Path) -> None:
    write(place / "bare", GALLERY, named=False)
    out, _ = law_rl("face", "identify", "bare", "bare", "-k", "30", cwd=place)
    assert "and 800 more matches: --out FILE.csv takes all" in out
    found = json.loads(law_rl("face", "identify", "probes", "bare", "--json", cwd=place)[0])
    assert [(entry["match"], entry["match_name"], entry["identity"]) for entry in found] == [
        (4, None, None),
        (20, None, None),
        (7, None, None),
    ]


def test_what_embed_wrote_is_found_again(tmp_path: Path) -> None:
    network = write_network(tmp_path / "network.safetensors")
    other = write_network(tmp_path / "other.safetensors", seed=1)
    write_folders(tmp_path / "faces", persons=5, images=3)
    for name, each in (("gallery", network), ("elsewhere", other)):
        law_rl("face", "embed", str(each), "faces", "--out", name, cwd=tmp_path)
    found = json.loads(law_rl("face", "identify", "gallery", "gallery", "--json", cwd=tmp_path)[0])
    assert all(entry["probe_name"] == entry["match_name"] for entry in found) and len(found) == 15
    assert {entry["identity"] for entry in found} == {f"ann{number}" for number in range(5)}
    error = complaint("face", "identify", "gallery", "elsewhere", cwd=tmp_path)
    assert "gallery and elsewhere were made by different networks" in error


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("gone", "gallery"), "there are no embeddings at gone"),
        (("probes", "other"), "probes and other were made by different networks, whose embeddings do not compare"),
        (("probes", "narrow"), "probes are (3, 8) and the embeddings in narrow have 4 entries"),
        (("probes", "gallery", "-k", "31"), "k is 31: ask for at least 1 match and at most 30"),
        (("probes", "gallery", "-k", "0"), "k is 0"),
        (("probes", "gallery", "--threshold", "nan"), "threshold is nan"),
        (("probes", "gallery", "--device", "chip"), "device is 'chip'"),
    ],
)
def test_bad_input_is_one_sentence(place: Path, arguments: tuple[str, ...], words: str) -> None:
    write(place / "other", GALLERY, network="m")
    write(place / "narrow", GALLERY[:, :4], network="n")
    assert words in complaint("face", "identify", *arguments, cwd=place)
