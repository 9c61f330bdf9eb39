"""`law-rl face align` end to end: rates before and after, lists of pairs, aligners kept, reports, and refusals."""

import csv
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional

from law_rl.commands.face_arguments import FaceAlignCommand
from law_rl.counters import torch_generator
from law_rl.face.embedding_writer import EmbeddingWriter
from law_rl.face.evaluation.bootstrap import bootstrap, tar_at
from law_rl.face.evaluation.pairs import pair_scores
from law_rl.face.evaluation.rates import Roc
from law_rl.face.ida.aligner import METHODS, ScoreAligner
from law_rl.face.ida.support import SupportConfig
from tests.law_rl.commands.cli import complaint, law_rl
from tests.law_rl.report.runs import Page

PERSONS, EACH, WIDTH = 24, 4, 16
IDENTITIES = torch.arange(PERSONS).repeat_interleave(EACH)
STATISTICS = {"TAR@0.001": tar_at(0.001), "TAR@0.01": tar_at(0.01), "EER": Roc.equal_error_rate}


def crowd(seed: int, persons: int = PERSONS) -> torch.Tensor:
    """Embeddings [4 persons, 16] of which some lie nearer to all others than the rest do."""
    generator = torch_generator(seed, "test crowd")
    centres = torch.randn(persons, WIDTH, generator=generator).repeat_interleave(EACH, 0)
    noise = torch.randn(len(centres), WIDTH, generator=generator)
    common = torch.ones(WIDTH) * 1.5 * torch.rand(len(centres), 1, generator=generator)
    return centres + 0.5 * noise + common


FACES, OTHERS = crowd(0), crowd(1, 40)


def write(
    path: Path,
    embeddings: torch.Tensor,
    identities: torch.Tensor | None = None,
    persons: Sequence[str] = (),
    *,
    names: bool = False,
    network: str = "",
) -> None:
    images = [f"image{number}.png" for number in range(len(embeddings))]
    with EmbeddingWriter(
        path, width=embeddings.shape[1], dtype=torch.float32, network=network, identity_names=persons
    ) as writer:
        writer.append(embeddings, identities=identities, names=images if names else None)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with files of the faces, of others as reference, and of both without identities."""
    folder = tmp_path_factory.mktemp("align")
    ours, theirs = [f"ann{k}" for k in range(PERSONS)], [f"bo{k}" for k in range(40)]
    others = torch.arange(40).repeat_interleave(EACH)
    write(folder / "faces", FACES, IDENTITIES, ours, names=True, network="a")
    write(folder / "others", OTHERS, others, theirs, network="a")
    write(folder / "nameless", FACES, names=True)
    write(folder / "crowd", OTHERS)
    return folder


def run(place: Path, *arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(law_rl("face", "align", *arguments, "--json", cwd=place)[0])
    return found


def by_hand(method: str, **support: Any) -> dict[str, dict[str, object]]:
    """The rates of all pairs aligned one by one, and their differences to the cosines."""
    config = replace(METHODS[method][0], **support)
    aligner = ScoreAligner(method=method, support=config).fit(OTHERS)
    first, second = torch.triu_indices(len(FACES), len(FACES), 1)
    cosines = pair_scores(FACES, IDENTITIES)
    plain = functional.cosine_similarity(FACES[first], FACES[second])
    aligned = aligner.align(plain, FACES[first], FACES[second])
    same = IDENTITIES[first] == IDENTITIES[second]
    after = replace(cosines, genuine=aligned[same].numpy(), impostor=aligned[~same].numpy())
    drawn = [bootstrap(scores, STATISTICS) for scores in (cosines, after)]
    tables = (drawn[0].intervals(), drawn[1].intervals(), drawn[1].differences(drawn[0]))
    keys = ("cosine", method, "difference")
    return {
        key: {name: each.to_json() for name, each in table.items()} for key, table in zip(keys, tables, strict=True)
    }


def close(found: Any, expected: Any) -> bool:
    """Whether rates agree, as far as a cosine's last bits may turn one pair of 144."""
    return all(
        found[name]["mean"] == pytest.approx(each["mean"], abs=0.8)
        and found[name]["ci95"] == pytest.approx(each["ci95"], abs=2.0)
        for name, each in expected.items()
    )


@pytest.mark.parametrize(("method", "support"), [("shift", {}), ("t_norm", {}), ("csls", {"count": 5})])
def test_rates_before_and_after_are_those_of_the_aligner(place: Path, method: str, support: dict[str, int]) -> None:
    flags = [word for name, value in support.items() for word in (f"--{name}", str(value))]
    found = run(place, "faces", "--reference", "others", "--method", method, *flags)
    expected = by_hand(method, **support)
    assert list(found["systems"]) == ["cosine", method] and found["checked"] is True
    for name in ("cosine", method):
        metrics = {key: value for key, value in found["systems"][name]["metrics"].items() if key != "rank_1"}
        assert metrics.keys() == expected[name].keys() and close(metrics, expected[name])
        assert found["systems"][name]["genuine"] == PERSONS * 6 and found["systems"][name]["persons"] == PERSONS
    assert found["differences"]["over"] == "cosine"
    assert close(found["differences"]["systems"][method], expected["difference"])
    assert found["pairs"] == len(FACES) * (len(FACES) - 1) // 2
    assert found["aligner"]["support"]["count"] == (support.get("count") or METHODS[method][0].count)


def test_flags_change_what_is_usual_for_the_method(place: Path) -> None:
    found = run(place, "faces", "--reference", "others", "--method", "z_norm", "--least", "3")
    assert found["aligner"]["support"] == asdict(replace(METHODS["z_norm"][0], least=3))


def test_alignment_helps_where_some_faces_are_near_to_all(place: Path) -> None:
    found = run(place, "faces", "--reference", "others")
    gain = found["differences"]["systems"]["shift"]["TAR@0.01"]
    assert gain["ci95"][0] > 0, gain
    before, after = (found["neighbourhoods"]["systems"][name] for name in ("cosine", "shift"))
    assert [each["kind"] for each in before] == ["sparse", "middle", "crowded"]
    assert before[2]["far"] > 3 * before[0]["far"], "a threshold on cosines is unfair"
    assert max(each["far"] for each in after) < before[2]["far"]
    assert found["neighbourhoods"]["images"] == [32, 32, 32] and found["neighbourhoods"]["far"] == 0.01


def test_tables_and_words_are_printed(place: Path) -> None:
    out, _ = law_rl(
        "face", "align", "faces", "--reference", "others", "--method", "as_norm", "--count", "30", cwd=place
    )
    for words in ("all pairs of images, in percent", "differences to cosine", "4,560 pairs aligned by as_norm"):
        assert words in out
    assert "rank_1" not in out and "could not be checked" not in out
    assert "the 30 nearest of the reference faces, looked up" in out
    out, _ = law_rl("face", "align", "nameless", "--reference", "crowd", "--out", "some.csv", cwd=place)
    assert "in percent" not in out and "in some.csv (mode 0600)" in out
    assert "could not be checked: crowd does not say whose its faces are" in out


def test_an_aligner_that_was_saved_aligns_alike(place: Path) -> None:
    fitted = run(place, "faces", "--reference", "others", "--beta", "0.5", "--rule", "near", "--save", "a.safetensors")
    again = run(place, "faces", "--aligner", "a.safetensors")
    assert again["checked"] is False and again["neighbourhoods"].keys() == fitted["neighbourhoods"].keys()
    for name in ("aligner", "pairs", "systems", "differences"):
        assert again[name] == fitted[name]
    assert (place / "a.safetensors").stat().st_mode & 0o777 == 0o600
    assert fitted["aligner"]["beta"] == 0.5 and fitted["aligner"]["support"]["rule"] == "near"
    out, _ = law_rl("face", "align", "faces", "--aligner", "a.safetensors", cwd=place)
    assert "could not be checked: a.safetensors does not name them" in out and "by near the nearest" in out


def test_the_learned_estimator_needs_no_reference_afterwards(place: Path) -> None:
    command = ("faces", "--reference", "others", "--estimator", "learned", "--seed", "3")
    found = run(place, *command, "--save", "learned.safetensors")
    assert found == {**run(place, "faces", "--aligner", "learned.safetensors"), "checked": True}
    assert found["aligner"]["estimator"] == "learned"
    assert found["neighbourhoods"] != run(place, *command[:-1], "4")["neighbourhoods"]


# Lists of pairs

LISTED = [(0, 1), (4, 5), (8, 10), (0, 4), (1, 8), (5, 10), (9, 0), (13, 12)]


def write_pairs(path: Path, *, same: bool, pairs: Sequence[tuple[int, int]] = LISTED, wrong: bool = False) -> str:
    lines = ["first,second" + (",same" if same else "")]
    for one, other in pairs:
        answer = f",{int((one // EACH == other // EACH) != wrong)}" if same else ""
        lines.append(f"image{one}.png,image{other}.png{answer}")
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def test_a_list_of_pairs_is_aligned_and_written(place: Path, tmp_path: Path) -> None:
    pairs = write_pairs(tmp_path / "pairs.csv", same=False)
    out = tmp_path / "aligned.csv"
    found = run(place, "faces", "--reference", "others", "--method", "one_sided", "--pairs", pairs, "--out", str(out))
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert out.stat().st_mode & 0o777 == 0o600 and found["pairs"] == len(rows) == len(LISTED)
    rows_of = torch.tensor(LISTED)
    aligner = ScoreAligner(method="one_sided").fit(OTHERS)
    expected = aligner.align_pairs(FACES, rows_of).tolist()
    cosines = functional.cosine_similarity(*(FACES[end] for end in rows_of.T)).tolist()
    for row, (one, other), cosine, aligned in zip(rows, LISTED, cosines, expected, strict=True):
        assert (row["first"], row["second"]) == (f"image{one}.png", f"image{other}.png")
        assert row["same"] == str(int(one // EACH == other // EACH))
        assert float(row["cosine"]) == pytest.approx(cosine, abs=1e-5)
        assert float(row["aligned"]) == pytest.approx(aligned, abs=1e-5)
    assert found["systems"]["one_sided"]["genuine"] == 4 and found["systems"]["cosine"]["persons"] == 4
    told, _ = law_rl("face", "align", "faces", "--reference", "others", "--pairs", str(out), cwd=place)
    assert "the listed pairs, in percent" in told, "what was written can be read again"


def test_what_a_list_says_stands_for_identities(place: Path, tmp_path: Path) -> None:
    pairs = [(i, j) for i in range(40) for j in range(i + 1, 40)]
    told = write_pairs(tmp_path / "told.csv", same=True, pairs=pairs)
    found = run(place, "nameless", "--reference", "crowd", "--pairs", told)
    known = run(place, "faces", "--reference", "others", "--pairs", told)
    assert found["systems"] == known["systems"] and found["neighbourhoods"] == known["neighbourhoods"]
    assert found["checked"] is False and known["checked"] is True


def test_pairs_without_an_answer_are_only_written(place: Path, tmp_path: Path) -> None:
    pairs = write_pairs(tmp_path / "pairs.csv", same=False)
    found = run(place, "nameless", "--reference", "crowd", "--pairs", pairs, "--out", str(tmp_path / "new" / "out.csv"))
    assert found.keys() == {"aligner", "checked", "pairs"}
    assert (tmp_path / "new" / "out.csv").read_text().splitlines()[0] == "first,second,cosine,aligned"


# The report


def test_the_report_shows_kinds_of_neighbourhoods(place: Path) -> None:
    found = run(place, "faces", "--reference", "others", "--method", "z_score", "--report", "report.html")
    page = Page((place / "report.html").read_text(encoding="utf-8"))
    (*_, header), *rows = page.tables[-1][:1], *page.tables[-1][1:]
    assert header[:3] == ["neighbourhood", "images", "mu"] and [row[0] for row in rows] == [
        "sparse",
        "middle",
        "crowded",
    ]
    for row, before, after in zip(rows, *found["neighbourhoods"]["systems"].values(), strict=True):
        assert row[4:6] == [f"{100 * before['far']:.2f}", f"{100 * before['tar']:.2f}"]
        assert row[7:] == [f"{100 * after['far']:.2f}", f"{100 * after['tar']:.2f}"]
    assert "z_score" in page.text and page.tags["svg"] == 3 and page.tags["script"] == 0


# The flags and the documentation


def test_the_example_of_the_documentation_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (Path(__file__).parents[3] / "docs" / "faces.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    with torch.random.fork_rng():
        names: dict[str, Any] = {}
        exec(example, names)
    assert names["scores"].shape == (20, 50) and "'method': 'as_norm'" in capsys.readouterr().out
    methods = re.findall(r"^\| (`.*?`) \|", text.split("--method` |")[1], re.MULTILINE)
    documented = [name for cell in methods for name in re.findall(r"`(\w+)`", cell) if name in METHODS]
    assert sorted(documented[: len(METHODS)]) == sorted(METHODS)


def test_flags_of_the_support_set_say_what_is_usual() -> None:
    usual, command = SupportConfig(), FaceAlignCommand(embeddings=Path("faces"))
    doc = (Path(__file__).parents[3] / "law_rl" / "commands" / "face_arguments.py").read_text()
    for name in ("count", "quantile", "delta", "least", "most", "gamma"):
        assert getattr(command, name) is None and f"default {getattr(usual, name):g}" in doc
    assert METHODS["shift"][0].count == 5 and METHODS["as_norm"][0].count == 300 and METHODS["csls"][0].count == 10


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("faces",), "there is nothing to align by: give --reference"),
        (("faces", "--reference", "faces"), "ann0 is an identity in faces and in faces: align by reference faces of"),
        (("faces", "--reference", "foreign"), "foreign and faces were made by different networks"),
        (("faces", "--reference", "wide"), "use one network for both"),
        (("faces", "--reference", "others", "--count", "0"), "count is 0: take at least 1 candidate"),
        (("faces", "--reference", "others", "--count", "999"), "support set needs 999"),
        (("faces", "--reference", "others", "--beta", "-1"), "beta is -1.0: give a number from 0"),
        (("faces", "--reference", "crowd", "--estimator", "learned"), "give the identities of the references"),
        (("faces", "--aligner", "x", "--reference", "others"), "--reference and --aligner contradict one another"),
        (("faces", "--aligner", "x", "--count", "5"), "--count and --aligner contradict one another"),
        (("faces", "--aligner", "gone"), "there is no aligner at gone"),
        (("faces", "--aligner", "faces"), "faces is a file of another kind"),
        (("nameless", "--reference", "crowd"), "nothing says which images in nameless are of one person"),
        (("nameless", "--reference", "crowd", "--out", "o", "--report", "r"), "nothing says which images in nameless"),
        (("faces", "--reference", "others", "--pairs", "gone.csv"), "The pairs gone.csv do not exist"),
        (
            ("faces", "--reference", "others", "--pairs", "wrong.csv"),
            "of image0.png and image1.png the pairs say another",
        ),
        (("faces", "--reference", "others", "--pairs", "far.csv"), "the pairs name image96.png, which is not in faces"),
        (("others", "--reference", "faces", "--pairs", "far.csv"), "others has no image_names"),
        (("gone", "--reference", "others"), "there are no embeddings at gone"),
    ],
)
def test_bad_input_is_one_sentence(place: Path, arguments: tuple[str, ...], words: str) -> None:
    write(place / "foreign", OTHERS, network="b")
    write(place / "wide", torch.ones(40, 3))
    write_pairs(place / "wrong.csv", same=True, wrong=True)
    write_pairs(place / "far.csv", same=False, pairs=[(0, 96)])
    assert words in complaint("face", "align", *arguments, cwd=place)


@pytest.mark.parametrize(
    ("one", "other", "words"),
    [
        ((), (), "3 is an identity in two and in one"),
        (("a", "b", "c", "d"), ("e", "f", "g", "d"), "d is an identity in two and in one"),
        (("a", "b", "c", "d"), ("e", "f", "g", "h"), ""),
        (("a", "b", "c", "d"), (), "one of the files names its identities and the other numbers them"),
    ],
)
def test_persons_of_the_reference_are_others(
    tmp_path: Path, one: tuple[str, ...], other: tuple[str, ...], words: str
) -> None:
    """By names where there are any, whatever their numbers."""
    write(tmp_path / "one", FACES[:40], torch.arange(40) % 4, one)
    write(tmp_path / "two", OTHERS[:40], torch.full((40,), 3), other)
    command = ["face", "align", "one", "--reference", "two"]
    if "is an identity" in words:
        assert words in complaint(*command, cwd=tmp_path)
    else:
        out, _ = law_rl(*command, cwd=tmp_path)
        assert words in out and ("could not be checked" in out) == bool(words)


def test_too_many_pairs_are_refused_before_they_are_compared(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = ("face", "align", "faces", "--reference", "others")
    monkeypatch.setattr("law_rl.commands.face_align_pairs.MOST_LINES", 4559)
    assert "96 images have 4,560: list those that count" in complaint(*command, "--out", "o.csv", cwd=place)
    monkeypatch.setattr("law_rl.commands.face_align_pairs.MOST_IMAGES", 95)
    assert "has 96 images, whose pairs are too many" in complaint(*command, cwd=place)
