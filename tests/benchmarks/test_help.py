"""Every benchmark explains itself."""

import importlib

import pytest

SCRIPTS = ("claims", "meta_weight_net", "orchestration", "results_page", "rewards", "rivals", "step_cost")


@pytest.mark.parametrize("script", SCRIPTS)
def test_help(script: str, capsys: pytest.CaptureFixture[str]) -> None:
    module = importlib.import_module(f"benchmarks.{script}")
    with pytest.raises(SystemExit) as ended:
        module.main(["--help"])
    assert ended.value.code == 0
    assert "usage" in capsys.readouterr().out
