"""Training follows its recipe to the letter, resumes to the same bits, and is stored whole."""

import math
from dataclasses import asdict, replace

import pytest
import torch
from torch import nn

from testbed import images
from testbed.images import ImageSet
from testbed.images.batch import fingerprint
from testbed.nasbench201 import checkpoint_files
from testbed.nasbench201.augmentation import Augmentation
from testbed.nasbench201.checkpoint_files import (
    CheckpointError,
    fingerprint_of_weights,
    write_json,
    write_tensors,
)
from testbed.nasbench201.checkpoints import (
    Checkpoint,
    checkpoint_path,
    describe_images,
    load_checkpoint,
    save_checkpoint,
    settings_of,
    trained_network,
)
from testbed.nasbench201.genotype import Genotype
from testbed.nasbench201.recipe import PRESETS, Recipe
from testbed.nasbench201.training import DivergedError, TrainingState, accuracy, train
from testbed.nasbench201.unfinished import load_state, save_state
from testbed.nasbench201.weights import random_network
from testbed.normalise import normalised
from testbed.seeding import generator

GENOTYPE = Genotype.from_index(284)
SMALL = Recipe(epochs=3, channels=4, cells=1, batch_size=16, lr=0.05, padding=2)


@pytest.fixture(scope="module")
def coloured() -> ImageSet:
    """Random images; 40 of them, so that the last batch of 16 is smaller."""
    source = generator("coloured")
    pixels = torch.randint(256, (40, 3, 8, 8), generator=source, dtype=torch.uint8)
    labels = torch.randint(5, (40,), generator=source)
    return ImageSet("random", "train", pixels, 255, labels, 5, (0.5, 0.4, 0.3), (0.2, 0.3, 0.25))


@pytest.fixture(scope="module")
def trained(coloured):
    states = []
    network, history = train(GENOTYPE, SMALL, coloured, 0, on_epoch=states.append)
    return network, history, states


def test_the_paper_preset_is_the_published_recipe():
    assert asdict(PRESETS["paper"]) == {
        "epochs": 200, "channels": 16, "cells": 5, "batch_size": 256, "lr": 0.1, "momentum": 0.9,
        "nesterov": True, "weight_decay": 5e-4, "flip": 0.5, "padding": 4,
    }  # fmt: skip


def test_the_learning_rate_is_a_cosine_to_zero():
    recipe = Recipe(epochs=200)
    assert recipe.learning_rate(0) == 0.1
    assert recipe.learning_rate(50) == pytest.approx(0.05 * (1 + math.sqrt(0.5)))
    assert recipe.learning_rate(100) == pytest.approx(0.05)
    assert recipe.learning_rate(200) == pytest.approx(0, abs=1e-17)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0), ("channels", 0), ("cells", 0), ("batch_size", 0), ("lr", 0.0),
        ("lr", math.inf), ("lr", math.nan), ("momentum", 1.0), ("momentum", 0.0),
        ("weight_decay", -1e-4), ("flip", 1.1), ("padding", -1),
    ],
)  # fmt: skip
def test_a_senseless_recipe_is_refused(name, value):
    with pytest.raises(ValueError, match=f"{name} of a recipe is"):
        replace(Recipe(), **{name: value})


def one_by_one(pixels, drawn):
    """Return the augmented images, made in the order of the paper: flip, pad, crop."""
    height, width = pixels.shape[-2:]
    result = []
    for image, flipped, (top, left) in zip(
        pixels, drawn.flipped, drawn.shift.tolist(), strict=True
    ):
        image = image.flip(-1) if flipped else image
        image = nn.functional.pad(image, [drawn.padding] * 4)
        result.append(image[:, top : top + height, left : left + width])
    return torch.stack(result)


@pytest.mark.parametrize("padding", [0, 1, 4])
def test_augmentation_is_flip_then_pad_then_crop(padding):
    pixels = torch.arange(30 * 3 * 4 * 8).reshape(30, 3, 4, 8)
    drawn = Augmentation.draw(30, 0.5, padding, generator("augmentation", padding))
    assert 0 < drawn.flipped.sum() < 30
    assert set(drawn.shift.flatten().tolist()) == set(range(2 * padding + 1))
    order = torch.randperm(30, generator=generator("order"))[:20]
    found = drawn.apply(pixels, order)
    assert torch.equal(found, one_by_one(pixels, drawn)[order])
    assert found.is_contiguous(memory_format=torch.channels_last)


def test_flips_have_the_probability_asked_for():
    for flip, low, high in ((0.0, 0, 0), (1.0, 4000, 4000), (0.25, 900, 1100)):
        drawn = Augmentation.draw(4000, flip, 1, generator("flips", flip))
        assert low <= drawn.flipped.sum() <= high


def by_hand(recipe, image_set, seed):
    """Return the state dict that SGD with Nesterov momentum gives, written out step by step."""
    network = random_network(
        GENOTYPE, seed, channels=recipe.channels, cells=recipe.cells, classes=image_set.classes,
        in_channels=image_set.shape[0],
    )  # fmt: skip
    mean, std = (torch.tensor(v)[:, None, None] for v in (image_set.mean, image_set.std))
    velocity = {}
    for epoch in range(recipe.epochs):
        lr = recipe.lr * (1 + math.cos(math.pi * epoch / recipe.epochs)) / 2
        source = generator("train", GENOTYPE, seed, epoch)
        order = torch.randperm(len(image_set), generator=source)
        drawn = Augmentation.draw(len(image_set), recipe.flip, recipe.padding, source)
        pixels = one_by_one(image_set.pixels, drawn)
        for batch in order.split(recipe.batch_size):
            logits = network((pixels[batch] / image_set.levels - mean) / std)
            loss = nn.functional.cross_entropy(logits, image_set.labels[batch])
            named = dict(network.named_parameters())
            gradients = torch.autograd.grad(loss, list(named.values()), allow_unused=True)
            for (name, parameter), gradient in zip(named.items(), gradients, strict=True):
                if gradient is None:
                    continue
                gradient = gradient + recipe.weight_decay * parameter.detach()
                velocity[name] = recipe.momentum * velocity.get(name, 0) + gradient
                step = gradient + recipe.momentum * velocity[name]
                parameter.data -= lr * (step if recipe.nesterov else velocity[name])
    return network.state_dict()


@pytest.mark.parametrize("nesterov", [True, False])
def test_training_is_sgd_as_written_out_by_hand(coloured, nesterov):
    # Few small steps: two ways to round are soon far apart, two ways to step at once.
    recipe = replace(SMALL, epochs=2, lr=0.01, weight_decay=0.1, nesterov=nesterov)
    network, _ = train(GENOTYPE, recipe, coloured, 3)
    wanted = by_hand(recipe, coloured, 3)
    found = network.state_dict()
    assert list(found) == list(wanted)
    for name in wanted:
        torch.testing.assert_close(found[name], wanted[name], rtol=1e-4, atol=1e-5)
    other, _ = train(GENOTYPE, replace(recipe, nesterov=not nesterov), coloured, 3)
    gap = (other.state_dict()["stem.0.weight"] - wanted["stem.0.weight"]).abs().max()
    assert gap > 1e-3


def test_history_and_callbacks_tell_what_was_done(coloured, trained):
    network, history, states = trained
    assert not network.training
    assert [len(state.history) for state in states] == [1, 2, 3]
    assert states[-1].history == history
    assert fingerprint_of_weights(states[-1].weights) == fingerprint_of_weights(
        network.state_dict()
    )
    assert fingerprint_of_weights(states[0].weights) != fingerprint_of_weights(states[1].weights)
    beats = []
    train(GENOTYPE, replace(SMALL, epochs=1), coloured, 0, on_batch=beats.append)
    assert beats == [0.4, 0.8, 1.0]


def test_the_loss_of_the_history_is_a_mean_over_images(coloured):
    # A step too small to change anything: the loss is that of the initial network.
    recipe = replace(SMALL, epochs=1, lr=1e-30, flip=0.0, padding=0, batch_size=40)
    _, (epoch,) = train(GENOTYPE, recipe, coloured, 0)
    network = random_network(GENOTYPE, 0, channels=4, cells=1, classes=5)
    logits = normalised(network, coloured.mean, coloured.std)(coloured.images())
    loss = nn.functional.cross_entropy(logits, coloured.labels)
    assert epoch.loss == pytest.approx(loss.item(), rel=1e-5)
    assert epoch.accuracy == pytest.approx(float((logits.argmax(1) == coloured.labels).sum()) / 40)
    # A mean of batch means would weigh the images of the smaller, last batch double.
    _, (parts,) = train(GENOTYPE, replace(recipe, batch_size=32), coloured, 0)
    order = torch.randperm(40, generator=generator("train", GENOTYPE, 0, 0))
    model = normalised(network, coloured.mean, coloured.std)
    total = sum(
        nn.functional.cross_entropy(model(coloured.images(b)), coloured.labels[b], reduction="sum")
        for b in order.split(32)
    )
    assert parts.loss == pytest.approx(total.item() / 40, rel=1e-5)


@pytest.mark.parametrize("done", [1, 2, 3])
def test_a_resumed_training_has_the_same_bits(tmp_path, coloured, trained, done):
    network, history, states = trained
    path = tmp_path / "x.unfinished"
    save_state(path, states[done - 1], {"plan": 1}, 2.5)
    state, seconds = load_state(path, {"plan": 1})
    assert seconds == 2.5
    again, resumed = train(GENOTYPE, SMALL, coloured, 0, state=state)
    assert resumed == history
    for name, tensor in network.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor), name


def test_without_its_momentum_a_resumed_training_differs(coloured, trained):
    network, _, states = trained
    bare = TrainingState(states[0].weights, {}, states[0].history)
    again, _ = train(GENOTYPE, SMALL, coloured, 0, state=bare)
    assert fingerprint_of_weights(again.state_dict()) != fingerprint_of_weights(
        network.state_dict()
    )


def test_a_state_of_another_training_is_refused(tmp_path, trained):
    path = tmp_path / "x.unfinished"
    save_state(path, trained[2][0], {"lr": 0.1}, 1.0)
    with pytest.raises(CheckpointError, match="another training"):
        load_state(path, {"lr": 0.2})
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(CheckpointError, match=r"x\.unfinished"):
        load_state(path, {"lr": 0.1})
    assert load_state(tmp_path / "none", {}) == (None, 0.0)


def test_weights_depend_on_genotype_and_seed_alone(coloured, trained):
    before = torch.get_rng_state()
    torch.manual_seed(12345)
    moved = torch.get_rng_state()
    again, _ = train(GENOTYPE, SMALL, coloured, 0)
    assert torch.equal(torch.get_rng_state(), moved)
    torch.set_rng_state(before)
    marks = {fingerprint_of_weights(n.state_dict()) for n in (again, trained[0])}
    assert len(marks) == 1
    other, _ = train(GENOTYPE, SMALL, coloured, 1)
    assert fingerprint_of_weights(other.state_dict()) not in marks


def test_a_diverging_training_says_so(coloured):
    with pytest.raises(DivergedError, match=r"epoch 1 of 3 .* smaller learning rate than 1e\+30"):
        train(GENOTYPE, replace(SMALL, lr=1e30), coloured, 0)


def test_a_cell_without_a_path_trains_its_classifier(coloured):
    dead = Genotype(("none",) * 6)
    states = []
    network, history = train(dead, SMALL, coloured, 0, on_epoch=states.append)
    assert all(math.isfinite(epoch.loss) for epoch in history)
    again, _ = train(dead, SMALL, coloured, 0, state=states[0])
    assert torch.equal(again.classifier.bias, network.classifier.bias)


def test_accuracy_is_the_share_of_right_images_in_eval_mode(coloured):
    class Constant(nn.Module):
        def forward(self, images):
            assert not self.training
            return torch.nn.functional.one_hot(torch.full((len(images),), 2), 5).float()

    network = Constant().train()
    assert accuracy(network, coloured, batch_size=7) == int((coloured.labels == 2).sum()) / 40
    assert network.training


def test_the_tiny_preset_learns_the_digits():
    train_images, test_images = images.load("digits"), images.load("digits", split="test")
    network, _ = train(GENOTYPE, replace(PRESETS["tiny"], epochs=5), train_images, 0)
    whole = normalised(network, train_images.mean, train_images.std)
    assert accuracy(whole, test_images) > 0.9


@pytest.fixture
def folder(tmp_path, coloured, trained):
    network, history, _ = trained
    checkpoint = Checkpoint(
        str(GENOTYPE), 0, SMALL, describe_images(coloured), 5, 3, coloured.mean, coloured.std,
        tuple(asdict(epoch) for epoch in history),
        {**describe_images(coloured), "accuracy": 0.5},
        fingerprint_of_weights(network.state_dict()), {"torch_version": "x", "seconds": 1.0},
    )  # fmt: skip
    save_checkpoint(tmp_path, checkpoint, network.state_dict())
    return tmp_path


def test_a_checkpoint_comes_back_bit_by_bit(folder, coloured, trained):
    assert {p.name for p in folder.iterdir()} == {
        "000284-seed0.safetensors", "000284-seed0.json",
    }  # fmt: skip
    before = torch.get_rng_state()
    network = trained_network(folder, GENOTYPE, 0)
    assert torch.equal(torch.get_rng_state(), before)
    wanted = normalised(trained[0], coloured.mean, coloured.std)(coloured.images())
    assert torch.equal(network(coloured.images()), wanted)
    assert not any(module.training for module in network.modules())
    weights, checkpoint = load_checkpoint(folder, GENOTYPE, 0)
    assert {name: t.dtype for name, t in weights.items()} == {
        name: t.dtype for name, t in trained[0].state_dict().items()
    }
    assert checkpoint.recipe == SMALL
    assert checkpoint.mean == coloured.mean
    assert checkpoint.history == tuple(asdict(epoch) for epoch in trained[1])
    assert checkpoint.images == {
        "name": "random", "split": "train", "count": 40,
        "fingerprint": fingerprint(coloured.pixels, coloured.labels, 255),
    }  # fmt: skip
    assert settings_of(folder, GENOTYPE, 0)["recipe"] == asdict(SMALL)


def test_the_settings_are_read_without_the_weights(folder):
    checkpoint_path(folder, GENOTYPE, 0).unlink()
    assert settings_of(folder, GENOTYPE, 0)["seed"] == 0
    with pytest.raises(CheckpointError, match="cannot read weights"):
        load_checkpoint(folder, GENOTYPE, 0)


def test_a_missing_network_says_how_to_train_it(folder):
    with pytest.raises(CheckpointError, match=r"python -m testbed\.train --archs 11 --seeds 2"):
        trained_network(folder, Genotype.from_index(11), 2)


def test_a_renamed_network_is_refused(folder):
    for suffix in (".safetensors", ".json"):
        (folder / f"000284-seed0{suffix}").rename(folder / f"000284-seed1{suffix}")
    with pytest.raises(CheckpointError, match="is of seed 0; expected 1"):
        trained_network(folder, GENOTYPE, 1)
    for suffix in (".safetensors", ".json"):
        (folder / f"000284-seed1{suffix}").rename(folder / f"000011-seed0{suffix}")
    with pytest.raises(CheckpointError, match="is of genotype"):
        settings_of(folder, Genotype.from_index(11), 0)


def test_changed_weights_are_refused(folder):
    path = checkpoint_path(folder, GENOTYPE, 0)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="were changed or replaced"):
        trained_network(folder, GENOTYPE, 0)
    path.write_bytes(content[:50])
    with pytest.raises(CheckpointError, match="cannot read weights from"):
        trained_network(folder, GENOTYPE, 0)


def test_weights_load_strictly(folder):
    weights, checkpoint = load_checkpoint(folder, GENOTYPE, 0)
    save_checkpoint(folder, replace(checkpoint, classes=6), weights)
    with pytest.raises(CheckpointError, match="do not fit"):
        trained_network(folder, GENOTYPE, 0)
    extra = weights | {"more": torch.zeros(1)}
    mark = fingerprint_of_weights(extra)
    save_checkpoint(folder, replace(checkpoint, weights_fingerprint=mark), extra)
    with pytest.raises(CheckpointError, match="do not fit"):
        trained_network(folder, GENOTYPE, 0)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"genotype": 1}', None])
def test_damaged_settings_are_refused(folder, text):
    path = checkpoint_path(folder, GENOTYPE, 0).with_suffix(".json")
    settings = settings_of(folder, GENOTYPE, 0)
    del settings["recipe"]["lr"]
    write_json(path, settings) if text is None else path.write_text(text)
    with pytest.raises(CheckpointError, match=r"000284-seed0\.json"):
        load_checkpoint(folder, GENOTYPE, 0)


def test_the_fingerprint_counts_every_bit_but_not_the_order():
    weights = {"a": torch.tensor([0.0, 1.0]), "b": torch.tensor(3)}
    mark = fingerprint_of_weights(weights)
    assert len(mark) == 16
    assert fingerprint_of_weights(dict(reversed(weights.items()))) == mark
    layout = {"x": torch.rand(2, 3, 4, 4)}
    last = {"x": layout["x"].to(memory_format=torch.channels_last)}
    assert fingerprint_of_weights(layout) == fingerprint_of_weights(last)
    for other in (
        {"a": torch.tensor([-0.0, 1.0]), "b": torch.tensor(3)},
        {"a": torch.tensor([[0.0, 1.0]]), "b": torch.tensor(3)},
        {"a": torch.tensor([0.0, 1.0]), "c": torch.tensor(3)},
        {"a": torch.tensor([0.0, 1.0]), "b": torch.tensor(3, dtype=torch.int32)},
    ):
        assert fingerprint_of_weights(other) != mark


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "x.safetensors"
    write_tensors(path, {"a": torch.zeros(2)})
    before = path.read_bytes()

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(checkpoint_files.os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        write_tensors(path, {"a": torch.ones(2)})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
