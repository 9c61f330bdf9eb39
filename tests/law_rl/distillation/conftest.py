"""A model card with every fact, to be changed with `dataclasses.replace`."""

import pytest

from law_rl.classification.cost import Latency
from law_rl.classification.network_file import NetworkFacts
from law_rl.classification.networks import NetworkConfig
from law_rl.distillation.model_card import CardData, CardTeacher, CardTraining, ModelCard


@pytest.fixture(scope="session")
def student_card() -> ModelCard:
    facts = NetworkFacts(
        network=NetworkConfig(name="mlp", width=8, depth=1),
        image_shape=(3, 4, 5),
        class_names=("cat", "snow_dog", "a|b"),
        mean=(120.0, 110.0, 100.0),
        std=(60.0, 50.0, 40.0),
    )
    return ModelCard(
        facts=facts,
        parameters=78_042,
        macs=12_239_488,
        files={"student.safetensors": 2_345, "student.onnx": 4_567},
        latency=Latency(
            median_ms=0.51234, p95_ms=1.2, batch=1, threads=1, rounds=200, cpu="x86_64 with AVX512", torch="2.13.0+cpu"
        ),
        data=CardData(name="cifar10", hash="d" * 64, train=45_000, validation=5_000, test=10_000, terms="Research."),
        teacher=CardTeacher(network=NetworkConfig(name="resnet20"), route="e" * 64, accuracy=91.5),
        training=CardTraining(
            curriculum="learned", schedule="f" * 64, loss_weights={"kd": 1.0, "congruence": 0.003}, epochs=30
        ),
        accuracies={10: 88.25},
        seed=10,
        intended_use="Studies of distillation.",
        limits=("Small images only.", "Not for decisions about people."),
    )
