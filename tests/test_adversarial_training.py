"""Adversarial training: what the attack keeps to, and what a network gains by it."""

import json
from dataclasses import replace

import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from evaluation.attacks import evaluate, make
from testbed import images
from testbed.basis.errors import InputError
from testbed.basis.seeding import generator
from testbed.networks.normalise import normalised
from testbed.sources.trained import TrainedSource
from testbed.spaces.nasbench201.genotype import Genotype
from testbed.train.adversarial import AdversarialTraining, adversarial_training
from testbed.train.attacked import attacked
from testbed.train.command import app
from testbed.train.recipe import PRESETS, Recipe
from testbed.train.training import train

GENOTYPE = Genotype.from_index(284)
# One convolution a cell: it learns the digits in a second or two.
QUICK_ONE = Genotype.parse("|nor_conv_3x3~0|+|none~0|none~1|+|none~0|skip_connect~1|none~2|")
SMALL = Recipe(epochs=2, channels=4, cells=1, batch_size=64, flip=0.0, padding=1)
FGSM = replace(SMALL, adversarial=adversarial_training("fgsm", 32))


class Seen(nn.Module):
    """A linear classifier that notes the mode it is called in."""

    def __init__(self, weight):
        super().__init__()
        self.weight, self.modes = nn.Parameter(weight), []

    def forward(self, x):
        self.modes.append(self.training)
        return x.flatten(1) @ self.weight


@pytest.mark.parametrize("name", ["fgsm", "pgd"])
def test_of_a_linear_network_the_attack_finds_the_optimum(name):
    source = generator("linear", name)
    weight = torch.randn(12, 2, generator=source)
    batch = 0.3 + 0.4 * torch.rand(8, 3, 2, 2, generator=source)
    labels = torch.randint(2, (8,), generator=source)
    network = Seen(weight).train()
    # Large steps: from any start the far side is reached.
    training = AdversarialTraining(name, 8, 1 if name == "fgsm" else 4, 16)
    found = attacked(network, batch, labels, training, generator("start"))
    towards = (weight[:, 1] - weight[:, 0]).sign() * (1 - 2 * labels)[:, None]
    expected = batch + 8 / 255 * towards.view_as(batch)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)
    assert network.modes == [False] * training.steps
    assert network.training
    assert network.weight.grad is None
    assert not found.requires_grad


def test_the_attack_stays_in_the_ball_and_the_box_and_depends_on_its_source_alone():
    batch = torch.rand(4, 3, 8, 8, generator=generator("x")).round()
    labels, training = torch.arange(4), adversarial_training("pgd", 8)
    network = Seen(torch.randn(192, 4, generator=generator("w")))
    once, again = (attacked(network, batch, labels, training, generator(7)) for _ in range(2))
    other = attacked(network, batch, labels, adversarial_training("pgd", 8, 1, 1), generator(8))
    assert torch.equal(once, again)
    assert not torch.equal(once, other)
    assert (once - batch).abs().max() <= 8 / 255 + 1e-6
    assert once.min() >= 0
    assert once.max() <= 1
    # A start at the image would have moved by one step only.
    assert len((other - batch).abs().unique()) > 10


def test_an_adversarially_trained_network_is_more_robust_at_equal_epsilon():
    training, test = images.load("digits"), images.load("digits", split="test")
    inputs, labels = test.images(torch.arange(128)), test.labels[:128]
    found = []
    for recipe in (replace(SMALL, epochs=5), replace(FGSM, epochs=5)):
        network, _ = train(QUICK_ONE, recipe, training, 0)
        whole = normalised(network, training.mean, training.std).eval()
        level = evaluate(whole, inputs, labels, make("pgd", steps=8), [32.0]).levels[0]
        found.append(float(level.robust.float().mean()))
        with torch.inference_mode():
            assert (whole(inputs).argmax(1) == labels).float().mean() > 0.7
    assert found[1] > found[0] + 0.15


def test_a_resumed_training_ends_with_the_same_bits_and_a_normal_one_is_as_before():
    training, states = images.load("digits"), []
    training = replace(training, pixels=training.pixels[:200], labels=training.labels[:200])
    whole, history = train(GENOTYPE, FGSM, training, 0, on_epoch=states.append)
    resumed, again = train(GENOTYPE, FGSM, training, 0, state=states[0])
    assert history == again
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name])
    normal, _ = train(GENOTYPE, SMALL, training, 0)
    assert not torch.equal(normal.classifier.weight, whole.classifier.weight)


def test_the_usual_steps_are_the_fields():
    assert adversarial_training("pgd") == AdversarialTraining("pgd", 8, 10, 2)
    assert adversarial_training("fgsm", 8) == AdversarialTraining("fgsm", 8, 1, 10)
    assert adversarial_training("pgd", 4, 7, 2) == AdversarialTraining("pgd", 4, 7, 2)
    assert adversarial_training("fgsm", 255).step_size == 255


def test_a_normal_recipe_has_the_settings_that_it_had():
    assert "adversarial" not in SMALL.settings()
    assert Recipe.from_settings(SMALL.settings()) == SMALL
    assert Recipe.from_settings(json.loads(json.dumps(FGSM.settings()))) == FGSM
    for wrong in ({}, {"attack": "pgd"}, "pgd", [1], True):
        with pytest.raises(InputError, match="an adversarial training has the fields"):
            Recipe.from_settings(SMALL.settings() | {"adversarial": wrong})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"attack": "square"}, "is trained against pgd or fgsm; got 'square'"),
        ({"epsilon": 0}, "epsilon of an adversarial training"),
        ({"epsilon": 256}, "epsilon of an adversarial training"),
        ({"epsilon": float("nan")}, "epsilon of an adversarial training"),
        ({"steps": 0}, "steps of an adversarial training"),
        ({"steps": True}, "steps of an adversarial training"),
        ({"step_size": -1}, "step_size of an adversarial training"),
        ({"attack": "fgsm", "steps": 2}, "FGSM is one step; got 2"),
    ],
)
def test_what_cannot_be_trained_against_is_refused(change, message):
    with pytest.raises(InputError, match=message):
        replace(adversarial_training("pgd"), **change)


QUICK = ["--epochs", "1", "--channels", "2", "--archs", "284", "--workers", "1"]


def invoke(folder, *options, code=0):
    result = CliRunner().invoke(app, [*QUICK, "--out", str(folder), *options])
    assert result.exit_code == code, result.output
    return " ".join(result.output.split())


def test_the_command_trains_adversarially_and_keeps_the_folders_apart(tmp_path):
    options = ("--adversarial", "pgd", "--epsilon", "16/255", "--attack-steps", "2")
    invoke(tmp_path, *options)
    recipe = json.loads((tmp_path / "000284-seed0.json").read_text())["recipe"]
    facts = {"attack": "pgd", "epsilon": 16.0, "steps": 2, "step_size": 4.0}
    assert recipe["adversarial"] == facts
    settings = TrainedSource(tmp_path).settings(str(GENOTYPE), 0)
    assert settings["recipe"]["adversarial"] == facts
    assert "already" in invoke(tmp_path, *options)
    for other in ((), ("--adversarial", "pgd"), ("--preset", "tiny-fgsm")):
        assert "recipe adversarial" in invoke(tmp_path, *other, code=2)


def test_a_preset_is_changed_by_what_is_given(tmp_path):
    assert PRESETS["tiny-fgsm"].adversarial == adversarial_training("fgsm", 32)
    invoke(tmp_path / "a", "--preset", "tiny-fgsm", "--epsilon", "8")
    recipe = json.loads((tmp_path / "a" / "recipe.json").read_text())["recipe"]
    assert recipe["adversarial"]["step_size"] == 10.0
    invoke(tmp_path / "b", "--preset", "tiny-pgd", "--adversarial", "none")
    assert "adversarial" not in json.loads((tmp_path / "b" / "recipe.json").read_text())["recipe"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--epsilon", "8"], "--epsilon is of an adversarial training: add --adversarial"),
        (["--adversarial", "pdg"], "against pgd or fgsm; got 'pdg' (did you mean 'pgd'?)"),
        (["--adversarial", "pgd", "--epsilon", "8/256"], "such as 8 or 8/255; got '8/256'"),
        (["--adversarial", "pgd", "--epsilon", "300"], "to 255 (units of 1/255); got 300.0"),
        (["--adversarial", "fgsm", "--attack-steps", "3"], "FGSM is one step"),
    ],
)
def test_bad_options_are_one_line_of_error(tmp_path, options, message):
    output = invoke(tmp_path / "x", *options, code=2)
    assert message in output
    assert "Traceback" not in output


def test_an_epsilon_of_pixels_gets_a_hint(tmp_path):
    assert "if 8/255 was meant" in invoke(tmp_path, "--adversarial", "fgsm", "--epsilon", "0.0314")
