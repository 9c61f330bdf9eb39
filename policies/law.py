"""LAW's agent (Li et al., 2019, arXiv 1905.11058): DDPG that passes over its whole buffer at each update."""

from dataclasses import dataclass, replace
from typing import Any, Literal

import gymnasium
from stable_baselines3.td3.policies import Actor, TD3Policy
from torch import nn

from law_rl.actor import MlpActor
from law_rl.agent import AgentSpec, Episode
from policies.exploration import directional_noise, gaussian_noise
from policies.full_data import BoundsToUnit, ClippedPolicy, FullDataDDPG, StageEmbedding
from policies.off_policy import OffPolicyAgent
from policies.stable_baselines import SpacesOnly, counter_draws, frozen_layers, linear_layers


@dataclass(frozen=True, kw_only=True)
class LawConfig:
    """The settings of LAW's DDPG with full-data update; the defaults are those of the authors' released code.

    Networks: `layers` hidden units in actor and critic, linear weights drawn from N(0, `actor_init`) and
    N(0, `critic_init`) (0: Stable-Baselines3's own initialisation). With `stage_embedding` > 0 entry 0 of the
    observation, the stage, is replaced by so many learned numbers (set env.observation to LAW_STATE); with 0 the
    observation's bounds are scaled to [-1, 1]. The linear output is clipped when acting, or squashed by tanh.
    Update: `passes` over the FIFO buffer of `buffer_size` transitions in shuffled minibatches, either once after an
    episode, which suits parallel workers, or after each stage's transition is stored, the published order.
    Exploration: "directional" (see `directional_noise`) or "additive" normal noise, of `noise_scale` less `noise_decay`
    for each action selected before; before that, `random_episodes` that each hold one random action.
    """

    layers: tuple[int, ...] = (256, 512, 256)
    stage_embedding: int = 16
    output: Literal["clip", "tanh"] = "clip"
    actor_init: float = 0.05
    critic_init: float = 0.01
    actor_lr: float = 1e-5
    critic_lr: float = 1e-3
    weight_decay: float = 1e-5
    gradient_clip: float = 5.0
    tau: float = 0.001
    discount: float = 0.99
    action_penalty: float = 0.001
    buffer_size: int = 500
    batch_size: int = 32
    passes: int = 8
    update_every: Literal["episode", "stage"] = "episode"
    exploration: Literal["directional", "additive"] = "directional"
    noise_probability: float = 0.3
    noise_scale: float = 0.5
    noise_decay: float = 0.0002
    random_episodes: int = 0
    reward_scale: float = 1.0

    name = "law"

    def __post_init__(self) -> None:
        for field in ("actor_lr", "critic_lr", "gradient_clip", "tau", "reward_scale"):
            if not getattr(self, field) > 0:
                raise ValueError(f"{field} is {getattr(self, field)}: give a number above 0")
        for field in ("discount", "noise_probability"):
            if not 0 <= getattr(self, field) <= 1:
                raise ValueError(f"{field} is {getattr(self, field)}: give a number from 0 to 1")
        if not 1 <= self.batch_size <= self.buffer_size:
            raise ValueError(
                f"batch_size is {self.batch_size} of a buffer of {self.buffer_size}: give from 1 to buffer_size"
            )
        if self.passes < 1 or self.random_episodes < 0 or not self.layers:
            raise ValueError(
                f"passes is {self.passes}, random_episodes {self.random_episodes} and layers {self.layers}: "
                "give at least 1 pass, 0 episodes and 1 layer"
            )

    def build(self, spec: AgentSpec) -> "Law":
        return Law(self, spec)


def short_budget() -> LawConfig:
    """The variant of LAW's agent for searches of about 60 episodes and for any observation; not the authors'.

    It begins with random episodes, has smaller networks that learn faster, and explores with more noise that lasts.
    Made for env.reward "law", whose levels say more a stage than the differences of "increment".
    """
    return LawConfig(
        layers=(128, 128),
        stage_embedding=0,
        actor_lr=1e-4,
        tau=0.005,
        discount=0.9,
        action_penalty=0.05,
        exploration="additive",
        noise_scale=0.5,
        noise_decay=0.0005,
        random_episodes=4,
    )


class Law(OffPolicyAgent):
    """The agent of a LawConfig: it explores with the actor, and its policy is the target actor (released code)."""

    _model: FullDataDDPG

    def __init__(self, config: LawConfig, spec: AgentSpec) -> None:
        if config.stage_embedding and spec.observation[0] != "stage":
            raise ValueError(
                f"the observation begins with {spec.observation[0]!r}, and LAW embeds the stage: "
                "set env.observation to law_rl.observation.LAW_STATE, or stage_embedding to 0"
            )
        with counter_draws(spec.seed, "initialisation"):
            model = law_model(config, SpacesOnly(spec), stages=spec.stages)
        super().__init__(spec, model, random_episodes=config.random_episodes, reward_scale=config.reward_scale)
        self._config = config

    def _learn(self, episode: Episode) -> None:
        for _ in self._stored(episode):
            if self._config.update_every == "stage":
                self._model.train(self._config.passes, self._config.batch_size)
        if self._config.update_every == "episode":
            self._model.train(self._config.passes, self._config.batch_size)

    def _exploring(self, episode: int) -> MlpActor:
        config = self._config
        scale, decay = config.noise_scale, config.noise_decay
        if config.exploration == "additive":
            noise = gaussian_noise(self._spec, episode, scale=scale, decay=decay)
        else:
            probability = config.noise_probability
            noise = directional_noise(self._spec, episode, probability=probability, scale=scale, decay=decay)
        return replace(self._as_mlp(self._model.actor), exploration=config.exploration, noise=noise)

    def policy(self) -> MlpActor:
        return self._as_mlp(self._model.actor_target)

    def _as_mlp(self, actor: Actor) -> MlpActor:
        weights, biases = frozen_layers(linear_layers(actor.mu))
        extractor = actor.features_extractor
        if isinstance(extractor, StageEmbedding):
            table = extractor.table.weight.detach().clone()
            return MlpActor(weights=weights, biases=biases, output=self._config.output, embedding=table)
        assert isinstance(extractor, BoundsToUnit)
        first = (weights[0] * extractor.scale, *weights[1:])
        shifted = (biases[0] + weights[0] @ extractor.shift, *biases[1:])
        return MlpActor(weights=first, biases=shifted, output=self._config.output)


def law_model(config: LawConfig, env: gymnasium.Env[Any, Any], *, stages: int) -> FullDataDDPG:
    """LAW's DDPG over an environment's spaces, also for `learn()` on that environment; draws from global generators."""
    extractor: dict[str, Any] = {"features_extractor_class": BoundsToUnit}
    if config.stage_embedding:
        table = {"rows": stages + 10, "size": config.stage_embedding}
        extractor = {"features_extractor_class": StageEmbedding, "features_extractor_kwargs": table}
    model = FullDataDDPG(
        ClippedPolicy if config.output == "clip" else TD3Policy,
        env,
        learning_rate=config.critic_lr,
        buffer_size=config.buffer_size,
        learning_starts=0,
        batch_size=config.batch_size,
        tau=config.tau,
        gamma=config.discount,
        gradient_steps=config.passes,
        policy_kwargs={
            "net_arch": list(config.layers),
            "optimizer_kwargs": {"weight_decay": config.weight_decay},
            **extractor,
        },
        device="cpu",
    )
    model.gradient_clip, model.action_penalty = config.gradient_clip, config.action_penalty
    for group in model.actor.optimizer.param_groups:
        group["lr"] = config.actor_lr
    for network, std in ((model.actor.mu, config.actor_init), (model.critic.q_networks[0], config.critic_init)):
        for layer in linear_layers(network) if std > 0 else ():
            nn.init.normal_(layer.weight, std=std)
    model.actor_target.load_state_dict(model.actor.state_dict())
    model.critic_target.load_state_dict(model.critic.state_dict())
    return model
