"""A command, run in this process as `law-rl ...` would be."""

import contextlib
import io
from pathlib import Path

import pytest

from law_rl.cli import main


def law_rl(*arguments: str, cwd: Path, status: int = 0) -> tuple[str, str]:
    """What a command prints on standard output and standard error."""
    out, error = io.StringIO(), io.StringIO()
    redirected = contextlib.redirect_stdout(out), contextlib.redirect_stderr(error)
    with contextlib.chdir(cwd), redirected[0], redirected[1], pytest.raises(SystemExit) as exit:
        main(arguments)
    assert (exit.value.code or 0) == status, out.getvalue() + error.getvalue()
    return out.getvalue(), error.getvalue()


def complaint(*arguments: str, cwd: Path) -> str:
    """The one sentence that a command says of bad input."""
    _, error = law_rl(*arguments, cwd=cwd, status=2)
    assert "Traceback" not in error and len(error.strip().splitlines()) == 1
    return error
