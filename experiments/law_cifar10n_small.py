"""CIFAR-10 with the labels that people gave it (CIFAR-10N, 2110.12088: "worse", 40.2 % wrong), on two CPU cores.

The images, network and search of law_cifar10_small. People err alike, so these labels are harder than random ones, and
they are the same for every training seed.
"""

from dataclasses import replace

from envs.cifar import HUMAN_NOISE, cifar_task
from experiments import law_cifar10_small

experiment = replace(law_cifar10_small.experiment, name="law_cifar10n_small", task=cifar_task(noise=HUMAN_NOISE))
