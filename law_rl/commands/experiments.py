"""The experiment that a command names, with fields changed by its flags."""

import dataclasses
import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_type_hints

import tyro

from law_rl import project
from law_rl.experiment import Experiment


def load(name: str, overrides: Sequence[str]) -> tuple[Path, Experiment]:
    """The project's root, and an experiment with fields changed by command-line overrides."""
    root = project.find_root()
    experiment = project.load_experiment(name, root)
    if not isinstance(experiment, Experiment):
        raise ValueError(f"{name} assigns a {type(experiment).__name__} to `experiment`: assign a law_rl Experiment")
    return root, override(experiment, overrides) if overrides else experiment


def override(experiment: Experiment, overrides: Sequence[str]) -> Experiment:
    """The experiment with fields set by flags such as --search.episodes 100; ValueError as the fields' owners say
    it.
    """
    mirror = _mirror(experiment, leave_out=("name", "baselines"))
    mirror.__doc__ = f"The fields of the experiment {experiment.name}, each with the value that it has now."
    changed = tyro.cli(mirror, args=list(overrides), default=mirror(), prog="law-rl ... " + experiment.name)
    rebuilt = _rebuild(experiment, changed)
    assert isinstance(rebuilt, Experiment)
    return rebuilt


def _mirror(value: Any, *, leave_out: Sequence[str] = ()) -> type:
    """A dataclass with the fields and values of `value`, and of dataclasses within, but without their checks."""
    hints = get_type_hints(type(value))
    entries: list[tuple[str, Any, Any]] = []
    for field in dataclasses.fields(value):
        current = getattr(value, field.name)
        if field.name in leave_out:
            continue
        if dataclasses.is_dataclass(current):
            nested = _mirror(current)
            entries.append((field.name, nested, dataclasses.field(default_factory=nested)))
        else:
            entries.append((field.name, hints[field.name], dataclasses.field(default=current)))
    mirror = dataclasses.make_dataclass(type(value).__name__, entries, kw_only=True)
    mirror.__doc__ = inspect.getdoc(type(value))
    return mirror


def _rebuild(value: Any, changed: Any) -> Any:
    """`value` with the fields of its changed mirror, checked as usual."""
    fields = {field.name: getattr(changed, field.name) for field in dataclasses.fields(changed)}
    nested = {
        name: _rebuild(getattr(value, name), new) for name, new in fields.items() if dataclasses.is_dataclass(new)
    }
    return dataclasses.replace(value, **(fields | nested))
