"""The command line of law-rl: reads the arguments, runs one command, and says in a sentence what is wrong."""

import errno
import os
import sys
import time
from collections.abc import Sequence

import tyro

from law_rl import __version__
from law_rl.commands.arguments import (
    Command,
    EnvsCommand,
    EvaluateCommand,
    JobsListCommand,
    JobsLogsCommand,
    JobsPullCommand,
    JobsStatusCommand,
    JobsStopCommand,
    NewCommand,
    PoliciesCommand,
    ReplayCommand,
    SearchCommand,
    ShowCommand,
    SubmitCommand,
    TableCommand,
    TuneCommand,
)
from law_rl.commands.codec_arguments import (
    CodecCompareCommand,
    CodecDecodeCommand,
    CodecEncodeCommand,
    CodecEvaluateCommand,
    CodecInfoCommand,
    CodecTrainCommand,
)
from law_rl.commands.codec_video_arguments import (
    CodecCompareVideoCommand,
    CodecDecodeVideoCommand,
    CodecEncodeVideoCommand,
    CodecEvaluateVideoCommand,
    CodecTrainVideoCommand,
)
from law_rl.commands.distillation_arguments import AnchorsCommand, DistillCommand, TeacherCommand
from law_rl.commands.face_arguments import (
    FaceAlignCommand,
    FaceDistillCommand,
    FaceEmbedCommand,
    FaceEvaluateCommand,
    FaceIdentifyCommand,
    FaceTrainCommand,
)

CHANGING = ("search", "evaluate", "tune", "submit", "distill", "teacher", "anchors", "face train", "face distill")
"""The verbs that take fields of an experiment."""
STARTED = time.monotonic()
DESCRIPTION = """Learn the curriculum of a training, and follow what was learned anywhere.

Start with `law-rl search experiments/quickstart.py`. `law-rl VERB --help` explains a verb; --debug shows where an error
came from; --version prints the version.
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs one command and exits: 0 done, 1 failed or stopped, 2 bad input."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if arguments == ["--version"]:
        print(__version__)
        sys.exit(0)
    debug = "--debug" in arguments
    sys.exit(_run([entry for entry in arguments if entry != "--debug"], debug=debug))


def _run(arguments: list[str], *, debug: bool) -> int:
    try:
        _dispatch(arguments)
    except KeyboardInterrupt:
        return _say("stopped. What was finished is kept; the same command goes on, with --resume where it has that.", 1)
    except BrokenPipeError:  # the reader of a pipe has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (ValueError, OSError, ImportError) as error:
        if debug:
            raise
        return _say(_sentence(error), 2)
    except RuntimeError as error:
        if debug:
            raise
        return _say(f"{_sentence(error)} (--debug shows where)", 1)
    return 0


def _say(text: str, status: int) -> int:
    print(f"law-rl: {text}", file=sys.stderr)
    return status


def _sentence(error: BaseException) -> str:
    if isinstance(error, OSError) and error.filename is not None:
        full = "; free some space, then go on with --resume" if error.errno == errno.ENOSPC else ""
        return f"{error.filename}: {error.strerror}{full}"
    return " ".join(str(error).split()) or type(error).__name__


def _dispatch(arguments: list[str]) -> None:
    overrides, arguments = split_overrides(arguments)
    command = tyro.cli(Command, args=arguments, prog="law-rl", description=DESCRIPTION)
    if overrides and not changing_verb(arguments):
        raise ValueError(f"{overrides[0]} changes an experiment: only {', '.join(CHANGING)} take it")
    run_command(command, overrides)


def run_command(command: Command, overrides: Sequence[str]) -> None:
    """Does what the command says; each module of commands is imported only where it is needed."""
    match command:
        case SearchCommand() | EvaluateCommand() | ReplayCommand() | ShowCommand():
            from law_rl.commands import run

            run.run(command, overrides, started=STARTED)
        case DistillCommand():
            from law_rl.commands.distill import distill

            distill(command, overrides)
        case TeacherCommand():
            from law_rl.commands.teacher import teacher

            teacher(command, overrides)
        case AnchorsCommand():
            from law_rl.commands.anchors import anchors

            anchors(command, overrides)
        case (
            FaceTrainCommand()
            | FaceDistillCommand()
            | FaceEmbedCommand()
            | FaceEvaluateCommand()
            | FaceIdentifyCommand()
            | FaceAlignCommand()
        ):
            from law_rl.commands import face

            face.run(command, overrides)
        case (
            CodecEncodeCommand()
            | CodecDecodeCommand()
            | CodecInfoCommand()
            | CodecEvaluateCommand()
            | CodecCompareCommand()
            | CodecTrainCommand()
            | CodecEncodeVideoCommand()
            | CodecDecodeVideoCommand()
            | CodecEvaluateVideoCommand()
            | CodecCompareVideoCommand()
            | CodecTrainVideoCommand()
        ):
            from law_rl.commands import codec

            codec.run(command)
        case TuneCommand():
            from law_rl.commands.tune import tune

            tune(command, overrides)
        case TableCommand():
            from law_rl.commands.table import table

            table(command)
        case SubmitCommand():
            from law_rl.commands.jobs import submit

            submit(command, overrides)
        case JobsListCommand() | JobsStatusCommand() | JobsLogsCommand() | JobsStopCommand() | JobsPullCommand():
            from law_rl.commands import jobs

            jobs.run(command)
        case EnvsCommand() | PoliciesCommand() | NewCommand():
            from law_rl.commands import listing

            listing.run(command)


def changing_verb(arguments: Sequence[str]) -> list[str]:
    """The words of the verb that takes fields of an experiment, where the arguments begin with one."""
    verbs = (verb.split() for verb in CHANGING)
    return next((words for words in verbs if list(arguments[: len(words)]) == words), [])


def split_overrides(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Overrides of experiment fields (--a.b value) and the rest; `verb EXPERIMENT --help` becomes an override too."""
    overrides: list[str] = []
    rest: list[str] = []
    entries = list(arguments)
    while entries:
        entry = entries.pop(0)
        if entry.startswith("--") and "." in entry.split("=")[0]:
            overrides.append(entry)
            while "=" not in entry and entries and not entries[0].startswith("--"):
                overrides.append(entries.pop(0))
        else:
            rest.append(entry)
    verb = changing_verb(rest)
    asks_fields = bool(verb) and len(rest) >= len(verb) + 2 and rest[-1] in ("--help", "-h")
    return ([*overrides, "--help"], rest[:-1]) if asks_fields else (overrides, rest)


if __name__ == "__main__":
    main()
