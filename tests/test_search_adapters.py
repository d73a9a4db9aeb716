"""Proxies for other libraries, for Optuna, and on a space that is not NAS-Bench-201."""

import pytest
import torch
from torch import nn

import proxies
from evaluation.search import Space, search
from evaluation.search.adapters import optuna_objective, proxy_function, space_objective
from evaluation.search.evolution import evolution
from evaluation.search.local_search import local_search
from testbed import images

CHOICES = {"width": (2, 4, 8), "kernel": (1, 3), "activation": ("relu", "tanh"), "depth": (1, 2)}


def build(configuration):
    activation = {"relu": nn.ReLU, "tanh": nn.Tanh}[configuration["activation"]]
    width, kernel = configuration["width"], configuration["kernel"]
    layers, channels = [], 1
    for _ in range(configuration["depth"]):
        layers += [nn.Conv2d(channels, width, kernel, padding=kernel // 2), activation()]
        channels = width
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(width * 64, 10))


@pytest.fixture(scope="module")
def batch():
    drawn = images.load("digits").batch(8, 0)
    return drawn.images, drawn.labels


def test_a_proxy_is_a_plain_function_of_a_network(batch):
    network = build({"width": 4, "kernel": 3, "activation": "relu", "depth": 1})
    before = {name: value.clone() for name, value in network.state_dict().items()}
    expected = float(proxies.score(network, *batch, ["jacobian_norm"])["jacobian_norm"])
    # The reference promises that a small Jacobian is robust.
    assert proxy_function("jacobian_norm", *batch)(network) == -expected
    assert proxy_function("jacobian_norm", *batch, better="higher")(network) == expected
    assert proxy_function("params", *batch)(network) == sum(p.numel() for p in network.parameters())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_what_cannot_be_a_proxy_says_so(batch):
    with pytest.raises(proxies.UnknownProxyError, match="known are params"):
        proxy_function("norm", *batch)
    with pytest.raises(ValueError, match="higher or lower; got 'smaller'"):
        proxy_function("params", *batch, better="smaller")
    objective = space_objective(Space(CHOICES), lambda configuration: None, float)
    with pytest.raises(TypeError, match=r"torch.nn.Module; got NoneType of .*'width': 2"):
        objective(0)


@pytest.mark.parametrize("searcher", [local_search, evolution])
def test_a_space_of_ones_own_is_searched(batch, searcher):
    space = Space(CHOICES)
    objective = space_objective(space, build, proxy_function("params", *batch))
    found = search(searcher, space, objective, len(space), 0).trajectory
    best = max(found, key=lambda query: query.value)
    largest = {"width": 8, "kernel": 3, "depth": 2}
    assert space.configuration(best.candidate).items() >= largest.items()
    assert best.value == sum(
        p.numel() for p in build(largest | {"activation": "relu"}).parameters()
    )


def test_the_weights_of_a_configuration_depend_on_it_and_the_seed_alone(batch):
    space, score = Space(CHOICES), proxy_function("jacobian_norm", *batch)
    objective = space_objective(space, build, score)
    torch.manual_seed(1)
    state = torch.get_rng_state()
    forwards = [objective(candidate) for candidate in range(4)]
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    assert [objective(candidate) for candidate in reversed(range(4))] == forwards[::-1]
    assert space_objective(space, build, score, seed=1)(0) != forwards[0]


def test_optuna_asks_for_the_same_scores(batch):
    optuna = pytest.importorskip("optuna", reason="the extra 'optuna' is not installed")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    space, score = Space(CHOICES), proxy_function("jacobian_norm", *batch)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=0))
    study.optimize(optuna_objective(CHOICES, build, score), n_trials=5)
    objective = space_objective(space, build, score)
    for trial in study.trials:
        assert trial.value == objective(space.candidate(trial.params))
