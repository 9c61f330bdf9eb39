"""What an .edic file holds, and whether it is whole."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from law_rl.compression.bitstream.container import Container, DamagedImage, Header
from law_rl.compression.bitstream.metadata import Metadata
from law_rl.compression.codec import load_codec, read_header
from law_rl.compression.shipped import model_of_hash


@dataclass(frozen=True, kw_only=True)
class PictureFacts:
    """What is known of a file; None where it cannot be known.

    `model` is the hash of the model that wrote it, `model_file` the file that is used for it. `chunks` and `metadata`:
    bytes of each part. `whole`: the file's checksums hold; `decodes`: so do those of its latents, for which the model
    is needed. `problem` is what is wrong.
    """

    file: str
    bytes: int
    width: int | None = None
    height: int | None = None
    colours: str | None = None
    bits_per_pixel: float | None = None
    quality: int | None = None
    model: str | None = None
    model_file: str | None = None
    chunks: dict[str, int] | None = None
    metadata: dict[str, int] | None = None
    whole: bool
    decodes: bool | None = None
    problem: str | None = None

    def lines(self) -> Iterator[str]:
        """The facts in words, one a line."""
        yield f"{self.file}: {self.bytes:,} bytes"
        if self.width is not None:
            rate = "" if self.bits_per_pixel is None else f", {self.bits_per_pixel:.4f} bits per pixel"
            yield f"picture: {self.width} x {self.height} {self.colours}{rate}"
            yield f"model: quality {self.quality}, hash {self.model}, {self.model_file or 'not found here'}"
        if self.chunks is not None:
            parts = self.chunks | (self.metadata or {})
            yield "parts: " + ", ".join(f"{name} {size:,} bytes" for name, size in parts.items())
        whole = "the file's checksums hold" if self.whole else "damaged"
        decodes = {True: ", and so do those of its latents", False: ", those of its latents do not", None: ""}[
            self.decodes
        ]
        unchecked = "; give --model to check its latents" if self.whole and self.decodes is None else ""
        yield f"checks: {whole}{decodes}{unchecked}"


def examine_picture(path: Path, model: Path | None) -> PictureFacts:
    """The facts of a file that is there; FileNotFoundError where the model that is named is not."""
    content = path.read_bytes()
    facts = PictureFacts(file=str(path), bytes=len(content), whole=False)
    try:
        header = read_header(content)
        used = model or _shipped_model(header)
        facts = _with_header(facts, header, used)
        facts = _with_chunks(facts, Container.decode(content))
    except DamagedImage as error:
        return replace(facts, problem=str(error))
    if used is None:
        return facts
    try:
        load_codec(used).decode(content)
    except DamagedImage as error:
        return replace(facts, decodes=False, problem=str(error))
    return replace(facts, decodes=True)


def _with_header(facts: PictureFacts, header: Header, used: Path | None) -> PictureFacts:
    return replace(
        facts,
        width=header.width,
        height=header.height,
        colours="grey" if header.grey else "RGB",
        quality=header.quality,
        model=header.model.hex(),
        model_file=None if used is None else str(used),
    )


def _with_chunks(facts: PictureFacts, container: Container) -> PictureFacts:
    sizes = {"hyper-latents": container.hyper_latents, "latents": container.latents}
    chunks = {name: len(chunk.content) for name, chunk in sizes.items()}
    rate = 8 * facts.bytes / (container.header.width * container.header.height)
    return replace(facts, chunks=chunks, metadata=_sizes(container.metadata), bits_per_pixel=rate, whole=True)


def _sizes(metadata: Metadata | None) -> dict[str, int]:
    if metadata is None:
        return {}
    sizes = {"EXIF": len(metadata.exif), "colour profile": len(metadata.icc_profile)}
    return {name: size for name, size in sizes.items() if size}


def _shipped_model(header: Header) -> Path | None:
    """The file of the model that ships and wrote the picture; None where none has."""
    try:
        return model_of_hash(header.model)
    except FileNotFoundError:
        return None
