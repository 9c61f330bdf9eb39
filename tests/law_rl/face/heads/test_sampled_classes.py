import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from law_rl.classification.networks import CosineClassifier
from law_rl.counters import torch_generator
from law_rl.face.heads.sampled_classes import sample_classes


def generator(counter: int = 0) -> torch.Generator:
    return torch_generator(3, "sampled classes", counter)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    samples=st.integers(1, 20),
    classes=st.integers(1, 30),
    share=st.floats(0.001, 1),
)
def test_all_targets_are_kept_and_found(seed: int, samples: int, classes: int, share: float) -> None:
    targets = torch.randint(classes, (samples,), generator=torch_generator(seed, "targets"))
    kept, positions = sample_classes(targets, classes, share, generator(seed))
    assert kept.dtype == positions.dtype == torch.int64 and positions.shape == targets.shape
    assert torch.equal(kept[positions], targets)
    assert (kept.diff() > 0).all() and kept[0] >= 0 and kept[-1] < classes
    assert len(kept) == max(round(share * classes), min(samples, classes))


def test_all_classes_are_kept_at_share_1() -> None:
    targets = torch.tensor([5, 0, 5])
    kept, positions = sample_classes(targets, 7, 1.0, generator())
    assert torch.equal(kept, torch.arange(7)) and torch.equal(positions, targets)


def test_equal_generators_give_equal_samples_and_others_do_not() -> None:
    targets = torch.tensor([5, 80])
    first, again, other = (sample_classes(targets, 100, 0.1, generator(counter))[0] for counter in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_all_other_classes_are_equally_likely() -> None:
    targets, classes, draws = torch.tensor([3, 3, 11]), 20, 4000
    counts = torch.zeros(classes)
    for counter in range(draws):
        kept, _ = sample_classes(targets, classes, 0.4, generator(counter))
        counts[kept] += 1
    own = torch.zeros(classes, dtype=torch.bool)
    own[targets] = True
    assert (counts[own] == draws).all()
    share = 6 / 18  # of the 8 kept, 6 are of the 18 others
    deviation = math.sqrt(draws * share * (1 - share))
    assert (counts[~own] - draws * share).abs().max() < 4.5 * deviation


def test_cosines_with_the_kept_classes_are_columns_of_all() -> None:
    classifier = CosineClassifier(6, 50, 64.0)
    torch.nn.init.normal_(classifier.weight, generator=torch_generator(0, "weights"))
    embedding = torch.randn(4, 6, generator=torch_generator(0, "embeddings"))
    targets = torch.tensor([49, 0, 7, 7])
    kept, positions = sample_classes(targets, 50, 0.2, generator())
    part, whole = classifier.cosines(embedding, kept), classifier.cosines(embedding)
    torch.testing.assert_close(part, whole[:, kept])
    torch.testing.assert_close(part.gather(1, positions[:, None]), whole.gather(1, targets[:, None]))
    part.sum().backward()  # type: ignore[no-untyped-call]
    assert classifier.weight.grad is not None
    assert torch.equal(classifier.weight.grad.abs().sum(1).nonzero().flatten(), kept)


def test_bad_input_is_refused() -> None:
    targets = torch.tensor([1, 2])
    for wrong in (targets.int(), targets[None], targets[:0]):
        with pytest.raises(ValueError, match=r"targets are torch\.int.*: give int64 \[B\]"):
            sample_classes(wrong, 5, 0.5, generator())
    with pytest.raises(ValueError, match="classes is 0"):
        sample_classes(targets, 0, 0.5, generator())
    for share in (0.0, 1.1, math.nan):
        with pytest.raises(ValueError, match="share is"):
            sample_classes(targets, 5, share, generator())


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_sampling_on_cuda_waits_for_nothing() -> None:
    targets = torch.tensor([5, 0, 999], device="cuda")
    stream = torch_generator(0, "sampled classes", device="cuda")
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        kept, positions = sample_classes(targets, 1000, 0.1, stream)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert len(kept) == 100 and torch.equal(kept[positions], targets)
