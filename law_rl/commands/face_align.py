"""Cosines of faces aligned by the neighbourhoods of both, and how much better the decisions on them are."""

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

from rich.console import Console

from law_rl.commands.face_align_pairs import (
    Compared,
    Truth,
    comma_separated,
    compare,
    compared_faces,
    truth_of,
)
from law_rl.commands.face_aligner import make_aligner
from law_rl.commands.face_arguments import FaceAlignCommand
from law_rl.commands.face_evaluate import USUAL
from law_rl.commands.face_results import Results, measure, print_results, to_json
from law_rl.commands.face_systems import System
from law_rl.face.embedding_file import EmbeddingFile
from law_rl.face.ida.aligned_pairs import AlignedPairs, verification
from law_rl.face.ida.aligner import ScoreAligner
from law_rl.face.ida.neighbourhoods import Neighbourhoods, kind_rates, neighbourhoods, threshold_at
from law_rl.files import write_atomic

COSINE = "cosine"
FAR = max(USUAL)
"""The false accept rate of the threshold at which kinds of neighbourhoods are compared."""


def align(command: FaceAlignCommand) -> None:
    """Prints the rates before and after, and writes the files that are asked for."""
    file, console = EmbeddingFile.open(command.embeddings), Console(stderr=command.json)
    faces = compared_faces(command, file)
    check_use(command, faces)
    aligner, doubt = make_aligner(command, file)
    pairs = compare(faces, aligner)
    truth = truth_of(faces, pairs)
    if command.save is not None:
        aligner.save(command.save)
    if command.out is not None:
        write_atomic(command.out, comma_separated(faces, pairs, truth).encode(), private=True)
    results = None if truth is None else _measured(aligner.method, pairs, truth, faces)
    places = None if truth is None else neighbourhoods(pairs.mean, pairs.rows, truth.same)
    if command.report is not None and results is not None and places is not None:
        from law_rl.report.alignment_page import write_alignment_report

        scores = {name: system.scores for name, system in results.systems.items()}
        write_alignment_report(command.report, "Aligned scores", scores, places, fars=USUAL, at=FAR)
    if command.json:
        print(json.dumps(_json(aligner, doubt, pairs, results, places), indent=2))
    elif results is not None:
        print_results(console, results)
    console.print("\n".join(_told(command, aligner, doubt, pairs)), highlight=False, markup=False, soft_wrap=True)


def check_use(command: FaceAlignCommand, faces: Compared) -> None:
    """ValueError where nothing would come of the alignment, or a report would have nothing to say."""
    if not faces.answered and (command.report is not None or (command.out is None and command.save is None)):
        raise ValueError(
            f"nothing says which images in {command.embeddings} are of one person: embed folders of persons, give "
            "--pairs with the column same, or ask for the scores alone with --out"
        )


def _measured(method: str, pairs: AlignedPairs, truth: Truth, faces: Compared) -> Results:
    systems = {
        name: System(scores=verification(scores, pairs.rows, truth.persons, truth.same), rank_1=None)
        for name, scores in ((COSINE, pairs.cosine), (method, pairs.aligned))
    }
    kind = "all pairs of images" if faces.listed is None else "the listed pairs"
    return replace(measure(systems, USUAL, paired=True), pairs=kind)


def _json(
    aligner: ScoreAligner, doubt: str, pairs: AlignedPairs, results: Results | None, places: Neighbourhoods | None
) -> dict[str, Any]:
    support = asdict(aligner.effective_support)
    told = {"aligner": aligner.get_params() | {"support": support}, "checked": not doubt, "pairs": len(pairs)}
    if results is None or places is None:
        return told
    found = to_json(results)
    rates = {
        name: [asdict(each) for each in kind_rates(system.scores, places, threshold_at(system.scores, FAR))]
        for name, system in results.systems.items()
    }
    parts = {"images": places.images, "spans": places.spans, "far": FAR, "systems": rates}
    return told | {name: found[name] for name in ("systems", "differences")} | {"neighbourhoods": parts}


def _told(command: FaceAlignCommand, aligner: ScoreAligner, doubt: str, pairs: AlignedPairs) -> Iterator[str]:
    support = aligner.effective_support
    size = {"top_k": f"the {support.count} nearest", "all": "all"}.get(support.rule, f"by {support.rule} the nearest")
    how = "looked up" if aligner.estimator == "gallery" else "guessed from the face alone"
    yield f"{len(pairs):,} pairs aligned by {aligner.method}; neighbours: {size} of the reference faces, {how}"
    if doubt:
        yield doubt
    for path, mode in ((command.out, " (mode 0600)"), (command.save, " (mode 0600)"), (command.report, "")):
        if path is not None:
            yield f"in {path}{mode}"
