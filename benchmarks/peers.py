"""What other libraries do with the same network and data: ``pip install -e .[bench]``.

All have the rates of DDPM but azula, whose schedule is a formula of its own.
"""

import torch
from bare import Network, T
from torch import nn
from torch.nn.functional import mse_loss

B = 256


class Expanded(Network):
    """A network that takes one time for all rows too."""

    def forward(self, x, t):
        return super().forward(x, t.expand(len(x)))


class Sequences(Network):
    """The same for points as sequences ``(n, 1, 2)``."""

    def forward(self, x, t):
        return super().forward(x[:, 0], t)[:, None]


def copy(network, kind=Network):
    """A network, perhaps of another kind, with the same parameters."""
    other = kind(1)
    other.load_state_dict(network.state_dict())
    return other


def training_step(network, x0, loss):
    """What all of them share: a batch, the gradient of a loss of it, and Adam."""
    adam = torch.optim.Adam(network.parameters(), lr=1e-4)

    def step():
        batch = x0[torch.randint(len(x0), (B,))]
        adam.zero_grad()
        loss(batch).backward()
        adam.step()

    return step


def diffusers_step(network, x0):
    from diffusers import DDPMScheduler

    network, scheduler = copy(network), DDPMScheduler(T)

    def loss(batch):
        noise, t = torch.randn_like(batch), torch.randint(0, T, (B,))
        return mse_loss(network(scheduler.add_noise(batch, noise, t), t), noise)

    return training_step(network, x0, loss)


def diffusers_samples(network, n, steps):
    from diffusers import DDPMScheduler

    scheduler = DDPMScheduler(steps, clip_sample=False)
    scheduler.set_timesteps(steps)

    @torch.inference_mode()
    def work():
        x = torch.randn(n, 2)
        for t in scheduler.timesteps:
            x = scheduler.step(network(x, t.expand(n)), t, x).prev_sample
        return x

    return work


def azula_denoiser(network):
    from azula.denoise import KarrasDenoiser
    from azula.noise import VPSchedule

    return KarrasDenoiser(copy(network, Expanded), VPSchedule())


def azula_step(network, x0):
    denoiser = azula_denoiser(network)
    return training_step(denoiser, x0, lambda batch: denoiser.loss(batch, torch.rand(B)))


def azula_samples(network, n, steps):
    from azula.sample import DDPMSampler

    sampler = DDPMSampler(azula_denoiser(network), steps=steps, silent=True)
    return torch.inference_mode()(lambda: sampler(torch.randn(n, 2)))


def lucidrains(network, steps):
    from denoising_diffusion_pytorch import GaussianDiffusion1D

    return GaussianDiffusion1D(
        copy(network, Sequences), seq_length=2, timesteps=steps, beta_schedule="linear",
        auto_normalize=False, channels=1, self_condition=False,
    )  # fmt: skip


def lucidrains_step(network, x0):
    diffusion = lucidrains(network, T)
    return training_step(diffusion, x0, lambda batch: diffusion(batch[:, None]))


def lucidrains_samples(network, n, steps):
    """Its loop without the bar that it always shows."""
    diffusion = lucidrains(network, steps)

    @torch.inference_mode()
    def work():
        x = torch.randn(n, 1, 2)
        for t in reversed(range(steps)):
            x, _ = diffusion.p_sample(x, t)
        return x

    return work


def smalldiffusion_model(network):
    from smalldiffusion import ModelMixin

    class Model(nn.Module, ModelMixin):
        input_dims = (2,)

        def __init__(self):
            super().__init__()
            self.network = copy(network)

        def forward(self, x, sigma, cond=None):
            return self.network(x, sigma.reshape(-1).expand(len(x)))

    return Model()


def smalldiffusion_step(network, x0):
    from smalldiffusion import ScheduleDDPM, generate_train_sample

    model, schedule = smalldiffusion_model(network), ScheduleDDPM(T)
    return training_step(
        model, x0, lambda batch: model.get_loss(*generate_train_sample(batch, schedule)[:3])
    )


def smalldiffusion_samples(network, n, steps):
    from smalldiffusion import ScheduleDDPM, samples

    model, sigmas = smalldiffusion_model(network), ScheduleDDPM(steps).sample_sigmas(steps)

    @torch.inference_mode()
    def work():
        for x in samples(model, sigmas, gam=1, mu=0.5, batchsize=n):
            last = x
        return last

    return work


STEPS = {
    "diffusers": diffusers_step, "azula": azula_step,
    "denoising-diffusion-pytorch": lucidrains_step, "smalldiffusion": smalldiffusion_step,
}  # fmt: skip
"""A training step of predicted noise, or of what else the library predicts."""

SAMPLES = {
    "diffusers": diffusers_samples, "azula": azula_samples,
    "denoising-diffusion-pytorch": lucidrains_samples, "smalldiffusion": smalldiffusion_samples,
}  # fmt: skip
"""Ancestral samples."""


def available(makers, *arguments):
    """What each library makes of the arguments; left out are those that cannot be imported."""
    found = {}
    for name, make in makers.items():
        try:
            found[name] = make(*arguments)
        except (ImportError, RuntimeError) as error:  # a torchvision of another torch: RuntimeError
            print(f"{name} is left out: {error}")
    return found
