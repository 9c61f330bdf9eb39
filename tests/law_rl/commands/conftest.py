"""Projects of their own with a distillation of digits, and with one of drawn faces, that train in moments."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from law_rl.data.places import TEACHERS

EXPERIMENT = '''\
"""A tiny distillation of digits: four anchors, four stages."""

from dataclasses import replace

from law_rl.actions import Heads, LossWeights, TeacherAnchor
from law_rl.experiment import Experiment
from law_rl.stage_env import StageEnvConfig
from policies.distillation import Kd, NoTeacher, Rco
from policies.evolution import EvolutionConfig
from tests.law_rl.distillation.students import TASK

experiment = Experiment(
    name="tiny_kd",
    task=TASK,
    env=StageEnvConfig(
        action=Heads(
            teacher_anchor=TeacherAnchor(), loss_weights=LossWeights(terms=("kd",), usual=(0.9,), most=(2.0,))
        ),
        warmup=1,
    ),
    agent=EvolutionConfig(),
    baselines=(Kd(), NoTeacher(), Rco(anchors=2, name="rco_2"), Rco(anchors=9, name="rco_9")),
)
'''


FACES = '''\
"""A tiny distillation of drawn faces: two anchors, two stages."""

from dataclasses import replace

from law_rl.actions import Heads, LossWeights, TeacherAnchor
from law_rl.experiment import Experiment
from law_rl.stage_env import StageEnvConfig
from policies.distillation import Kd, Mixture, Rco
from policies.evolution import EvolutionConfig
from tests.law_rl.face.tasks import TASK

experiment = Experiment(
    name="tiny_faces",
    task=TASK,
    env=StageEnvConfig(
        action=Heads(
            teacher_anchor=TeacherAnchor(), loss_weights=LossWeights(terms=("fcd",), usual=(1.0,), most=(2.0,))
        ),
        warmup=1,
    ),
    agent=EvolutionConfig(),
    baselines=(Kd(name="twin"), Rco(anchors=2, name="rco_2"), Mixture(name="rad", losses=(("ce", 1.0), ("rad", 2.0)))),
)
'''


MakeProject = Callable[[str, str], Path]


@pytest.fixture(scope="module")
def make_project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeProject]:
    """Makes the root of a project with quickstart and one more experiment, whose name and text it is given.

    A module's tests may be in one such project; what its commands train is kept for the module.
    """
    with contextlib.ExitStack() as stack:
        yield lambda name, text: stack.enter_context(_project(tmp_path_factory, name, text))


@pytest.fixture(scope="module")
def kd_project(make_project: MakeProject) -> Path:
    """The root of a project with the experiments tiny_kd and quickstart; its teacher is kept for the module."""
    return make_project("tiny_kd", EXPERIMENT)


@pytest.fixture(scope="module")
def face_project(make_project: MakeProject) -> Path:
    """The root of a project with the experiments tiny_faces and quickstart; its teacher is kept for the module."""
    return make_project("tiny_faces", FACES)


@contextlib.contextmanager
def _project(tmp_path_factory: pytest.TempPathFactory, name: str, experiment: str) -> Iterator[Path]:
    root = tmp_path_factory.mktemp("project")
    folder = root / "experiments"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / f"{name}.py").write_text(experiment, encoding="utf-8")
    quickstart = Path(__file__).parents[3] / "experiments" / "quickstart.py"
    (folder / "quickstart.py").write_bytes(quickstart.read_bytes())
    before = {name: sys.modules.pop(name) for name in list(sys.modules) if name.split(".")[0] == "experiments"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", list(sys.path))
        patch.setenv(TEACHERS, str(tmp_path_factory.mktemp("teachers")))
        patch.setenv("COLUMNS", "160")
        yield root
    for name in [name for name in sys.modules if name.split(".")[0] == "experiments"]:
        del sys.modules[name]
    sys.modules.update(before)
