"""The verbs of the image and video codecs, each in a module of its own."""

from law_rl.commands.codec_arguments import (
    CodecCommand,
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
        case CodecEncodeVideoCommand():
            from law_rl.commands.codec_encode_video import encode_video

            encode_video(command)
        case CodecDecodeVideoCommand():
            from law_rl.commands.codec_decode_video import decode_video

            decode_video(command)
        case CodecEvaluateVideoCommand():
            from law_rl.commands.codec_evaluate_video import evaluate_video

            evaluate_video(command)
        case CodecCompareVideoCommand():
            from law_rl.commands.codec_compare_video import compare_video

            compare_video(command)
        case CodecTrainVideoCommand():
            from law_rl.commands.codec_train_video import train_video

            train_video(command)
