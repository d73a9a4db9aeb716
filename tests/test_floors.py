"""Who may import whom: an arrow points down only."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("testbed", "proxies", "evaluation")
ABOVE = ("tests", "benchmarks", "scripts", "notebooks")
# The one module of `evaluation` that turns a proxy into a search objective.
BRIDGE = "evaluation.search.adapters"

# Inside `evaluation`, what each room stands on; the commands stand on all. What attacks are
# called, which needs no torch, may be known in rooms that may not know the attacks.
NAMES = "attacks.names"
TABLE = (NAMES, "attacks.plugins")
INSIDE = {
    "attacks": (),
    "truths": (NAMES,),
    "correlation": (),
    "robustness": ("attacks", "truths"),
    "ranking": ("truths", "correlation"),
    "search": ("attacks", "truths", "correlation", "robustness", "ranking"),
    "report": (NAMES, "truths", "correlation", "ranking", "search"),
}


def above(room):
    """Return the rooms and commands of `evaluation` that a room of it may not import."""
    return tuple(
        f"evaluation.{other}"
        for other in (*INSIDE, "correlate", "former")
        if other != room and other not in INSIDE[room]
    )


def allowed(name, module):
    """Say whether a module may import a part of a room that it may not import as a whole."""
    room = module.removeprefix("evaluation.").partition(".")[0]
    return NAMES in INSIDE.get(room, ()) and any(
        inside(name, f"evaluation.{part}") for part in TABLE
    )


FORBIDDEN = {
    "testbed": ("proxies", "evaluation", *ABOVE),
    "testbed.spaces": ("testbed.store", "testbed.engine", "testbed.train", "testbed.sources"),
    "testbed.networks": ("testbed.store", "testbed.engine", "testbed.train", "testbed.sources"),
    "testbed.images": ("testbed.store", "testbed.engine"),
    "proxies": ("evaluation", *ABOVE),
    "evaluation": ("proxies", *ABOVE),
    **{f"evaluation.{room}": above(room) for room in INSIDE},
}
EXEMPT = {(BRIDGE, "proxies")}


def inside(name, package):
    return name == package or name.startswith(package + ".")


def imports(source, module, is_package):
    """Yield the dotted names that a module may import, wherever in it, as (line, name).

    ``from a import b`` is both ``a`` and ``a.b``, for b may be a module; relative names
    are resolved, and ``import_module("a")`` and ``__import__("a")`` count too.
    """
    package = module.split(".") if is_package else module.split(".")[:-1]
    for node in ast.walk(ast.parse(source)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*base, *([node.module] if node.module else [])])
            names = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Call) and node.args:
            function = node.func.attr if isinstance(node.func, ast.Attribute) else node.func
            function = function.id if isinstance(function, ast.Name) else function
            word = node.args[0].value if isinstance(node.args[0], ast.Constant) else None
            if function in ("import_module", "__import__") and isinstance(word, str):
                names = [word]
        for name in names:
            yield node.lineno, name


def modules(root, room):
    """Yield (path, dotted name, whether it is a package) of every module of a room."""
    for path in sorted((root / room).rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        yield path, ".".join(parts[:-1] if is_package else parts), is_package


def violations(root):
    """Return a line for every import that points up or across."""
    found = []
    for room in ROOMS:
        for path, module, is_package in modules(root, room):
            banned = {
                target
                for package, targets in FORBIDDEN.items()
                if inside(module, package)
                for target in targets
                if (module, target) not in EXEMPT
            }
            seen = {
                (line, target)
                for line, name in imports(path.read_text(encoding="utf-8"), module, is_package)
                for target in banned
                if inside(name, target) and not allowed(name, module)
            }
            found += [f"{module}:{line} imports {target}" for line, target in sorted(seen)]
    return found


def test_no_import_points_up_or_across():
    assert violations(ROOT) == []


def test_every_room_was_looked_at():
    for room in ROOMS:
        found = {module for _, module, _ in modules(ROOT, room)}
        assert room in found
        assert len(found) > 5
    folders = {path.parent.name for path in (ROOT / "evaluation").glob("*/__init__.py")}
    assert folders == {*INSIDE, "former"}
    nasbench201 = {module for _, module, _ in modules(ROOT, "testbed")}
    assert {"testbed.spaces.nasbench201.network", "testbed.images.cifar"} <= nasbench201


def test_imports_of_the_real_modules_are_seen():
    path = ROOT / "testbed" / "spaces" / "weights.py"
    names = {name for _, name in imports(path.read_text(), "testbed.spaces.weights", False)}
    assert {
        "torch",
        "torch.nn",
        "testbed.basis.seeding",
        "testbed.spaces.space",
    } <= names


# What belongs to one space: its truths and archives, and a score that others' code defines for its
# networks alone.
OF_ONE_SPACE = (
    "evaluation.truths", "testbed.check_weights", "testbed.former",
    "proxies.robust.croze_reference",
)  # fmt: skip


def test_a_space_is_known_by_its_record_alone():
    folders = [path.name for path in (ROOT / "testbed" / "spaces").iterdir() if path.is_dir()]
    spaces = [f"testbed.spaces.{name}" for name in folders if not name.startswith("_")]
    assert "testbed.spaces.nasbench201" in spaces
    found = []
    for room in ROOMS:
        for path, module, is_package in modules(ROOT, room):
            if inside(module, "testbed.spaces") or any(inside(module, one) for one in OF_ONE_SPACE):
                continue
            for line, name in imports(path.read_text(encoding="utf-8"), module, is_package):
                found += [f"{module}:{line}" for space in spaces if inside(name, space)]
    assert found == []


@pytest.mark.parametrize(
    ("file", "line", "target"),
    [
        ("testbed/basis/seeding.py", "import proxies.operators", "proxies"),
        ("testbed/basis/seeding.py", "from evaluation import correlation", "evaluation"),
        ("testbed/store/keys.py", "import numpy, proxies as p", "proxies"),
        ("testbed/__init__.py", "from evaluation.search.adapters import f", "evaluation"),
        ("testbed/images/cifar.py", "from testbed import store", "testbed.store"),
        ("testbed/images/cifar.py", "from ..engine import run", "testbed.engine"),
        ("testbed/images/__init__.py", "from ..store import Store", "testbed.store"),
        ("testbed/images/deep/file.py", "from ... import engine", "testbed.engine"),
        ("testbed/spaces/nasbench201/cost.py", "from ... import engine", "testbed.engine"),
        ("testbed/spaces/nasbench201/cost.py", "import testbed.store.keys", "testbed.store"),
        ("proxies/jacobian.py", "def f():\n    import evaluation.correlation", "evaluation"),
        ("proxies/jacobian.py", "if 0:\n    from evaluation import *", "evaluation"),
        (
            "proxies/jacobian.py",
            'import importlib\nimportlib.import_module("evaluation.x")',
            "evaluation",
        ),
        ("proxies/jacobian.py", '__import__("evaluation")', "evaluation"),
        ("evaluation/correlate.py", "from proxies.probe import Probe", "proxies"),
        ("evaluation/search/__init__.py", "import proxies", "proxies"),
        ("evaluation/search/objectives.py", "import proxies", "proxies"),
        ("evaluation/objective.py", "import proxies", "proxies"),
        ("evaluation/search/adapters.py", "import benchmarks.speed", "benchmarks"),
        (
            "evaluation/correlation/tau_b.py",
            "from evaluation.search import space",
            "evaluation.search",
        ),
        (
            "evaluation/ranking/table.py",
            "import evaluation.attacks.judge",
            "evaluation.attacks",
        ),
        ("evaluation/search/live.py", "from evaluation import report", "evaluation.report"),
        (
            "evaluation/truths/targets.py",
            "from evaluation.attacks import ATTACKS",
            "evaluation.attacks",
        ),
        (
            "evaluation/ranking/table.py",
            "from evaluation.attacks.names import ATTACKS",
            "evaluation.attacks",
        ),
        (
            "evaluation/truths/archive.py",
            "from ..ranking.table import f",
            "evaluation.ranking",
        ),
        ("testbed/store/keys.py", "import tests.truth_folder", "tests"),
        ("proxies/jacobian.py", "from scripts import run", "scripts"),
        ("evaluation/correlate.py", "from benchmarks.speed import f", "benchmarks"),
    ],
)
def test_a_violation_is_found(tmp_path, file, line, target):
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.write_text("import torch\n\n" + line + "\n", encoding="utf-8")
    (found,) = violations(tmp_path)
    module = file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    assert found.startswith(f"{module}:")
    assert found.endswith(f" imports {target}")


@pytest.mark.parametrize(
    ("file", "line"),
    [
        (
            "evaluation/search/adapters.py",
            "from proxies.probe import Probe\nimport proxies",
        ),
        ("evaluation/correlate.py", "from testbed.store import Store"),
        ("evaluation/correlate.py", "import proxies_of_others\nfrom .proxies import f"),
        ("evaluation/truths/targets.py", "from evaluation.attacks.names import ATTACKS"),
        ("proxies/compute.py", "from testbed import engine, store"),
        ("proxies/compute.py", "# import evaluation\n'import evaluation'"),
        ("testbed/engine/mapping.py", "from testbed.store import Store"),
        ("testbed/images/cifar.py", "from . import store\nfrom testbed.storefront import x"),
    ],
)
def test_what_is_allowed_is_not_reported(tmp_path, file, line):
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.write_text(line + "\n", encoding="utf-8")
    assert violations(tmp_path) == []
