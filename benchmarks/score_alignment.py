"""What aligning scores by inter-class neighbours gains on real faces (IDA, arXiv 2103.01559), beside its peers.

Networks of several seeds learn faces of LFW. Each operator on each estimator and each peer takes the settings that do
best on validation faces, over all networks; test faces of other persons are then scored once, as they are and blurred,
with few pixels, dark, masked and mixed. Finished parts are kept in `results/score_alignment.json`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from statistics import mean
from typing import Any, get_args

import torch
import tyro

from benchmarks.alignment_faces import embedded, face_generator, gan_config
from benchmarks.alignment_methods import Method, Network, Setting, methods
from benchmarks.alignment_statistics import estimators, spread
from benchmarks.alignment_tables import ALIKE, COSINE, DEFAULT, FARS, PEER, PEER_ALIKE, TUNED, report
from benchmarks.degradations import Condition
from benchmarks.running import bar
from benchmarks.tables import RESULTS, Kept
from envs.faces import face_task
from law_rl.experiment import EvaluationConfig
from law_rl.face.evaluation.bootstrap import Bootstrap, Statistic, bootstrap, tar_at
from law_rl.face.evaluation.pairs import PairScores
from law_rl.face.evaluation.rates import Roc, percentages, tar_at_far
from law_rl.face.ida.operators import OPERATORS

FAR = 0.01
"""Settings are chosen by the TAR at this FAR."""
GENERATORS = Path("~/.cache/law_rl/generators")
UNFINISHED = "Not all networks are measured yet."


@dataclass(frozen=True, kw_only=True)
class Options:
    """What to measure, and with how much work."""

    seeds: int = 5
    """Networks."""
    candidates: int = 5000
    """Virtual candidates."""
    iterations: int = 3000
    """Of the training of the generator that makes them."""
    replicates: int = 200
    """Of the bootstrap over persons, for the first network."""
    generators: Path = GENERATORS
    """The folder in which the generator is kept."""
    fresh: bool = False
    """Forget the parts that were measured before."""
    out: Path = RESULTS


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What validation faces say: by condition the label of each method's setting, and the method that is the default,
    the best operator on a gallery for plain faces.
    """

    default: str
    settings: Mapping[Condition, Mapping[str, str]]

    def method(self, label: str, condition: Condition = "plain") -> tuple[Method, Setting]:
        method = methods()[label]
        return method, method.settings[self.settings[condition][label]]


def on_validation_faces(network: Network, text: str) -> dict[str, Any]:
    """The TAR on validation faces, in per cent, by condition, method and setting."""
    tars: dict[str, dict[str, dict[str, float]]] = {condition: {} for condition in get_args(Condition)}
    compared = methods()
    with bar(text, len(tars) * len(compared)) as line:
        for place, condition in enumerate(get_args(Condition)):
            for number, (label, method) in enumerate(compared.items()):
                tars[condition][label] = {
                    name: _tar(network.aligned("validation", condition, method, setting))
                    for name, setting in method.settings.items()
                }
                line.show(place * len(compared) + number + 1)
    return {"tar": tars}


def _tar(scores: PairScores) -> float:
    return 100.0 * tar_at_far(scores.genuine, scores.impostor, FAR)


def chosen(validations: Sequence[Mapping[str, Any]]) -> Choice:
    """By the mean over networks; of equal settings the first."""
    means = {
        condition: {
            label: {name: mean(part["tar"][condition][label][name] for part in validations) for name in method.settings}
            for label, method in methods().items()
        }
        for condition in get_args(Condition)
    }
    plain = means["plain"]
    return Choice(
        default=max((f"{name}, gallery" for name in OPERATORS), key=lambda label: max(plain[label].values())),
        settings={
            condition: {label: max(tars, key=lambda name: tars[name]) for label, tars in by_label.items()}
            for condition, by_label in means.items()
        },
    )


def on_test_faces(network: Network, choice: Choice, text: str, *, replicates: int | None) -> dict[str, Any]:
    """What test faces give, each kind of scores once; without `replicates` no bootstrap."""
    compared = [label for label, method in methods().items() if method.estimator != "alike"]
    cosine = network.cosines("test", "plain")
    baseline = None if replicates is None else _bootstrap(cosine, replicates)
    rates, gains = {COSINE: percentages(cosine.genuine, cosine.impostor, FARS)}, {}
    with bar(text, len(compared) + len(get_args(Condition))) as line:
        for number, label in enumerate(compared):
            scores = network.aligned("test", "plain", *choice.method(label))
            rates[label] = percentages(scores.genuine, scores.impostor, FARS)
            if baseline is not None:
                differences = _bootstrap(scores, len(baseline.replicates)).differences(baseline)
                gains[label] = {name: difference.to_json() for name, difference in differences.items()}
            line.show(number + 1)
        conditions = {}
        for number, condition in enumerate(get_args(Condition)):
            conditions[condition] = in_condition(network, choice, condition)
            line.show(len(compared) + number + 1)
    return {
        "rates": rates,
        "bootstrap": gains,
        "conditions": conditions,
        "estimators": {
            condition: estimators(network, condition, *choice.method(choice.default))
            for condition in ("plain", "mixed")
        },
    }


def in_condition(network: Network, choice: Choice, condition: Condition) -> dict[str, Any]:
    """The cosine, the default with the settings for plain faces and for this condition's, the same with references
    in this condition, and the peer with both kinds of references.
    """
    operator = choice.method(choice.default)[0].name
    peer, setting = choice.method(PEER)
    scores = {
        COSINE: network.cosines("test", condition),
        DEFAULT: network.aligned("test", condition, *choice.method(choice.default)),
        TUNED: network.aligned("test", condition, *choice.method(choice.default, condition)),
        ALIKE: network.aligned("test", condition, *choice.method(f"{operator}, alike", condition)),
        PEER: network.aligned("test", condition, peer, setting),
        PEER_ALIKE: network.aligned("test", condition, replace(peer, estimator="alike"), setting),
    }
    rates = {name: percentages(each.genuine, each.impostor, FARS) for name, each in scores.items()}
    return {"rates": rates, "spread": spread(network, condition, choice.method(choice.default)[1].support)}


def _bootstrap(scores: PairScores, replicates: int) -> Bootstrap:
    statistics: dict[str, Statistic] = {f"TAR@{far:g}": tar_at(far) for far in FARS}
    return bootstrap(scores, statistics | {"EER": Roc.equal_error_rate}, replicates=replicates)


def main(args: Sequence[str] | None = None) -> None:
    options = tyro.cli(Options, description=__doc__, args=args)
    torch.set_num_threads(1)
    kept = Kept(options.out, "score_alignment", fresh=options.fresh)
    task, seeds = face_task(data="lfw"), EvaluationConfig(seeds=options.seeds).training_seeds
    source = task, gan_config(task, options.iterations), options.candidates, methods()

    @lru_cache
    def network(seed: int) -> Network:
        generator = face_generator(task, options.iterations, options.generators.expanduser())
        return Network(embedded(task, seed, generator, options.candidates), seed)

    for seed in seeds:
        if not kept.has(f"validation/{seed}", source):
            kept.put(f"validation/{seed}", on_validation_faces(network(seed), f"validation, network {seed}"), source)
            kept.write(UNFINISHED)
    choice = chosen([kept.parts[f"validation/{seed}"] for seed in seeds])
    for seed in seeds:
        replicates = options.replicates if seed == seeds[0] else None
        if not kept.has(f"test/{seed}", source, choice, replicates):
            result = on_test_faces(network(seed), choice, f"test, network {seed}", replicates=replicates)
            kept.put(f"test/{seed}", result, source, choice, replicates)
            kept.write(UNFINISHED)
    text = report(choice.default, choice.settings, [kept.parts[f"test/{seed}"] for seed in seeds])
    kept.write(text)
    print(text)


if __name__ == "__main__":
    main()
