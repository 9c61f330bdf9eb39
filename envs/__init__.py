"""Ready environments. Importing this package registers them: gymnasium.make("envs:law_rl/NoisyDigits-v0")."""

import gymnasium

gymnasium.register(id="law_rl/NoisyDigits-v0", entry_point="envs.digits:noisy_digits")
gymnasium.register(id="law_rl/NoisyCifar10-v0", entry_point="envs.cifar:noisy_cifar10")
gymnasium.register(id="law_rl/Distillation-v0", entry_point="envs.distillation:distillation")
gymnasium.register(id="law_rl/FaceDistillation-v0", entry_point="envs.faces:face_distillation")
gymnasium.register(id="law_rl/Compression-v0", entry_point="envs.compression:compression")
gymnasium.register(id="law_rl/VideoCompression-v0", entry_point="envs.video_compression:video_compression")
