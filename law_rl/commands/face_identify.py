"""Whose faces are these? The nearest entries of a gallery for each probe."""

import csv
import io
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from law_rl.commands.face_arguments import FaceIdentifyCommand
from law_rl.devices import find_device
from law_rl.face.embedding_file import EmbeddingFile
from law_rl.face.identify import identify
from law_rl.face.nearest import Matches
from law_rl.files import write_atomic
from law_rl.progress import Progress

SHOWN = 100
"""So many lines are printed; a file takes all."""


@dataclass(frozen=True, kw_only=True)
class Match:
    """A probe and an entry of the gallery: their indices and, where the files have them, names and identities.

    `place` counts from 1, the nearest; `similarity` is the cosine.
    """

    probe: int
    probe_name: str | None
    place: int
    match: int
    match_name: str | None
    identity: str | None
    similarity: float


def identify_faces(command: FaceIdentifyCommand) -> None:
    """Prints or writes the nearest entries, and says how many probes have any."""
    probes, gallery = EmbeddingFile.open(command.probes), EmbeddingFile.open(command.gallery)
    if probes.network and gallery.network and probes.network != gallery.network:
        raise ValueError(
            f"{command.probes} and {command.gallery} were made by different networks, whose embeddings do not compare: "
            "embed both with one"
        )
    if command.threshold is not None and math.isnan(command.threshold):
        raise ValueError("threshold is nan: give a similarity from -1 to 1")
    device, console = find_device(command.device), Console(stderr=command.json)
    with Progress(console) as progress:
        nearest = identify(probes.rows(0, len(probes)).to(device), gallery, command.k, progress.gallery)
    found = matches(probes, gallery, nearest, -math.inf if command.threshold is None else command.threshold)
    if command.out is not None:
        write_atomic(command.out, comma_separated(found).encode(), private=True)
    if command.json:
        print(json.dumps([asdict(match) for match in found], indent=2))
    elif command.out is None:
        console.print(_table(found[:SHOWN]))
    console.print("\n".join(_told(command, found, len(probes), len(gallery))), highlight=False, soft_wrap=True)


def matches(probes: EmbeddingFile, gallery: EmbeddingFile, nearest: Matches, threshold: float) -> list[Match]:
    """The nearest entries whose similarity is not below the threshold, probe by probe."""
    rows, columns = (nearest.similarities >= threshold).nonzero().unbind(1)
    indices = nearest.indices[rows, columns].tolist()
    similarities = nearest.similarities[rows, columns].tolist()
    parts = (
        rows.tolist(),
        _image_names(probes, rows.tolist()),
        (columns + 1).tolist(),
        indices,
        _image_names(gallery, indices),
        _identity_names(gallery, indices),
        similarities,
    )
    names = [field.name for field in fields(Match)]
    return [Match(**dict(zip(names, values, strict=True))) for values in zip(*parts, strict=True)]


def _image_names(file: EmbeddingFile, rows: Sequence[int]) -> Sequence[str | None]:
    return file.image_names(rows) if file.has_image_names else [None] * len(rows)


def _identity_names(file: EmbeddingFile, rows: Sequence[int]) -> Sequence[str | None]:
    """The names of the identities of these rows, or their numbers."""
    if not file.has_identities:
        return [None] * len(rows)
    identities = file.identities()[list(rows)].tolist()
    return [str(each) for each in identities] if file.identity_count is None else file.identity_names(identities)


def comma_separated(found: Sequence[Match]) -> str:
    """One line a match, a column for each of its fields."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=[field.name for field in fields(Match)])
    writer.writeheader()
    writer.writerows(asdict(match) for match in found)
    return text.getvalue()


def _table(found: Sequence[Match]) -> Table:
    table = Table()
    for heading in ("probe", "place", "match", "identity", "similarity"):
        table.add_column(heading, justify="right" if heading in ("place", "similarity") else "left")
    for match in found:
        probe, entry = match.probe_name or str(match.probe), match.match_name or str(match.match)
        table.add_row(*map(escape, (probe, str(match.place), entry, match.identity or "", f"{match.similarity:.3f}")))
    return table


def _told(command: FaceIdentifyCommand, found: Sequence[Match], probes: int, gallery: int) -> Iterator[str]:
    if command.out is None and not command.json and len(found) > SHOWN:
        yield f"and {len(found) - SHOWN:,} more matches: --out FILE.csv takes all"
    some = len({match.probe for match in found})
    above = "" if command.threshold is None else f" with a similarity of {command.threshold:g} or more"
    yield f"{some:,} of {probes:,} probes have a match among {gallery:,} entries{above}"
    if command.out is not None:
        yield f"in {command.out} (mode 0600)"
