"""Embeddings of many images in one file."""

from collections.abc import Sequence
from itertools import islice

import torch
from rich.console import Console

from law_rl.commands.face_arguments import FaceEmbedCommand
from law_rl.face.data.encoded_faces import EncodedFaces, decoded_batches, decoder, open_faces
from law_rl.face.data.landmarks import read_landmarks
from law_rl.face.embedder import Embedder
from law_rl.face.embedding_writer import EmbeddingWriter
from law_rl.progress import Progress

SHOWN = 5
"""So many of the images that were left out are named."""


def embed(command: FaceEmbedCommand) -> None:
    """Writes the embeddings of all images, and says how many."""
    if command.batch < 1:
        raise ValueError(f"batch is {command.batch}: give the number of images that the network sees at a time")
    embedder = Embedder.load(command.network, command.device, mirrored=command.flip)
    faces, console = open_faces(command.images), Console()
    landmarks = None if command.landmarks is None else read_landmarks(command.landmarks)
    decode = decoder(faces, size=embedder.size, channels=embedder.channels, landmarks=landmarks)
    skipped: list[str] = []
    batches = decoded_batches(faces.count, decode, command.batch, skipped if command.skip_broken else None)
    writer = EmbeddingWriter(
        command.out,
        width=embedder.width,
        dtype=torch.float16 if command.half else torch.float32,
        network=embedder.hash,
        identity_names=faces.identity_names,
    )
    with Progress(console) as progress, writer:
        for rows, images in batches:
            writer.append(embedder(images), names=_names(faces, rows), identities=_identities(faces, rows))
            progress.embeddings(command.images.name, rows[-1] + 1, faces.count)
    _report(console, command, faces, skipped, embedder.width)


def _names(faces: EncodedFaces, rows: Sequence[int]) -> list[str] | None:
    return None if faces.names is None else [faces.names[row] for row in rows]


def _identities(faces: EncodedFaces, rows: Sequence[int]) -> torch.Tensor | None:
    return None if faces.identities is None else faces.identities[list(rows)]


def _report(
    console: Console, command: FaceEmbedCommand, faces: EncodedFaces, skipped: Sequence[str], width: int
) -> None:
    persons = f" of {len(faces.identity_names):,} identities" if faces.identity_names else ""
    lines = [f"{faces.count - len(skipped):,} embeddings{persons}, {width} entries each, in {command.out} (mode 0600)"]
    if skipped:
        lines += [f"{len(skipped):,} of {faces.count:,} images were left out:", *islice(skipped, SHOWN)]
        lines += [f"and {len(skipped) - SHOWN:,} more"] if len(skipped) > SHOWN else []
    console.print("\n".join(lines), highlight=False, markup=False, soft_wrap=True)
