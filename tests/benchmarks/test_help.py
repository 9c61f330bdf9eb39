"""Every benchmark explains itself."""

import importlib
from pathlib import Path

import pytest

HELPERS = (
    "__init__",
    "alignment_faces",
    "alignment_methods",
    "alignment_statistics",
    "alignment_tables",
    "anchor_students",
    "black_box",
    "codec_jobs",
    "codec_parts",
    "compressai_codecs",
    "degradations",
    "divergence_tables",
    "population",
    "processes",
    "running",
    "simulation",
    "tables",
    "timing",
    "untrained_codecs",
)
SCRIPTS = sorted(
    path.stem for path in (Path(__file__).parents[2] / "benchmarks").glob("*.py") if path.stem not in HELPERS
)


@pytest.mark.parametrize("script", SCRIPTS)
def test_help(script: str, capsys: pytest.CaptureFixture[str]) -> None:
    module = importlib.import_module(f"benchmarks.{script}")
    with pytest.raises(SystemExit) as ended:
        module.main(["--help"])
    assert ended.value.code == 0
    assert "usage" in capsys.readouterr().out
