"""Reasons that are rules: a small kernel that checks them, and the rules of the book.

The kernel is three modules: the order of ``steps``, the ``ring``, and ``kernel``, which rewrites.
"""

__all__ = [
    "bernoulli", "book", "diffusion", "dimensions", "gaussians", "integrals", "kernel",
    "probability", "ring", "steps", "sums", "tilting",
]  # fmt: skip
