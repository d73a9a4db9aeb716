"""One base class of all errors."""

import importlib
import inspect
import pkgutil

import pytest

import evaluation
import proxies
import testbed
from testbed.basis.errors import ToolkitError, did_you_mean

# What ends every search is no error; callers would take it for one. What a JSON parser's hooks
# raise is turned into the caller's error before anybody sees it.
NO_ERRORS = {"BudgetSpent", "_RefusedError", "UnsureError"}


def exceptions():
    """Return every exception class that the toolkit defines."""
    found = set()
    for package in (testbed, proxies, evaluation):
        for entry in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if entry.name.endswith("__main__"):
                continue
            for thing in vars(importlib.import_module(entry.name)).values():
                own = inspect.isclass(thing) and thing.__module__.split(".")[0] == package.__name__
                if own and issubclass(thing, BaseException):
                    found.add(thing)
    return found


def test_all_errors_of_the_toolkit_have_one_base():
    classes = exceptions()
    assert len(classes) > 30
    others = {kind.__name__ for kind in classes if not issubclass(kind, ToolkitError)}
    assert others == NO_ERRORS


def test_callers_who_catch_runtime_errors_still_do():
    from testbed.engine import EngineError
    from testbed.store import StoreError

    assert issubclass(EngineError, RuntimeError)
    assert issubclass(StoreError, RuntimeError)


@pytest.mark.parametrize(
    ("word", "said"),
    [("fsgm", " (did you mean 'fgsm'?)"), ("PGD", " (did you mean 'pgd'?)"), ("banana", "")],
)
def test_a_mistyped_name_gets_a_suggestion(word, said):
    assert did_you_mean(word, ["fgsm", "pgd", "square"]) == said
