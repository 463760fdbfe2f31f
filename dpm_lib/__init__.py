r"""Diffusion probabilistic models, derived and verified.

The mathematics stands at the root, a room for a chapter; three wings keep the three promises:
``symbolic`` derives, ``evidence`` verifies, ``learning`` trains.  Public names of all of them load
when they are first used; ``__init__.pyi`` lists them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__version__ = "0.1.0"
