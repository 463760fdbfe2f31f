import importlib
import inspect
import pkgutil
import re

import pytest

import dpm_lib
from dpm_lib.evidence.equations import EQUATIONS
from dpm_lib.evidence.usage import implementations

MODULES = [
    info.name
    for info in pkgutil.walk_packages(dpm_lib.__path__, "dpm_lib.")
    if not info.name.endswith("__main__")
]


def public(module):
    """Names, things and docstrings of the public functions, classes and methods of a module."""
    for name in getattr(module, "__all__", []):
        thing = getattr(module, name)
        if getattr(thing, "__module__", None) != module.__name__:
            continue
        yield name, inspect.getdoc(thing)
        for member, value in vars(thing).items() if inspect.isclass(thing) else ():
            function = value.fget if isinstance(value, property) else value
            if member[0] != "_" and getattr(function, "__module__", None) == module.__name__:
                yield f"{name}.{member}", inspect.getdoc(value)


@pytest.mark.parametrize("name", MODULES)
def test_every_public_name_has_a_docstring(name):
    """A module declares its public names, and each says what it is."""
    module = importlib.import_module(name)
    assert module.__doc__
    assert hasattr(module, "__all__")
    assert [path for path, doc in public(module) if not doc] == []


@pytest.mark.parametrize("name", [m for m in MODULES if not m.endswith((".usage", ".equations"))])
def test_equations_named_exist(name):
    """Docstrings name only equations of the table."""
    module = importlib.import_module(name)
    text = "\n".join([module.__doc__ or "", *(doc or "" for _, doc in public(module))])
    assert set(re.findall(r":eq:`([^`]+)`", text)) <= EQUATIONS.keys()


@pytest.mark.parametrize("key", EQUATIONS)
def test_every_equation_is_implemented(key):
    """At least one public function or method names each equation."""
    assert implementations().get(key)
