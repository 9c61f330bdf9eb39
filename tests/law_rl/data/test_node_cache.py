import errno
import logging
import multiprocessing
import os
import resource
import signal
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
import torch
from PIL import Image

from law_rl.data import sources
from law_rl.data.cifar_official import RELEASES
from law_rl.data.cifar_packs import PACKS
from law_rl.data.node_cache import Content, cache_folder, cache_key, load_once
from law_rl.data.noise import NoiseConfig
from law_rl.data.places import NODE_CACHE
from law_rl.data.sources import DataConfig, load_dataset

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["law_rl.data.sources"])
PATIENCE = 30.0  # seconds
KEY = "key"
FILE, LOCK = f"{KEY}.safetensors", f"{KEY}.lock"


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The node's folder, not made yet, named by the environment variable."""
    folder = tmp_path / "node" / "cache"
    monkeypatch.setenv(NODE_CACHE, str(folder))
    return folder


@pytest.fixture
def config(tmp_path: Path) -> DataConfig:
    """Image folders of two classes, 20 images to train on and 6 to test on, long-tailed, with noisy labels."""
    generator = np.random.default_rng(0)
    for part, count in (("train", 10), ("val", 3)):
        for name in ("häuser", "b"):
            (tmp_path / "images" / part / name).mkdir(parents=True)
            for number in range(count):
                pixels = generator.integers(0, 256, (9, 11, 3), np.uint8)
                Image.fromarray(pixels).save(tmp_path / "images" / part / name / f"{number}.png")
    return DataConfig(
        name="folder",
        root=str(tmp_path / "images"),
        image_size=8,
        train=12,
        validation=6,
        noise=NoiseConfig(kind="uniform", rate=0.4),
        imbalance=2.0,
    )


def load_afresh(config: DataConfig, seed: int = 3) -> Any:
    """As a process does that has loaded nothing yet."""
    sources._clean_splits.cache_clear()
    return load_dataset(config, seed)


def refuse(*_: object) -> NoReturn:
    raise AssertionError("decoded once more")


def content(size: int = 1000) -> Content:
    return Content(
        tensors={"images": torch.arange(size).to(torch.uint8), "targets": torch.arange(9)}, texts={"name": "ä"}
    )


def built(log: Path, seconds: float = 0.0, size: int = 1000) -> Content:
    """`content`, with the process noted in a log."""
    with log.open("a") as file:
        file.write(f"{os.getpid()}\n")
    time.sleep(seconds)
    return content(size)


def equal(one: Content, other: Content) -> bool:
    same = all(torch.equal(tensor, other.tensors[name]) for name, tensor in one.tensors.items())
    return same and one.tensors.keys() == other.tensors.keys() and one.texts == other.texts


def start(target: Callable[..., object], *arguments: object) -> Any:
    process = PROCESSES.Process(target=target, args=arguments, daemon=True)
    process.start()
    return process


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.01)


# Data sets


def test_data_come_back_bit_for_bit(config: DataConfig, node: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load_afresh(config)
    assert [path.suffix for path in sorted(node.iterdir())] == [".lock", ".safetensors"]
    with monkeypatch.context() as patch:
        patch.setattr(sources, "read_folders", refuse)
        later = load_afresh(config)
    monkeypatch.delenv(NODE_CACHE)
    expected = load_afresh(config)
    assert expected.train.mislabelled.any()
    for dataset in (first, later):
        assert (dataset.name, dataset.class_names) == ("folder", ("b", "häuser"))
        assert (dataset.mean, dataset.std) == (expected.mean, expected.std)
        assert dataset.content_hash() == expected.content_hash()
        assert torch.equal(dataset.train.true_targets, expected.train.true_targets)
        for part in (dataset.train, dataset.validation, dataset.test):
            assert part.images.dtype == torch.uint8 and part.images.is_contiguous()
            assert part.targets.dtype == torch.int64


def test_other_seeds_of_noise_need_no_second_file(config: DataConfig, node: Path) -> None:
    first, second = load_afresh(config, 1), load_afresh(config, 2)
    assert not torch.equal(first.train.targets, second.train.targets)
    assert len(list(node.glob("*.safetensors"))) == 1


def repaint(images: Path) -> None:
    path = images / "train" / "b" / "4.png"
    before = path.stat()
    pixels = np.asarray(Image.open(path)).copy()
    Image.fromarray(255 - pixels).save(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))


def add(images: Path) -> None:
    Image.new("RGB", (8, 8)).save(images / "val" / "b" / "new.png")


def take_away(images: Path) -> None:
    (images / "val" / "b" / "0.png").unlink()


def rename_class(images: Path) -> None:
    for part in ("train", "val"):
        (images / part / "b").rename(images / part / "c")


@pytest.mark.parametrize("change", [repaint, add, take_away, rename_class])
def test_changed_files_are_decoded_anew(
    config: DataConfig, node: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None]
) -> None:
    before = load_afresh(config).content_hash()
    change(Path(config.root))
    after = load_afresh(config).content_hash()
    monkeypatch.delenv(NODE_CACHE)
    assert after == load_afresh(config).content_hash() != before


CIFAR_FILES = [
    *(form for release in RELEASES["cifar10"] for form in (release.archive, f"{release.directory}/{release.test[0]}")),
    "cifar10.npz",
    *(f"cifar10/{name}" for names in PACKS["cifar10"] for name in names),
]


@pytest.mark.parametrize("file", CIFAR_FILES)
def test_every_form_of_cifar_in_every_place_counts(tmp_path: Path, file: str) -> None:
    places = (tmp_path / "first", tmp_path / "second")

    def key() -> str:
        return cache_key("cifar10", sources._source_files("cifar10", places))

    keys = [key()]
    for place in places:
        (place / file).parent.mkdir(parents=True)
        (place / file).write_bytes(b"1")
        keys.append(key())
        (place / file).write_bytes(b"22")
        keys.append(key())
    assert len(set(keys)) == 5


@pytest.mark.parametrize("part", ["train", "val"])
def test_an_empty_class_folder_counts(config: DataConfig, part: str) -> None:
    def key() -> str:
        return cache_key("folder", sources._source_files("folder", [Path(config.root)]))

    before = key()
    assert key() == before
    (Path(config.root) / part / "c").mkdir()
    assert key() != before


def test_another_configuration_has_another_file(config: DataConfig, node: Path) -> None:
    load_afresh(config)
    assert load_afresh(DataConfig(name="folder", root=config.root, image_size=6)).image_shape == (3, 6, 6)
    assert len(list(node.glob("*.safetensors"))) == 2


def test_the_sentence_on_missing_data_is_the_same(tmp_path: Path, node: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"does not exist: set DataConfig\.root"):
        load_afresh(DataConfig(name="folder", root=str(tmp_path / "nowhere"), image_size=8))
    assert not list(node.glob("*.safetensors"))


def test_a_folder_that_cannot_be_used_costs_a_warning(
    config: DataConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    expected = load_afresh(config).content_hash()
    assert not caplog.records
    (tmp_path / "file").touch()
    monkeypatch.setenv(NODE_CACHE, str(tmp_path / "file" / "cache"))
    assert load_afresh(config).content_hash() == expected
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert f"{NODE_CACHE} of {tmp_path}/file/cache cannot be used" in caplog.text


def test_digits_are_small_enough_to_be_everyones_own(node: Path) -> None:
    load_afresh(DataConfig())
    assert not node.exists()


def test_without_the_variable_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(NODE_CACHE, raising=False)
    assert cache_folder() is None
    monkeypatch.setenv(NODE_CACHE, "")
    assert cache_folder() is None


# Files


def test_a_file_is_built_once_and_mapped_from_then_on(tmp_path: Path) -> None:
    expected = content()
    for build in (content, refuse, refuse):
        assert equal(load_once(tmp_path, KEY, build), expected)
    assert sorted(path.name for path in tmp_path.iterdir()) == [LOCK, FILE]


@pytest.mark.parametrize("share", [0.0, 0.001, 0.05, 0.5, 0.999, 1.1])
def test_a_file_of_the_wrong_length_is_built_anew(tmp_path: Path, share: float) -> None:
    expected = load_once(tmp_path, KEY, content)
    whole = (tmp_path / FILE).read_bytes()
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    (damaged / FILE).write_bytes((whole + bytes(len(whole)))[: int(share * len(whole))])
    assert equal(load_once(damaged, KEY, content), expected)
    assert (damaged / FILE).read_bytes() == whole


def test_a_build_that_fails_leaves_the_next_one_free(tmp_path: Path) -> None:
    def fail() -> NoReturn:
        raise ValueError("a damaged image")

    with pytest.raises(ValueError, match="a damaged image"):
        load_once(tmp_path, KEY, fail)
    assert equal(load_once(tmp_path, KEY, content), content())


def test_a_full_disk_costs_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, hard))
    try:
        found = load_once(tmp_path, KEY, partial(content, 2**21))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert equal(found, content(2**21))
    assert "cannot be used" in caplog.text and len(caplog.records) == 1
    assert [path.name for path in tmp_path.iterdir()] == [LOCK]


def test_a_disk_found_full_at_the_end_costs_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: int) -> NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    assert equal(load_once(tmp_path, KEY, content), content())
    assert "No space left on device" in caplog.text
    assert [path.name for path in tmp_path.iterdir()] == [LOCK]


def test_writing_to_a_mapped_tensor_stays_in_the_process(tmp_path: Path) -> None:
    load_once(tmp_path, KEY, content).tensors["images"].fill_(7)
    assert equal(load_once(tmp_path, KEY, refuse), content())


# Processes


def load_and_compare(folder: Path, barrier: Any, answers: Any) -> None:
    barrier.wait(PATIENCE)
    answers.put(equal(load_once(folder, KEY, partial(built, folder / "log", 0.3)), content()))


def test_of_processes_that_start_at_once_one_builds(tmp_path: Path) -> None:
    barrier, answers = PROCESSES.Barrier(4), PROCESSES.Queue()
    processes = [start(load_and_compare, tmp_path, barrier, answers) for _ in range(4)]
    assert [answers.get(timeout=PATIENCE) for _ in processes] == [True] * 4
    assert len((tmp_path / "log").read_text().split()) == 1


def load_slowly(folder: Path) -> None:
    load_once(folder, KEY, partial(built, folder / "log", PATIENCE))


def test_when_the_building_process_is_killed_the_next_one_builds(tmp_path: Path) -> None:
    victim = start(load_slowly, tmp_path)
    wait_for((tmp_path / "log").exists)
    found: list[Content] = []
    heir = threading.Thread(target=lambda: found.append(load_once(tmp_path, KEY, partial(built, tmp_path / "log"))))
    heir.start()
    heir.join(0.2)
    assert heir.is_alive() and not found
    os.kill(victim.pid, signal.SIGKILL)
    heir.join(PATIENCE)
    assert equal(found[0], content())
    assert (tmp_path / "log").read_text().split() == [str(victim.pid), str(os.getpid())]


def mapped_kilobytes(path: Path) -> dict[str, int]:
    """The kernel's account of this process's mapping of a file, summed over its pieces."""
    sizes: dict[str, int] = {}
    inside = False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        name, *values = line.split()
        if not name.endswith(":"):
            inside = line.endswith(str(path))
        elif inside and values[-1] == "kB":
            sizes[name[:-1]] = sizes.get(name[:-1], 0) + int(values[0])
    return sizes


def map_and_stay(folder: Path, answers: Any) -> None:
    images = load_once(folder, KEY, refuse).tensors["images"]
    answers.put(int(images.max()))
    time.sleep(PATIENCE)
    del images


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="only Linux accounts for shared pages")
def test_processes_share_the_pages(tmp_path: Path) -> None:
    size = 2**22
    mine = load_once(tmp_path, KEY, partial(content, size))
    answers = PROCESSES.Queue()
    other = start(map_and_stay, tmp_path, answers)
    try:
        assert answers.get(timeout=PATIENCE) == int(mine.tensors["images"].max()) == 255
        account = mapped_kilobytes(tmp_path / FILE)
    finally:
        other.kill()
        other.join()
    kilobytes = size // 1024
    assert account["Rss"] >= kilobytes and account["Anonymous"] == 0
    assert account["Shared_Clean"] + account["Shared_Dirty"] >= kilobytes
    assert account["Pss"] == pytest.approx(kilobytes / 2, rel=0.05)
