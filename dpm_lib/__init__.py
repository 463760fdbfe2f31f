r"""Diffusion probabilistic models, derived and verified."""
