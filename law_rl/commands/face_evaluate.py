"""How well faces are told apart: files of embeddings, or a network on images, measured and compared."""

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from rich.console import Console

from law_rl.commands.face_arguments import FaceEvaluateCommand
from law_rl.commands.face_protocols import accuracy_by_folds, template_rates
from law_rl.commands.face_results import Results, measure, print_results, to_json
from law_rl.commands.face_systems import System, systems_of_files, systems_of_network
from law_rl.face.data.bins import read_bin
from law_rl.face.data.lfw_pairs import read_lfw
from law_rl.face.data.pair_set import PairSet
from law_rl.face.embedder import Embedder
from law_rl.progress import Progress

USUAL = (1e-3, 1e-2)
"""The false accept rates that are always measured."""


def evaluate(command: FaceEvaluateCommand) -> None:
    """Prints the error rates, and writes the report where one is asked for."""
    check_flags(command)
    fars = tuple(sorted({*USUAL, *command.far}))
    console = Console(stderr=command.json)
    with Progress(console) as progress:
        results = _of_network(command, fars, progress) if command.network else _of_files(command, fars)
    if command.report is not None:
        from law_rl.report.face_page import write_face_report

        scores = {name: system.scores for name, system in results.systems.items()}
        write_face_report(command.report, "Face verification", scores, folds=results.folds, fars=fars)
    if command.json:
        print(json.dumps(to_json(results), indent=2))
        return
    print_results(console, results)
    if command.report is not None:
        console.print(f"report: {command.report}", highlight=False, markup=False, soft_wrap=True)


def check_flags(command: FaceEvaluateCommand) -> None:
    """ValueError, one sentence, for flags that contradict or lack one another."""
    images = command.data or command.lfw or command.bin
    for wrong, sentence in (
        (bool(command.embeddings) == bool(command.network), "give files of embeddings, or --network and images"),
        (not command.network and (images or command.masked), "--data, --lfw, --bin and --masked go with --network"),
        (command.network and not images, "--network needs images to measure it on: --data, --lfw or --bin"),
        ((command.lfw is None) != (command.pairs is None), "--lfw and --pairs go together: give LFW and its pairs.txt"),
        (
            (command.templates is None) != (command.template_pairs is None),
            "--templates and --template-pairs go together: give both lists of the protocol",
        ),
        (command.templates and not command.data, "--templates needs --data, the folder of the images that it names"),
        (command.masked and (command.templates or not command.data), "--masked needs --data, the folder of identities"),
        (
            command.report and command.network and (command.templates or not command.data),
            "--report compares all pairs of images: give --data, a folder of identities",
        ),
        (not all(0 < far < 1 for far in command.far), f"far is {command.far}: give rates above 0 and below 1"),
    ):
        if wrong:
            raise ValueError(sentence)


def _of_files(command: FaceEvaluateCommand, fars: tuple[float, ...]) -> Results:
    systems, same = systems_of_files(command.embeddings)
    return measure(systems, fars, paired=same)


def _of_network(command: FaceEvaluateCommand, fars: tuple[float, ...], progress: Progress) -> Results:
    assert command.network is not None
    embedder = Embedder.load(command.network, command.device)
    systems: dict[str, System] = {}
    rates = None
    if command.templates is not None and command.template_pairs is not None and command.data is not None:
        lists, mirrored = (command.templates, command.template_pairs), replace(embedder, mirrored=True)
        rates = template_rates(mirrored, command.data, *lists, fars, partial(progress.embeddings, "templates"))
    elif command.data is not None:
        observer = partial(progress.embeddings, command.data.name)
        systems = systems_of_network(embedder, command.data, masked=command.masked, observer=observer)
    folds = [
        (name, accuracy)
        for name, pairs in _listed(command, embedder)
        for accuracy in accuracy_by_folds(embedder, pairs, partial(progress.embeddings, name))
    ]
    return replace(measure(systems, fars, paired=True), folds=folds, templates=rates)


def _listed(command: FaceEvaluateCommand, embedder: Embedder) -> Iterator[tuple[str, PairSet]]:
    """The sets of pairs that the command names, one after the other."""
    size, channels = embedder.size, embedder.channels
    if command.lfw is not None and command.pairs is not None:
        yield "LFW", read_lfw(command.lfw, command.pairs, size=size, channels=channels)
    for path in command.bin:
        yield path.stem, read_bin(path, size=size, channels=channels)
