"""Storage that all nodes see: folders on a disk or in a store such as S3, through pyarrow."""

import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import unquote, urlparse

import ray
from pyarrow.fs import FileSelector, FileSystem, FileType, LocalFileSystem, copy_files
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from law_rl.files import write_atomic


class Storage:
    """A folder at a path or URI (s3://bucket/folder, file:///folder).

    `uri` is what Ray takes: an absolute path or a URI. ValueError where pyarrow knows no such kind of place.
    """

    def __init__(self, place: str) -> None:
        parsed = urlparse(place)
        local = "://" not in place or parsed.scheme == "file"
        self.local = Path(unquote(parsed.path) if "://" in place else place).expanduser().resolve() if local else None
        self.uri = str(self.local) if self.local is not None else place.rstrip("/")

    def _open(self) -> tuple[FileSystem, str]:
        if self.local is not None:
            return LocalFileSystem(), str(self.local)
        try:
            system, path = FileSystem.from_uri(self.uri)
        except (OSError, ValueError) as error:
            raise ValueError(
                f"--storage {self.uri} cannot be opened ({error}): give a directory, or a URI such as s3://bucket/folder"
            ) from error
        return system, path

    def __truediv__(self, name: str) -> "Storage":
        place, mark, options = self.uri.partition("?")
        return Storage(f"{place}/{name}{mark}{options}")

    def split(self) -> tuple[str, str]:
        """The place above the folder, and the folder's name."""
        place, mark, options = self.uri.partition("?")
        above, _, name = place.rpartition("/")
        return above + mark + options, name

    def read(self, name: str) -> bytes | None:
        """The content of a file in the folder, None where there is none."""
        system, path = self._open()
        with suppress(FileNotFoundError), system.open_input_stream(f"{path}/{name}") as file:
            content: bytes = file.read()
            return content
        return None

    def write(self, name: str, content: bytes) -> None:
        """Writes a file whole or not at all."""
        if self.local is not None:
            write_atomic(self.local / name, content)
            return
        system, path = self._open()
        with system.open_output_stream(f"{path}/{name}") as file:  # object stores show a file when it is closed
            file.write(content)

    def folders(self) -> list[str]:
        """The names of the folders inside, sorted."""
        system, path = self._open()
        entries = system.get_file_info(FileSelector(path, allow_not_found=True))
        return sorted(entry.base_name for entry in entries if entry.type == FileType.Directory)

    def delete_folders(self) -> None:
        """Deletes the folders inside."""
        system, path = self._open()
        for name in self.folders():
            system.delete_dir(f"{path}/{name}")

    def download(self, directory: Path) -> None:
        """Copies the folder's content into a local directory."""
        system, path = self._open()
        directory.mkdir(parents=True, exist_ok=True)
        copy_files(path, str(directory), source_filesystem=system, destination_filesystem=LocalFileSystem())

    def check_writable(self) -> None:
        """OSError or ValueError in a sentence where nothing can be written."""
        system, path = self._open()
        try:
            system.create_dir(path, recursive=True)
        except OSError as error:
            raise ValueError(
                f"--storage {self.uri} cannot be written ({error}): give a place that this machine may write to"
            ) from error


@ray.remote(num_cpus=0)
def _sees(path: str) -> bool:
    return Path(path).is_file()


def check_shared(storage: Storage) -> None:
    """ValueError where a node of the cluster does not see the storage's directory."""
    nodes = [node for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
    if storage.local is None or len(nodes) < 2:
        return
    with _probe(storage.local) as path:
        blind = blind_nodes(nodes, path)
    if blind:
        raise ValueError(
            f"{len(blind)} of {len(nodes)} nodes ({', '.join(blind[:3])}) do not see {storage.local}: give a --storage "
            "that all nodes see, a shared directory or a URI such as s3://bucket/folder"
        )


def blind_nodes(nodes: Sequence[Mapping[str, str]], path: Path) -> list[str]:
    """The addresses of the nodes on which there is no such file."""
    there = [NodeAffinitySchedulingStrategy(node["NodeID"], soft=False) for node in nodes]
    seen = ray.get([_sees.options(scheduling_strategy=node).remote(str(path)) for node in there])
    return [node["NodeManagerAddress"] for node, sees in zip(nodes, seen, strict=True) if not sees]


@contextmanager
def _probe(directory: Path) -> Iterator[Path]:
    path = directory / f".probe-{os.getpid()}-{uuid.uuid4().hex}"
    write_atomic(path, b"")
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)
