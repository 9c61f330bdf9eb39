"""The peers: their usual cohorts, and AS-norm against a plain restatement from embeddings to scores."""

import torch

from law_rl.counters import torch_generator
from law_rl.face.ida.norms import NORMS
from law_rl.face.ida.support import support_statistics


def test_each_takes_the_cohort_that_it_is_known_for() -> None:
    rules = {name: support.rule for name, (support, _) in NORMS.items()}
    assert rules == {"z_norm": "all", "t_norm": "all", "s_norm": "all", "as_norm": "top_k", "csls": "top_k"}
    assert NORMS["csls"][0].count == 10


def test_as_norm_with_the_whole_cohort_is_s_norm_and_neither_cares_about_its_order() -> None:
    draw = torch.randn(340, 8, generator=torch_generator(0, "norms"), dtype=torch.float64)
    faces, cohort = draw[:40], draw[40:]
    unit = torch.nn.functional.normalize(draw)
    scores = (unit[:20] * unit[20:40]).sum(1)
    table = unit[:40] @ unit[40:].T
    mean, std = table.mean(1), table.std(1, correction=0)
    expected = 0.5 * ((scores - mean[:20]) / std[:20] + (scores - mean[20:]) / std[20:])
    order = torch.randperm(300, generator=torch_generator(0, "order"))
    for name in ("s_norm", "as_norm"):  # 300 are the whole cohort
        support, operator = NORMS[name]
        known = support_statistics(faces, cohort[order], support)
        found = operator(scores, known.at(slice(0, 20)), known.at(slice(20, 40)))
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
