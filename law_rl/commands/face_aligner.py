"""The aligner of `law-rl face align`: fitted on reference faces, or read from its file."""

from collections.abc import Iterator
from dataclasses import fields, replace

import numpy as np

from law_rl.commands.face_arguments import FaceAlignCommand
from law_rl.face.embedding_file import EmbeddingFile
from law_rl.face.ida.aligner import METHODS, ScoreAligner
from law_rl.face.ida.support import SupportConfig

SUPPORT = ("rule", "count", "quantile", "delta", "least", "most", "gamma")
"""The flags of the support set."""
FITTING = ("reference", "method", "estimator", *SUPPORT, "beta", "seed", "save")
"""The flags of what an aligner that is read from its file has behind it."""
UNCHECKED = "that none of those compared is among the reference faces could not be checked: "


def make_aligner(command: FaceAlignCommand, compared: EmbeddingFile) -> tuple[ScoreAligner, str]:
    """The aligner, and a sentence where it is not known whether reference faces are of others than those `compared`.

    Raises ValueError, one sentence, where persons are in both or the files are by different networks.
    """
    if command.aligner is not None:
        _check_alone(command)
        return ScoreAligner.load(command.aligner), f"{UNCHECKED}{command.aligner} does not name them"
    if command.reference is None:
        raise ValueError("there is nothing to align by: give --reference, a file of others' embeddings, or --aligner")
    reference = EmbeddingFile.open(command.reference)
    if reference.network and compared.network and reference.network != compared.network:
        raise ValueError(
            f"{command.reference} and {command.embeddings} were made by different networks, whose embeddings do not "
            "compare: embed both with one"
        )
    doubt = check_others(compared, reference)
    aligner = ScoreAligner(
        method=command.method, estimator=command.estimator, support=support_of(command), beta=command.beta
    )
    identities = reference.identities() if reference.has_identities else None
    return aligner.fit(reference.rows(0, len(reference)).float(), identities, seed=command.seed), doubt


def support_of(command: FaceAlignCommand) -> SupportConfig | None:
    """What is usual for the method with what the flags change; None where they change nothing."""
    given = {name: value for name in SUPPORT if (value := getattr(command, name)) is not None}
    return replace(METHODS[command.method][0], **given) if given else None


def check_others(compared: EmbeddingFile, reference: EmbeddingFile) -> str:
    """ValueError for a person in both files; a sentence where that cannot be known, else ''.

    Persons are told by their names; where neither file has names, by their numbers.
    """
    for file in (reference, compared):
        if not file.has_identities:
            return f"{UNCHECKED}{file.path} does not say whose its faces are"
    named = [file.identity_count is not None for file in (compared, reference)]
    if named[0] != named[1]:
        return f"{UNCHECKED}one of the files names its identities and the other numbers them"
    shared = set(_persons(reference))
    both = next((person for person in _persons(compared) if person in shared), None)
    if both is not None:
        raise ValueError(
            f"{both} is an identity in {reference.path} and in {compared.path}: align by reference faces of others, as "
            "a face's own images would count as its neighbours"
        )
    return ""


def _persons(file: EmbeddingFile) -> Iterator[str]:
    """Names, or numbers, of those who have a face in the file."""
    identities = np.unique(file.identities().numpy()).tolist()
    yield from map(str, identities) if file.identity_count is None else file.identity_names(identities)


def _check_alone(command: FaceAlignCommand) -> None:
    """ValueError for flags beside --aligner that it decides."""
    decided = (field for field in fields(command) if field.name in FITTING)
    changed = next((field.name for field in decided if getattr(command, field.name) != field.default), None)
    if changed is not None:
        raise ValueError(f"--{changed} and --aligner contradict one another: an aligner is fitted once, leave out one")
