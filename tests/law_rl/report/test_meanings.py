from dataclasses import fields

from law_rl.compression.student import CodecLossTerms
from law_rl.face.learner import FaceLossTerms
from law_rl.features import AGAINST_TEACHER, FEATURE_NAMES
from law_rl.report.meanings import LOSSES, MEANINGS
from law_rl.sample_memory import REMEMBERING


def test_every_feature_has_a_meaning_and_a_place_on_paper() -> None:
    assert set(MEANINGS) == set(FEATURE_NAMES)
    bounded = {name for name, (_, norm) in REMEMBERING.items() if norm == "none"}
    bounded |= {"loss_rank", "teacher_confidence"}
    assert "teacher_confidence" in AGAINST_TEACHER
    assert {name for name, meaning in MEANINGS.items() if meaning.reach == 1} == bounded


def test_every_term_of_faces_and_of_codecs_has_a_meaning() -> None:
    assert set(LOSSES) == {term.name for terms in (FaceLossTerms, CodecLossTerms) for term in fields(terms)}
