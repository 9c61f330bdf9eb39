"""Damage that is damage, and a benchmark that would see a picture, a crash or a wait."""

import json
from pathlib import Path

import pytest

from benchmarks import codec_fuzz
from benchmarks.codec_fuzz import DAMAGES, Options, damaged, loaded_model, main, sample_image
from law_rl.compression.codec import Codec


def test_cases_are_of_every_kind_and_repeat() -> None:
    content = Codec(loaded_model(None)).encode(sample_image())
    cases = [damaged(content, number) for number in range(3 * len(DAMAGES))]
    assert cases == [damaged(content, number) for number in range(3 * len(DAMAGES))]
    assert {kind for kind, _ in cases} == set(DAMAGES)
    assert all(bad != content for _, bad in cases) and len({bad for _, bad in cases}) > 2 * len(DAMAGES)


def test_all_are_refused_in_a_process_of_bounded_memory(tmp_path: Path) -> None:
    main(["--cases", "44", "--out", str(tmp_path)])
    found = json.loads((tmp_path / "codec_fuzz.json").read_text())
    assert sum(row[1] for row in found["rows"]) == 44 == sum(row[2] for row in found["rows"])


def test_a_picture_or_a_wait_would_be_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = [("truncated", "a picture", 0.1), ("truncated", "refused", 3.0), ("another format", "refused", 0.1)]
    monkeypatch.setattr(codec_fuzz, "run_child", lambda options: results)
    main(["--cases", "3", "--out", str(tmp_path)])
    assert json.loads((tmp_path / "codec_fuzz.json").read_text())["failures"] == [
        "truncated: a picture",
        "truncated: 3.0 s",
    ]


def test_a_crash_is_an_error(tmp_path: Path) -> None:
    missing = tmp_path / "missing.safetensors"
    with pytest.raises(RuntimeError, match=r"ended with 1 in case 0"):
        codec_fuzz.run_child(Options(cases=1, model=missing))
