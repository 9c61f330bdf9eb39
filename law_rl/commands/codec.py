"""The verbs of the image codec, each in a module of its own."""

from law_rl.commands.codec_arguments import (
    CodecCommand,
    CodecCompareCommand,
    CodecDecodeCommand,
    CodecEncodeCommand,
    CodecEvaluateCommand,
    CodecInfoCommand,
    CodecTrainCommand,
)


def run(command: CodecCommand) -> None:
    """Does what the command says."""
    match command:
        case CodecEncodeCommand():
            from law_rl.commands.codec_encode import encode

            encode(command)
        case CodecDecodeCommand():
            from law_rl.commands.codec_encode import decode

            decode(command)
        case CodecInfoCommand():
            from law_rl.commands.codec_info import info

            info(command)
        case CodecEvaluateCommand():
            from law_rl.commands.codec_evaluate import evaluate

            evaluate(command)
        case CodecCompareCommand():
            from law_rl.commands.codec_compare import compare

            compare(command)
        case CodecTrainCommand():
            from law_rl.commands.codec_train import train

            train(command)
