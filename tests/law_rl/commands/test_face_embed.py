"""`law-rl face embed` end to end: folders, records, landmarks, broken images, and what is refused."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from law_rl.face.data.alignment import TEMPLATE, align
from law_rl.face.data.identity_folders import read_identity_folders
from law_rl.face.data.landmarks import COLUMNS
from law_rl.face.embedder import Embedder
from law_rl.face.embedding_file import EmbeddingFile
from tests.law_rl.commands.cli import complaint, law_rl
from tests.law_rl.commands.faces import SIZE, drawings, png, write_folders, write_network
from tests.law_rl.face.data.test_records import packed
from tests.law_rl.face.data.test_records import write as write_records


@pytest.fixture
def network(tmp_path: Path) -> Path:
    return write_network(tmp_path / "network.safetensors")


def embedded(tmp_path: Path, network: Path, images: Path, *flags: str) -> tuple[EmbeddingFile, str]:
    out, _ = law_rl("face", "embed", str(network), str(images), "--out", "e.safetensors", *flags, cwd=tmp_path)
    return EmbeddingFile.open(tmp_path / "e.safetensors"), out


def test_identity_folders_with_names(tmp_path: Path, network: Path) -> None:
    root = write_folders(tmp_path / "faces", persons=3, images=5, size=20)
    file, out = embedded(tmp_path, network, root, "--batch", "4")
    assert "embeddings of faces: 15/15 images" in out
    assert "15 embeddings of 3 identities, 8 entries each, in e.safetensors (mode 0600)" in out
    assert file.path.stat().st_mode & 0o777 == 0o600
    faces, embedder = read_identity_folders(root, size=SIZE, channels=1), Embedder.load(network)
    torch.testing.assert_close(file.rows(0, 15), embedder(faces.images), rtol=1e-5, atol=1e-5)
    assert file.dtype == torch.float32 and file.network == embedder.hash
    assert file.identities().tolist() == [0] * 5 + [1] * 5 + [2] * 5
    assert file.identity_names([2, 0]) == ["ann2", "ann0"]
    assert file.image_names([0, 14]) == ["ann0/0.png", "ann2/4.png"]


def test_a_flat_folder_has_names_alone_and_mirror_images_add_up(tmp_path: Path, network: Path) -> None:
    root = write_folders(tmp_path / "faces", persons=1, images=6) / "ann0"
    file, _ = embedded(tmp_path, network, root, "--flip", "--half")
    assert not file.has_identities and file.image_names(range(6))[5] == "5.png"
    images, embedder = drawings(1, 6)[0][:, None], Embedder.load(network)
    wanted = embedder(images) + embedder(images.flip(-1))
    assert file.dtype == torch.float16
    torch.testing.assert_close(file.rows(0, 6).float(), wanted, rtol=2e-3, atol=2e-3)


def test_colours_from_records(tmp_path: Path) -> None:
    network = write_network(tmp_path / "network.safetensors", channels=3)
    images = drawings(2, 3).view(6, SIZE, SIZE)
    write_records(tmp_path / "train.rec", [packed(70.0 + n // 3, png(face)) for n, face in enumerate(images)])
    file, _ = embedded(tmp_path, network, tmp_path / "train.rec")
    assert file.identity_names(file.identities().tolist()) == ["70"] * 3 + ["71"] * 3 and not file.has_image_names
    wanted = Embedder.load(network)(images[:, None].expand(-1, 3, -1, -1))
    torch.testing.assert_close(file.rows(0, 6), wanted, rtol=1e-4, atol=1e-4)
    landmarks = write_landmarks(tmp_path / "l.csv", [])
    command = ["face", "embed", str(network), "train.rec", "--out", "x", "--landmarks", str(landmarks)]
    assert "records have none: leave the landmarks out" in complaint(*command, cwd=tmp_path)


def write_landmarks(path: Path, rows: list[tuple[str, np.ndarray]]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows([name, *points.ravel()] for name, points in rows)
    return path


def test_landmarks_align_what_was_shifted(tmp_path: Path, network: Path) -> None:
    root = write_folders(tmp_path / "faces", persons=2, images=2)
    shifted, rows = tmp_path / "shifted", []
    for file in sorted(root.glob("*/*.png")):
        canvas = Image.new("L", (48, 40))
        canvas.paste(Image.open(file), (20, 15))
        name = f"{file.parent.name}/{file.name}"
        (shifted / name).parent.mkdir(parents=True, exist_ok=True)
        canvas.save(shifted / name)
        rows.append((name, TEMPLATE * (SIZE / 112) + [20, 15]))
    plain, _ = embedded(tmp_path, network, root)
    wanted = plain.rows(0, 4).clone()
    landmarks = write_landmarks(tmp_path / "l.csv", rows)
    aligned, _ = embedded(tmp_path, network, shifted, "--landmarks", str(landmarks))
    assert torch.cosine_similarity(aligned.rows(0, 4), wanted).min() > 0.95
    faces = torch.stack([align(Image.open(shifted / name), points, SIZE) for name, points in rows])
    torch.testing.assert_close(aligned.rows(0, 4), Embedder.load(network)(faces), rtol=1e-5, atol=1e-5)
    unaligned, _ = embedded(tmp_path, network, shifted)
    assert torch.cosine_similarity(unaligned.rows(0, 4), wanted).mean() < 0.9
    write_landmarks(landmarks, rows[:3])
    command = ["face", "embed", str(network), str(shifted), "--out", "x", "--landmarks", str(landmarks)]
    assert "Image ann1/1.png has no landmarks" in complaint(*command, cwd=tmp_path)
    write_landmarks(landmarks, [*rows[:3], (rows[3][0], np.zeros((5, 2)))])
    assert "Image ann1/1.png cannot be aligned: The landmarks" in complaint(*command, cwd=tmp_path)


def test_broken_images_stop_or_are_left_out(tmp_path: Path, network: Path) -> None:
    root = write_folders(tmp_path / "faces", persons=3, images=4)
    for name in ("ann0/0.png", "ann1/3.png"):
        (root / name).write_bytes(b"no image")
    command = ["face", "embed", str(network), str(root), "--out", "e.safetensors"]
    error = complaint(*command, cwd=tmp_path)
    assert f"Image {root / 'ann0/0.png'} cannot be read" in error
    assert [path.name for path in tmp_path.iterdir() if "e.safetensors" in path.name] == []
    file, out = embedded(tmp_path, network, root, "--skip-broken", "--batch", "3")
    assert "2 of 12 images were left out:" in out and f"Image {root / 'ann1/3.png'} cannot be read" in out
    assert file.image_names(range(10)) == [
        *("ann0/1.png", "ann0/2.png", "ann0/3.png"),
        *(f"ann1/{number}.png" for number in range(3)),
        *(f"ann2/{number}.png" for number in range(4)),
    ]
    assert file.identities().tolist() == [0] * 3 + [1] * 3 + [2] * 4


def test_a_folder_of_nothing_but_broken_images(tmp_path: Path, network: Path) -> None:
    folder = tmp_path / "faces"
    folder.mkdir()
    for number in range(7):
        (folder / f"{number}.png").write_bytes(b"")
    command = ["face", "embed", str(network), str(folder), "--out", "e", "--skip-broken"]
    assert "no embeddings were given for e" in complaint(*command, cwd=tmp_path)


@pytest.mark.parametrize(
    ("network", "images", "flags", "words"),
    [
        ("gone", "faces", (), "there is no network at gone"),
        ("text.png", "faces", (), "text.png is damaged"),
        ("network.safetensors", "gone", (), "There are no images at gone: give a folder of images, or a .rec file"),
        ("network.safetensors", "gone.rec", (), "The records gone.rec do not exist"),
        ("network.safetensors", "mixed", (), "holds images (a.png) beside folders of images (ann0)"),
        ("network.safetensors", "empty", (), "empty holds no images in folders"),
        ("network.safetensors", "faces", ("--batch", "0"), "batch is 0"),
        ("network.safetensors", "faces", ("--device", "cuda:9"), "device is 'cuda:9', which torch has not here"),
        ("network.safetensors", "faces", ("--device", "chip"), "device is 'chip'"),
        ("network.safetensors", "faces", ("--landmarks", "gone.csv"), "The landmarks gone.csv do not exist"),
        ("network.safetensors", "faces", ("--out", "faces"), "faces: Is a directory"),
    ],
)
def test_bad_input_is_one_sentence(
    tmp_path: Path, network: str, images: str, flags: tuple[str, ...], words: str
) -> None:
    write_network(tmp_path / "network.safetensors")
    write_folders(tmp_path / "faces", persons=1, images=2)
    write_folders(tmp_path / "mixed", persons=1, images=1)
    for name in ("text.png", "mixed/a.png"):
        (tmp_path / name).write_text("no image")
    (tmp_path / "empty").mkdir()
    flags = flags if "--out" in flags else (*flags, "--out", "e")
    assert words in complaint("face", "embed", network, images, *flags, cwd=tmp_path)
    assert not (tmp_path / "e").exists()
