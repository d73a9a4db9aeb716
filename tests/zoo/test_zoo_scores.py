"""Every proxy on every architecture, against an oracle that shares no code with it."""

from copy import deepcopy
from itertools import product

import numpy as np
import pytest

import proxies
from testbed.catalogue.registry import PROXIES, chosen
from tests.zoo.architectures import CLASSES, ZOO, whole
from tests.zoo.case import Case, fingerprint
from tests.zoo.oracle import OracleError, forget

FIRST_ORDER = ("jacobian_norm", "jacobian_projection", "gauss_newton_input")
# Extreme eigenvalues, which one oracle tells; traces and spectra have tests of their own.
SECOND_ORDER = tuple(
    name
    for name in PROXIES
    if name.startswith("hessian_") and not name.endswith(("_trace", "_negative", "_entropy"))
)
SOME_OF_SECOND_ORDER = [
    ("hessian_input", "running"), ("hessian_input_positive", "float64"),
    ("hessian_params", "calibrated"),
]  # fmt: skip
# Power iteration is slow; what it has not settled by then is only bounded.
OPTIONS = {name: {"max_iterations": 20} for name in SECOND_ORDER if name.endswith("_power")}
OPTIONS["jacobian_projection"] = {"projections": CLASSES}  # all of them: exact
# Of the batch-norm mode and the arithmetic. What float64 misses is no rounding error.
TOLERANCE = {"running": 1e-4, "calibrated": 1e-3, "float64": 1e-7}
SECOND_TOLERANCE = 1e-2
TIE = 0.98  # eigenvalues of either sign, so near in magnitude that rounding picks one


modes = pytest.mark.parametrize("mode", list(TOLERANCE))


def score(item: Case, mode: str, name: str) -> proxies.Score:
    """Return a score; ``calibrated`` is what ``auto`` means for the fresh network."""
    if mode == "calibrated" and not item.normalised:
        pytest.skip("no batch norm, nothing to calibrate")
    network, images = item.fresh if mode == "calibrated" else item.network, item.images
    if mode == "float64":
        network, images = deepcopy(network).double(), images.double()
        forget(network)
    before = fingerprint(network)
    options = {name: OPTIONS.get(name, {})}
    found = proxies.score(network, images, item.labels, [name], options=options)[name]
    assert fingerprint(network) == before, "the network was changed"
    return found


def is_undefined(found: proxies.Score) -> bool:
    """Say whether a score says that it is none, and why."""
    if np.isnan(found.value):
        assert found.reason
    return bool(np.isnan(found.value))


@pytest.mark.parametrize("name", FIRST_ORDER)
@modes
def test_first_derivatives(item: Case, mode: str, name: str):
    found = score(item, mode, name)
    if is_undefined(found):
        return
    what = "gauss_newton_input" if name == "gauss_newton_input" else "jacobian_norm"
    expected = getattr(item.oracle, what)
    assert found.value == pytest.approx(expected, rel=TOLERANCE[mode])


@pytest.mark.parametrize(
    ("name", "mode"),
    list(product(SECOND_ORDER, TOLERANCE)) if whole() else SOME_OF_SECOND_ORDER,
)
def test_second_derivatives(item: Case, mode: str, name: str):
    found = score(item, mode, name)
    if is_undefined(found):
        return
    try:
        over_input = "_input" in name
        spectra = item.oracle.input_ends() if over_input else item.oracle.parameter_ends()
    except OracleError as error:
        pytest.skip(f"the oracle does not know: {error}")
    allowed = [
        np.mean(choice) for choice in product(*(wanted(name, *spectrum) for spectrum in spectra))
    ]
    if found.converged is False:
        assert found.reason
        assert np.isfinite(found.value)
        largest = np.mean([max(-low, high) for low, high in spectra])
        assert abs(found.value) <= (1 + SECOND_TOLERANCE) * largest
        return
    nearest = min(allowed, key=lambda value: abs(value - found.value))
    assert found.value == pytest.approx(nearest, rel=SECOND_TOLERANCE)


def wanted(name: str, low: float, high: float) -> tuple[float, ...]:
    """Return the eigenvalue that a proxy is after, or two that it may take for it."""
    if name.endswith("_positive"):
        return (high,)
    strongest = max(-low, high)
    return tuple(value for value in (low, high) if abs(value) >= TIE * strongest)


def test_costs(item: Case):
    found = proxies.score(item.fresh, item.images, item.labels, ["params", "flops"])
    assert found["params"].value == sum(value.numel() for value in item.fresh.parameters())
    assert found["flops"].value > 0


def test_every_other_proxy_has_a_number_or_a_reason(item: Case):
    told = {*FIRST_ORDER, *SECOND_ORDER, "params", "flops"}
    names = [name for name in chosen(["all"]) if name not in told]
    for name, one in proxies.score(item.fresh, item.images, item.labels, names).items():
        assert not one.failed, (name, one.reason)
        assert np.isfinite(one.value) or one.reason, name


def test_a_network_that_was_run_before_is_scored_alike(item: Case):
    used = deepcopy(item.network)
    forget(used)
    used(item.images)
    found = proxies.score(used, item.images, item.labels, ["jacobian_norm"])["jacobian_norm"]
    assert found.value == pytest.approx(item.oracle.jacobian_norm, rel=TOLERANCE["running"])


def test_the_zoo_is_wide():
    assert len({item.name for item in ZOO}) == len(ZOO) >= 28
    assert len({item.family for item in ZOO}) >= 15
    assert sum(item.source.startswith("transformers.") for item in ZOO) >= 3
