"""What is said of files' sizes."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import codec_size
from benchmarks.codec_size import main, row


def test_a_row_counts_the_files_within_the_limit() -> None:
    found = row(2, [(1000, 1000.0), (1069, 1000.0), (1070, 1000.0)])
    assert found == ("quality 2", "3,139", "+4.633 %", "+0.600 %", "2 of 3")


def test_pictures_of_a_folder_are_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec_size, "shipped_models", lambda: {1: Path()})
    rows = np.mgrid[:64, :64][0].astype(np.uint8)
    Image.fromarray(np.stack([rows, 2 * rows, 255 - rows], 2)).save(tmp_path / "a.png")
    main([str(tmp_path), "--threads", "1", "--out", str(tmp_path)])
    text = (tmp_path / "codec_size.md").read_text()
    assert "1 pictures" in text and "| 1 of 1 |" in text
