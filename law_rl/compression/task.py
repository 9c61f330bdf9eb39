"""A task of codec training: photographs, teacher and training in one value from which every seed's codec is made."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Any, ClassVar

from law_rl.compression.patches import PatchConfig, PatchDataset
from law_rl.compression.rd_cost import RD_DB
from law_rl.compression.student import CodecStudent, CodecStudentConfig
from law_rl.compression.teacher import CodecTeacher, CodecTeacherConfig, codec_route


@dataclass(frozen=True, kw_only=True)
class CodecTask:
    """Trains a small codec beside a heavier one; a seed draws the initialisation, the batches and the noise.

    Both learn from the same patches, and the teacher for the same lambda.
    """

    metric: ClassVar[str] = RD_DB
    memory_decay: ClassVar[float] = 0.0
    data: PatchConfig = field(default_factory=PatchConfig)
    teacher: CodecTeacherConfig
    training: CodecStudentConfig = field(default_factory=CodecStudentConfig)

    def __post_init__(self) -> None:
        if self.teacher.training.lambda_ != self.training.lambda_:
            raise ValueError(
                f"teacher.training.lambda_ is {self.teacher.training.lambda_} and training.lambda_ "
                f"{self.training.lambda_}: give both the same trade-off"
            )

    @property
    def stages(self) -> int:
        return self.training.stages

    @property
    def device(self) -> str:
        return self.training.device

    def prepare(self, observer: Callable[[int, int], None]) -> None:
        """Trains the teacher where that has not been done; `observer(done, total)` after each of its anchors."""
        codec_route(self.teacher, self.data.load(), observer)

    def learner(self, seed: int) -> CodecStudent:
        """A fresh codec; the teacher is trained first where it is missing, and shared by all codecs here.

        FileNotFoundError in one sentence where the photographs are missing.
        """
        dataset, teacher = _shared(self.data, self.teacher, self.device)
        return CodecStudent(self.training, dataset, seed, teacher)

    def describe(self) -> dict[str, Any]:
        """Configuration without paths, the content hash of the patches, and those of the teacher's anchors."""
        data, teacher, training = asdict(self.data), asdict(self.teacher), asdict(self.training)
        data.pop("root")
        training.pop("device")
        teacher["training"].pop("device")
        dataset, known = _shared(self.data, self.teacher, self.device)
        described = {"name": self.data.name, "hash": dataset.content_hash(), "data": data, "training": training}
        anchors = [anchor.sha256 for anchor in known.route.anchors]
        return {**described, "teacher": {**teacher, "anchors": anchors}}


@lru_cache(maxsize=4)
def _shared(data: PatchConfig, teacher: CodecTeacherConfig, device: str) -> tuple[PatchDataset, CodecTeacher]:
    dataset = data.load().to(device)
    route = codec_route(teacher, dataset)
    return dataset, CodecTeacher(route, teacher.training.network, dataset.train)
