"""Files of embeddings: what is written in batches is read back; what is damaged, foreign or unfit is refused."""

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import Tensor

from law_rl.counters import torch_generator
from law_rl.face.embedding_file import EmbeddingFile
from law_rl.face.embedding_writer import HEADER, EmbeddingWriter

HASH = "0" * 64


def drawn(rows: int, width: int = 3, seed: int = 0) -> Tensor:
    return torch.randn(rows, width, generator=torch_generator(seed, "embedding file test"))


def written(path: Path, rows: int = 5, *, dtype: torch.dtype = torch.float16) -> Path:
    with EmbeddingWriter(path, width=3, dtype=dtype, network=HASH, identity_names=["ä", "", "b c"]) as writer:
        names = [f"{row}/ü.jpg" for row in range(rows)]
        writer.append(drawn(rows), names=names, identities=torch.arange(rows) % 3)
    return path


@given(
    sizes=st.lists(st.integers(0, 7), min_size=1, max_size=5).filter(any),
    names=st.lists(st.text(st.characters(codec="utf-8"), max_size=6), min_size=35, max_size=35),
    width=st.integers(1, 9),
    dtype=st.sampled_from([torch.float16, torch.float32]),
)
@settings(max_examples=30, deadline=None)
def test_batches_come_back(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], names: list[str], width: int, dtype: torch.dtype
) -> None:
    path = tmp_path_factory.mktemp("file") / "gallery.safetensors"
    total = sum(sizes)
    batches, identities = torch.split(drawn(total, width), sizes), torch.split(torch.arange(total).flip(0), sizes)
    with EmbeddingWriter(path, width=width, dtype=dtype, network=HASH, identity_names=names) as writer:
        start = 0
        for batch, of in zip(batches, identities, strict=True):
            writer.append(batch, names=names[start : start + len(batch)], identities=of)
            start += len(batch)
    file = EmbeddingFile.open(path)
    assert (len(file), file.width, file.dtype, file.network) == (total, width, dtype, HASH)
    assert torch.equal(file.rows(0, total), drawn(total, width).to(dtype))
    assert torch.equal(file.rows(total // 2, total), drawn(total, width).to(dtype)[total // 2 :])
    assert file.identities().tolist() == list(reversed(range(total)))
    assert file.image_names(range(total)) == names[:total]
    assert file.identity_names([34, 0]) == [names[34], names[0]]
    assert torch.equal(load_file(path)["embeddings"], file.rows(0, total))


def test_names_and_identities_may_be_left_out(tmp_path: Path) -> None:
    with EmbeddingWriter(tmp_path / "plain", width=3) as writer:
        writer.append(drawn(4))
    file = EmbeddingFile.open(tmp_path / "plain")
    assert not file.has_identities and file.identity_count is None and file.network == ""
    for read in (file.identities, lambda: file.image_names([0]), lambda: file.identity_names([0])):
        with pytest.raises(ValueError, match=r"plain has no (identities|image_names|identity_names)"):
            read()


def test_only_the_owner_can_read_it_and_nothing_else_is_left(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        path = written(tmp_path / "new" / "gallery")
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_rows_are_a_view_of_the_mapped_file(tmp_path: Path) -> None:
    file = EmbeddingFile.open(written(tmp_path / "gallery", rows=1000))
    assert file.rows(10, 20).data_ptr() - file.rows(0, 1).data_ptr() == 10 * 3 * 2
    assert file.rows(3, 3).shape == (0, 3)
    for start, stop in ((-1, 2), (2, 1), (0, 1001)):
        with pytest.raises(IndexError, match=f"rows {start} to {stop} are not in .*gallery: it has 1000"):
            file.rows(start, stop)
    with pytest.raises(IndexError, match="1000 is not among the 1000 image_names"):
        file.image_names([1000])


def test_an_error_on_the_way_leaves_what_was_there(tmp_path: Path) -> None:
    path = written(tmp_path / "gallery")
    before = path.read_bytes()
    with pytest.raises(ZeroDivisionError), EmbeddingWriter(path, width=3) as writer:
        writer.append(drawn(2))
        raise ZeroDivisionError
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_named_with_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, mode: str) -> Any:
        os.close(descriptor)
        return open("/dev/full", mode)

    monkeypatch.setattr("law_rl.face.embedding_writer.os.fdopen", full)
    for rows in (10, 10_000):  # kept in the buffer until the end, or not
        with pytest.raises(OSError, match=r"No space left on device: '.*gallery'"):
            written(tmp_path / "gallery", rows)
        assert list(tmp_path.iterdir()) == []


def with_tensors(change: Callable[[dict[str, Tensor]], object], **head: Any) -> Callable[[Path], None]:
    """Writes the file anew with other tensors, or another head, as a program that knows the format could."""

    def rewrite(path: Path) -> None:
        tensors = load_file(path)
        change(tensors)
        facts = {"format": "law-rl embeddings", "version": 1, "network": HASH} | head
        save_file({name: tensor.clone() for name, tensor in tensors.items()}, path, {"law_rl": json.dumps(facts)})

    return rewrite


def with_bytes(change: Callable[[bytes], bytes]) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(change(path.read_bytes()))


def put(name: str, tensor: Tensor) -> Callable[[dict[str, Tensor]], object]:
    return lambda tensors: tensors.update({name: tensor})


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (with_bytes(lambda content: b""), "is damaged or no safetensors file"),
    "cut in the header": (with_bytes(lambda content: content[:100]), "is damaged or no safetensors file"),
    "cut in the data": (with_bytes(lambda content: content[:-1]), "is damaged or no safetensors file"),
    "longer": (with_bytes(lambda content: content + b" "), "is damaged or no safetensors file"),
    "long header": (with_bytes(lambda content: b"\xff" * 8 + content[8:]), "is damaged or no safetensors file"),
    "lying shape": (with_bytes(lambda content: content.replace(b"[5, 3]", b"[6, 3]")), "is damaged or no safetensors"),
    "lying end": (with_bytes(lambda content: content.replace(b"[0, 30]", b"[0, 60]")), "is damaged or no safetensors"),
    "no JSON": (with_bytes(lambda content: content[:8] + b"x" + content[9:]), "is damaged or no safetensors file"),
    "text": (with_bytes(lambda content: b"hello, world"), "is damaged or no safetensors file"),
    "other kind": (with_tensors(dict.clear, format="law-rl network"), "is a file of another kind"),
    "newer": (with_tensors(lambda t: None, version=2), "has embeddings version 2, this law-rl reads 1"),
    "no network": (with_tensors(lambda t: None, network=None), "it does not name its network"),
    "no embeddings": (with_tensors(lambda t: t.pop("embeddings")), "its embeddings are missing"),
    "one row": (with_tensors(put("embeddings", torch.ones(5))), r"its embeddings are F32 \(5,\)"),
    "integers": (with_tensors(put("embeddings", torch.ones(5, 3).long())), r"its embeddings are I64 \(5, 3\)"),
    "no rows": (with_tensors(put("embeddings", torch.ones(0, 3))), r"its embeddings are F32 \(0, 3\)"),
    "few identities": (with_tensors(put("identities", torch.arange(4))), r"its identities are I64 \(4,\)"),
    "float identities": (with_tensors(put("identities", torch.ones(5))), r"its identities are F32 \(5,\)"),
    "names without ends": (with_tensors(lambda t: t.pop("image_names_ends")), "its image_names are not whole"),
    "few names": (with_tensors(put("image_names_ends", torch.arange(4))), r"its image_names_ends are I64 \(4,\)"),
    "surplus": (with_tensors(put("more", torch.ones(1))), "it holds more"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_files_that_are_not_whole_are_refused_in_one_sentence_with_the_path(tmp_path: Path, damage: str) -> None:
    path = written(tmp_path / "gallery")
    harm, words = DAMAGE[damage]
    harm(path)
    with pytest.raises(ValueError, match=words) as raised:
        EmbeddingFile.open(path)
    assert str(path) in str(raised.value) and "\n" not in str(raised.value)


def test_what_a_file_says_wrongly_inside_is_refused_when_it_is_read(tmp_path: Path) -> None:
    path = written(tmp_path / "gallery")
    for name, tensor, words, read in (
        ("image_names_ends", torch.tensor([9, 3, 27, 36, 45]), "image_names 1 lies outside", "image_names"),
        ("image_names_ends", torch.tensor([9, 10**12, 27, 36, 45]), "image_names 1 lies outside", "image_names"),
        ("image_names_ends", torch.tensor([3, 3, 27, 36, 45]), "is no name in UTF-8", "image_names"),
        ("identities", torch.tensor([0, 1, -1, 0, 0]), "an identity below 0", "identities"),
        ("identities", torch.tensor([0, 1, 3, 0, 0]), "without a name", "identities"),
    ):
        with_tensors(put(name, tensor))(path)
        file = EmbeddingFile.open(path)
        with pytest.raises(ValueError, match=words):
            file.identities() if read == "identities" else file.image_names([0, 1])
        del file
        written(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"there are no embeddings at .*gallery"):
        EmbeddingFile.open(tmp_path / "gallery")
    with pytest.raises(FileNotFoundError):
        EmbeddingFile.open(tmp_path)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
@pytest.mark.parametrize("bits", [0x7E00, 0x7C00, 0xFC00])  # NaN, inf, -inf of float16
def test_rows_that_are_not_finite_are_refused_where_they_are_read(
    tmp_path: Path, dtype: torch.dtype, bits: int
) -> None:
    path = written(tmp_path / "gallery", dtype=dtype)
    bad = torch.tensor([bits], dtype=torch.int32).to(torch.int16).view(torch.float16).to(dtype)
    content = bytearray(path.read_bytes())
    place = HEADER + (3 * 3 + 1) * dtype.itemsize  # row 3, entry 1
    content[place : place + dtype.itemsize] = bad.numpy().tobytes()
    path.write_bytes(content)
    file = EmbeddingFile.open(path)
    assert file.rows(0, 3).isfinite().all()
    with pytest.raises(ValueError, match="gallery holds numbers that are not finite in rows 2 to 5"):
        file.rows(2, 5)


@pytest.mark.parametrize(
    ("batch", "words"),
    [
        ({"embeddings": drawn(2, 4)}, r"embeddings are \(2, 4\) and .*gallery takes \[B, 3\]"),
        ({"embeddings": drawn(2) * 1e6}, "not finite in torch.float16"),
        ({"embeddings": drawn(2), "names": ["a"]}, "names are 1 for 2 embeddings"),
        ({"embeddings": drawn(2), "identities": torch.arange(3)}, "identities are 3 for 2 embeddings"),
        ({"embeddings": drawn(2), "identities": torch.ones(2)}, "are torch.float32, or below 0"),
        ({"embeddings": drawn(2), "identities": torch.tensor([0, -1])}, "are torch.int64, or below 0"),
        ({"embeddings": drawn(2), "identities": torch.tensor([0, 2])}, "identity 2 for .*gallery has no name"),
        ({"embeddings": drawn(0)}, "no embeddings were given"),
    ],
)
def test_batches_that_do_not_fit_are_refused(tmp_path: Path, batch: dict[str, Any], words: str) -> None:
    path = tmp_path / "gallery"
    with (
        pytest.raises(ValueError, match=words),
        EmbeddingWriter(path, width=3, identity_names=["a", "b"]) as writer,
    ):
        writer.append(**batch)
    assert list(tmp_path.iterdir()) == []


def test_names_or_identities_of_some_are_refused(tmp_path: Path) -> None:
    for extra in ({"names": ["a", "b"]}, {"identities": torch.arange(2)}):
        with (
            pytest.raises(ValueError, match=r"2 of 5 embeddings for .* have (image_names|identities)"),
            EmbeddingWriter(tmp_path / "gallery", width=3) as writer,
        ):
            writer.append(drawn(2), **extra)  # type: ignore[arg-type]
            writer.append(drawn(3))


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"width": 0}, "width is 0"), ({"dtype": torch.float64}, "dtype is"), ({"network": "x" * 129}, "129 characters")],
)
def test_settings_are_checked(tmp_path: Path, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        EmbeddingWriter(tmp_path / "gallery", **({"width": 3} | settings))


def test_the_longest_header_fits(tmp_path: Path) -> None:
    with EmbeddingWriter(tmp_path / "gallery", width=3, network="\U0001f600" * 128, identity_names=["a"]) as writer:
        writer.append(drawn(2), names=["a", "b"], identities=torch.zeros(2, dtype=torch.int64))
    assert EmbeddingFile.open(tmp_path / "gallery").network == "\U0001f600" * 128
