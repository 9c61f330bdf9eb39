"""Under which terms faces may be used, in words for a model card."""

from law_rl.face.data.sources import FaceDataConfig

_OWN = "Those of the images, which law-rl does not know: ask their owner and the persons shown."
TERMS = {
    "synthetic": "Drawings by law-rl that stand for no person: free to use.",
    "lfw": "For research on face recognition; photographs of real persons, who were not asked. Cite Huang et al., "
    "Labeled Faces in the Wild, technical report 07-49, 2007.",
    "folders": _OWN,
    "records": _OWN,
}


def terms_of(config: FaceDataConfig) -> str:
    """The terms of the images as their owners publish them."""
    return TERMS[config.name]
