"""Weights that are computed from others, as the weights that a layer multiplies with.

Weight norm, spectral norm, pruning and other parametrisations keep a direction and a length, an
unscaled weight, or a mask, and make of them what a layer uses. Proxies of weights are defined on
the latter: the two parameters of a weight norm are no two layers, and a weight that is pruned away
is 0.
"""

import torch
from torch import nn
from torch.nn.utils import parametrize, prune
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from testbed.networks.copying import working_copy

__all__ = ["effective_copy", "with_effective_weights"]

FORMER = (WeightNorm, SpectralNorm, prune.BasePruningMethod)  # hooks that set the weight


def effective_copy(module: nn.Module) -> nn.Module:
    """Return a copy of a module in eval mode, with the weights that its layers multiply with.

    Raises:
        NetworkError: if the module cannot be copied.
    """
    return with_effective_weights(working_copy(module).eval())


def with_effective_weights(network: nn.Module) -> nn.Module:
    """Make parameters of what torch's parametrisations compute, in place; return the network.

    Args:
        network: a copy in eval mode, whose function stays the same.
    """
    for module in list(network.modules()):
        if isinstance(module, torch.jit.ScriptModule):  # which has none
            continue
        made = _unparametrised(module) + _unhooked(module)
        # In the order of a layer that never had any, in which vectors are drawn for it.
        rest = [name for name in module._parameters if name not in made]
        for name in rest if made else ():
            module._parameters[name] = module._parameters.pop(name)
    return network


def _unparametrised(module: nn.Module) -> list[str]:
    """Undo the parametrisations of a layer, by hand: torch's function changes the shared class."""
    if not parametrize.is_parametrized(module):
        return []
    listed = dict(module.parametrizations.items())  # type: ignore[operator]
    values = {name: getattr(module, name).detach().clone() for name in listed}
    del module._modules["parametrizations"]
    module.__class__ = type(module).__bases__[0]
    for name, value in values.items():
        parameters = list(listed[name].parameters())
        if parameters:
            required = any(parameter.requires_grad for parameter in parameters)
            module.register_parameter(name, nn.Parameter(value, required))
        else:
            module.register_buffer(name, value)
    return [name for name in values if name in module._parameters]


def _unhooked(module: nn.Module) -> list[str]:
    """Undo the parametrisations by hooks of a layer, as they were written formerly."""
    made = []
    for number, hook in list(module._forward_pre_hooks.items()):
        if isinstance(hook, FORMER):
            name = hook._tensor_name if isinstance(hook, prune.BasePruningMethod) else hook.name
            sources = [p for key, p in module._parameters.items() if key.startswith(f"{name}_")]
            required = any(source is not None and source.requires_grad for source in sources)
            hook.remove(module)
            del module._forward_pre_hooks[number]
            getattr(module, name).requires_grad_(required)
            made.append(name)
    return made
