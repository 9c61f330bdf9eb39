"""The verbs of face recognition, each in a module of its own."""

from collections.abc import Sequence

from law_rl.commands.face_arguments import (
    FaceAlignCommand,
    FaceCommand,
    FaceDistillCommand,
    FaceEmbedCommand,
    FaceEvaluateCommand,
    FaceIdentifyCommand,
    FaceTrainCommand,
)


def run(command: FaceCommand, overrides: Sequence[str]) -> None:
    """Does what the command says."""
    match command:
        case FaceTrainCommand():
            from law_rl.commands.face_train import train_alone

            train_alone(command, overrides)
        case FaceDistillCommand():
            from law_rl.commands.face_train import distill_face

            distill_face(command, overrides)
        case FaceEmbedCommand():
            from law_rl.commands.face_embed import embed

            embed(command)
        case FaceEvaluateCommand():
            from law_rl.commands.face_evaluate import evaluate

            evaluate(command)
        case FaceIdentifyCommand():
            from law_rl.commands.face_identify import identify_faces

            identify_faces(command)
        case FaceAlignCommand():
            from law_rl.commands.face_align import align

            align(command)
