"""The report of a video codec: that of a codec, and what each clip says."""

from pathlib import Path

from law_rl.compression.comparison import in_words
from law_rl.compression.rate_curve import Metric
from law_rl.compression.video.clip_comparison import ClipComparison, mean_in_words
from law_rl.report.codec_page import METRICS, point_sections, rates_section, write_sections
from law_rl.report.elements import meanings, note, section
from law_rl.report.tables import table


def write_video_report(path: Path, title: str, comparison: ClipComparison) -> None:
    """Writes one HTML file: BD-rates on average and clip by clip, how all codecs were set, PSNR and MS-SSIM over bits,
    and every point of the means; same inputs, same bytes.
    """
    text = "Each point is a mean over the clips, of which all count alike."
    sections = [
        rates_section(comparison.mean, text),
        _clips(comparison),
        _settings(comparison),
        *point_sections(comparison.mean),
    ]
    write_sections(path, title, comparison.mean, sections)


def _clips(comparison: ClipComparison) -> str:
    text = (
        "The mean of the clips' own BD-rates is what papers report. It is another number than that of the mean curves "
        "above, where clips that need many bits count most."
    )
    tables = [_rates(comparison, *each) for each in METRICS]
    return section("Bits at the same quality, clip by clip", "\n".join([*tables, note(text)]))


def _rates(comparison: ClipComparison, metric: Metric, name: str) -> str:
    means = [mean_in_words(getattr(each, metric)) for each in comparison.against()]
    rows = [
        (clip, *(in_words(getattr(each, metric)) for each in own.against())) for clip, own in comparison.clips.items()
    ]
    header = (f"clip, at the same {name}", *(peer.name for peer in comparison.mean.peers))
    return table(header, [*rows, ("mean", *means)], marked=len(rows))


def _settings(comparison: ClipComparison) -> str:
    return section("How the others were set", meanings(dict(comparison.settings)) + note(comparison.terms))
