"""One video codec trained on moved photographs, as a model file for `law-rl codec encode-video --model`."""

from rich.console import Console

from law_rl.commands.codec_trainings import checkpoint_of, config_of, moment_text, photographs_of, report, run, say
from law_rl.commands.codec_video_arguments import CodecTrainVideoCommand
from law_rl.compression.shipped import FOLDER, model_path
from law_rl.compression.training import Moment
from law_rl.compression.video.model_card import VideoCard
from law_rl.compression.video.model_file import VideoModel
from law_rl.compression.video.network.video_network import DVC, EDIC_DVC, PAPER_DVC, PAPER_EDIC_DVC
from law_rl.compression.video.training import video_training
from law_rl.compression.video.training_clips import IntraFile, TrainingClips, training_clips
from law_rl.compression.video.training_config import VideoTrainingConfig
from law_rl.compression.video.training_output import put_out
from law_rl.devices import find_device

NETWORKS = {
    ("dvc", "small"): DVC,
    ("edic", "small"): EDIC_DVC,
    ("dvc", "paper"): PAPER_DVC,
    ("edic", "paper"): PAPER_EDIC_DVC,
}


def train_video(command: CodecTrainVideoCommand) -> None:
    """Trains, or goes on with what was stopped, writes the model with its card, and says how good it is."""
    checkpoint, console = checkpoint_of(command), Console(stderr=command.json)
    config, network = training_config(command), NETWORKS[command.parts, command.size]
    start = None if command.start is None else VideoModel.load(command.start)
    if start is not None and start.config != network:
        raise ValueError(f"{command.start} has other parts or another size: give its own by --parts and --size")
    clips = _clips(command, console)
    before = None if start is None else start.network()
    training = video_training(network, config, clips.train, clips.decoded, checkpoint, before)
    run(training, console, checkpoint, StageText(config, training.progress))
    card = put_out(training, clips, command.out, quality=command.quality, start=start)
    checkpoint.unlink()
    ships = model_path(command.intra).parent == FOLDER
    encode = "encode-video CLIP" if ships else f"encode-video CLIP --intra {command.intra}"
    report(console, command, card, _found(card), encode)


def training_config(command: CodecTrainVideoCommand) -> VideoTrainingConfig:
    """The training that the flags describe; one that goes on from a model has no stages of parts alone."""
    shares = {} if command.start is None else {"flow": 0.0, "motion": 0.0, "compensation": 0.0}
    return config_of(VideoTrainingConfig, command, reference=command.reference, **shares)


class StageText:
    """What is told of a training from `progress` on: the stage, and the means where they are of that stage alone."""

    def __init__(self, config: VideoTrainingConfig, progress: float) -> None:
        self._config, self._stage = config, config.stage(progress)

    def __call__(self, moment: Moment) -> str:
        before, self._stage = self._stage, self._config.stage(moment.progress)
        if before != self._stage:
            return f"{self._stage}, step {moment.step:,}"
        if self._stage == "flow":
            return f"flow, step {moment.step:,}, cost {moment.cost:.3f}"
        return f"{self._stage}, {moment_text(moment, self._config)}"


def _clips(command: CodecTrainVideoCommand, console: Console) -> TrainingClips:
    intra, photographs, device = IntraFile.load(command.intra), photographs_of(command), find_device(command.device)
    train, held_out = f"{len(photographs.train):,} photographs of {photographs.name}", len(photographs.validation)
    clips = f"{command.clips:,} clips of {command.clip_frames} frames"
    say(console, f"{train} move in {clips}, {held_out:,} are held out; {intra.name} codes first frames")
    return training_clips(
        photographs,
        intra,
        count=command.clips,
        frames=command.clip_frames,
        size=command.crop,
        seed=command.seed,
        device=device,
    )


def _found(card: VideoCard) -> tuple[str, ...]:
    found = card.validation
    return (
        f"{found.bpp:.3f} bits per pixel at {found.psnr:.2f} dB on clips over {card.photographs.validation:,} "
        "photographs held out",
        f"predicted frames: {found.predicted_bpp:.3f} bits per pixel, of them motion {found.motion_bpp:.3f}, at "
        f"{found.predicted_psnr:.2f} dB",
    )
