"""Reasons that are rules: a small kernel that checks them, and the rules of the book.

The kernel is three modules: the order of ``steps``, the ``ring``, and ``kernel``, which rewrites.
"""

__all__ = ["diffusion", "kernel", "probability", "ring", "steps", "tilting"]
