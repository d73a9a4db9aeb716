"""A working copy of any module, where ``copy.deepcopy`` is slow or gives up.

The tree of modules is copied by hand, in the manner of ``deepcopy`` and with its memo, so that
whatever refers to a part of the network refers to the part of the copy. That is some five times
faster, and what stops ``deepcopy`` does no harm: a cached tensor of a graph (of old-style weight
and spectral norm, or kept by a hook) is copied without its graph, and an object that cannot be
copied at all (a lock, a file, a generator) is shared with the original.
"""

import copy
import types
from collections import OrderedDict, defaultdict
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedTensorMixin  # type: ignore[attr-defined]
from torch.overrides import TorchFunctionMode

from testbed.networks.errors import NetworkError
from testbed.networks.memory import not_of_memory

__all__ = ["forget_caches", "unwrapped", "working_copy"]

Memo = dict[Any, Any]

SAME = {
    type(None), bool, int, float, complex, str, bytes, type, range, torch.dtype, torch.device,
    torch.Size, torch.memory_format, types.BuiltinFunctionType, types.ModuleType,
}  # fmt: skip
DICTS = {dict, OrderedDict, defaultdict}
PLAIN = {*DICTS, list, tuple, set}


def unwrapped(module: nn.Module) -> nn.Module:
    """Return the network inside ``DataParallel``, ``DistributedDataParallel`` or ``compile``.

    Raises:
        NetworkError: if the argument is no module, or has parameters that no batch has shaped yet.
    """
    while isinstance(module, nn.Module):
        if isinstance(module, nn.DataParallel | nn.parallel.DistributedDataParallel):
            module = module.module
        elif "_orig_mod" in module._modules:
            module = module._modules["_orig_mod"]  # type: ignore[assignment]
        else:
            break
    if not isinstance(module, nn.Module):
        raise NetworkError(
            f"the network is {type(module).__name__}; expected a torch.nn.Module from images "
            "(B, C, H, W) in [0, 1] to logits (B, K): put a function into a module's forward"
        )
    for name, value in [*module.named_parameters(), *module.named_buffers()]:
        if isinstance(value, UninitializedTensorMixin) or value.is_meta:
            raise NetworkError(
                f"{name} has no values yet: run a batch through a lazy module, or load the "
                "weights of one on the meta device, before it is scored"
            )
    return module


def working_copy(module: nn.Module) -> nn.Module:
    """Return an independent copy of a network, unwrapped; see the module's docstring.

    Raises:
        NetworkError: if it cannot be copied, with advice.
    """
    module = unwrapped(module)
    try:
        with torch.no_grad():  # the copies of a scripted module's parameters are no results
            return forget_caches(_copied(module, {}))
    except Exception as error:  # whatever a class's own way of being copied may raise
        raise NetworkError(
            f"{type(module).__name__} cannot be copied ({type(error).__name__}: {error}), and a "
            "score must leave it as it was: give a module that copy.deepcopy copies, for instance "
            "a new one with load_state_dict"
        ) from error


def forget_caches(network: nn.Module) -> nn.Module:
    """Make a network drop what it caches of its parameters in eval mode, and return it.

    LeViT's attention, for instance, keeps its biases until it is put into train mode. In a
    copy they would be constants, and after a change of the parameters they would be outdated.
    """
    modes = {module: module.training for module in network.modules()}
    network.train()
    for module, mode in modes.items():
        module.training = mode
    return network


class _DetachedCopies(TorchFunctionMode):
    """Lets ``deepcopy`` copy tensors that belong to a graph, without the graph."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is Tensor.__deepcopy__ and not args[0].is_leaf:
            tensor, memo = args
            return memo.setdefault(id(tensor), tensor.detach().clone())
        return func(*args, **(kwargs or {}))


def _copied(value: Any, memo: Memo) -> Any:
    kind = type(value)
    if kind in SAME:
        return value
    if id(value) in memo:
        return memo[id(value)]
    if kind in PLAIN:
        return _copied_container(value, kind, memo)
    if isinstance(value, Tensor):
        return _copied_tensor(value, memo)
    if isinstance(value, nn.Module) and not _copies_itself(kind):
        return _copied_module(value, memo)
    if isinstance(value, types.MethodType):
        return types.MethodType(value.__func__, _copied(value.__self__, memo))
    if isinstance(value, types.FunctionType):
        return _copied_function(value, memo)
    return _deep_copied(value, memo)


def _copies_itself(kind: type) -> bool:
    return any(
        getattr(kind, name, None) is not getattr(nn.Module, name, None)
        for name in ("__deepcopy__", "__reduce__", "__reduce_ex__", "__getstate__")
    )


def _copied_module(module: nn.Module, memo: Memo) -> nn.Module:
    made = memo[id(module)] = type(module).__new__(type(module))
    made.__setstate__({name: _copied(value, memo) for name, value in module.__dict__.items()})
    return made


def _copied_tensor(tensor: Tensor, memo: Memo) -> Tensor:
    kind = type(tensor)
    if kind not in (Tensor, nn.Parameter) or tensor.layout != torch.strided or tensor.is_conj():
        with _DetachedCopies():
            return memo.setdefault(id(tensor), copy.deepcopy(tensor, memo))
    # The storage is copied once and kept where ``deepcopy`` looks for it, so that tensors that
    # share theirs go on to do so.
    storages, storage = memo.setdefault("torch", {}), tensor.untyped_storage()
    if storage._cdata not in storages:
        storages[storage._cdata] = storage.clone()
    made = torch.empty(0, dtype=tensor.dtype, device=tensor.device)
    made.set_(storages[storage._cdata], tensor.storage_offset(), tensor.shape, tensor.stride())
    needs = tensor.requires_grad and tensor.is_leaf
    made = nn.Parameter(made, needs) if kind is nn.Parameter else made.requires_grad_(needs)
    vars(made).update(vars(tensor))
    return memo.setdefault(id(tensor), made)


def _copied_container(value: Any, kind: type, memo: Memo) -> Any:
    if kind is tuple:
        items = tuple([_copied(item, memo) for item in value])
        same = all(a is b for a, b in zip(items, value, strict=True))
        return memo.setdefault(id(value), value if same else items)
    made: Any = defaultdict(value.default_factory) if kind is defaultdict else kind()
    memo[id(value)] = made
    if kind in DICTS:
        for key, item in value.items():
            made[_copied(key, memo)] = _copied(item, memo)
    elif kind is list:
        made.extend([_copied(item, memo) for item in value])
    else:
        made.update([_copied(item, memo) for item in value])
    return made


def _copied_function(function: types.FunctionType, memo: Memo) -> types.FunctionType:
    """Return the function; a new one if it closes over a part of the network, which it would call.

    A ``forward`` or a hook that was put on a module from outside usually does.
    """
    cells = function.__closure__ or ()
    if not any(_is_of_network(cell) for cell in cells):
        return function
    closure = tuple(
        types.CellType(_copied(cell.cell_contents, memo)) if _is_of_network(cell) else cell
        for cell in cells
    )
    made = types.FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__, closure
    )
    made.__kwdefaults__ = function.__kwdefaults__
    return memo.setdefault(id(function), made)


def _is_of_network(cell: types.CellType) -> bool:
    try:
        value = cell.cell_contents
    except ValueError:  # an empty cell
        return False
    return isinstance(getattr(value, "__self__", value), nn.Module)


def _deep_copied(value: Any, memo: Memo) -> Any:
    trial = dict(memo)  # a copy that fails half-way leaves its own half behind
    try:
        with _DetachedCopies():
            made = copy.deepcopy(value, trial)
        memo.update(trial)
    except Exception as error:
        not_of_memory(error)
        if isinstance(value, nn.Module):
            raise
        made = value
    return memo.setdefault(id(value), made)
