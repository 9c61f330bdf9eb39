import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from law_rl.data.label_files import read_labels

WORSE, CLEAN = [3, 1, 2, 2], [3, 1, 0, 2]


def write(path: Path) -> None:
    columns = {"worse_label": np.array(WORSE), "clean_label": np.array(CLEAN)}
    match path.suffix:
        case ".npz":
            np.savez(path, **columns)  # type: ignore[arg-type]
        case ".pt":
            torch.save(columns, path)
        case ".csv":
            rows = "".join(f"{worse},x{i},{clean}\n" for i, (worse, clean) in enumerate(zip(WORSE, CLEAN, strict=True)))
            path.write_text("worse_label,file,clean_label\n" + rows)
        case ".npy":
            np.save(path, columns["worse_label"])
        case ".txt":
            path.write_text("\n".join(map(str, WORSE)) + "\n")


@pytest.mark.parametrize("ending", ["npz", "pt", "csv", "npy", "txt"])
def test_every_form_round_trips(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"labels.{ending}"
    write(path)
    labels, clean = read_labels(str(path), "worse_label")
    assert labels.dtype == torch.int64 and labels.tolist() == WORSE
    if ending in ("npy", "txt"):
        assert clean is None
    else:
        assert clean is not None and clean.tolist() == CLEAN


def test_reads_pt_files_written_with_an_older_numpy(tmp_path: Path) -> None:
    new, old = tmp_path / "new.pt", tmp_path / "old.pt"
    write(new)
    with zipfile.ZipFile(new) as source, zipfile.ZipFile(old, "w") as target:
        for name in source.namelist():
            target.writestr(name, source.read(name).replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))
    assert b"numpy.core.multiarray" in old.read_bytes()
    assert read_labels(str(old), "worse_label")[0].tolist() == WORSE


def test_a_pt_file_cannot_run_code(tmp_path: Path) -> None:
    class Malicious:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (tmp_path / "executed",)  # type: ignore[return-value]

    torch.save({"worse_label": Malicious()}, tmp_path / "labels.pt")
    with pytest.raises(pickle.UnpicklingError):
        read_labels(str(tmp_path / "labels.pt"), "worse_label")
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("ending", ["npz", "pt", "csv"])
def test_a_missing_column_is_named(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"labels.{ending}"
    write(path)
    with pytest.raises(ValueError, match="no column 'aggre_label'"):
        read_labels(str(path), "aggre_label")


def test_other_faults_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"gone\.npz does not exist"):
        read_labels(str(tmp_path / "gone.npz"), "worse_label")
    with pytest.raises(ValueError, match="unknown ending"):
        read_labels(str(tmp_path / "labels.parquet"), "worse_label")
    (tmp_path / "labels.txt").write_text("1\ntwo\n")
    with pytest.raises(ValueError, match="'two'"):
        read_labels(str(tmp_path / "labels.txt"), "worse_label")
    np.save(tmp_path / "labels.npy", np.array([0.5, 1.0]))
    with pytest.raises(ValueError, match="one integer per image"):
        read_labels(str(tmp_path / "labels.npy"), "worse_label")
