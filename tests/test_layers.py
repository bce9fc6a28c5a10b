"""Dependencies point downwards only: a table of layers, held against every import statement.

A lazy import (inside a function) and one for type checkers count too: an arrow is an arrow.
"""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "spiral_lite"

BELOW = "every row above this one"  # the table is written lowest layer first

LAYERS = {  # module or folder of spiral_lite: what else of spiral_lite it may import
    "environment": [],  # environment variables and the device
    "checkpoints": [],  # folders that are whole or not there
    "models": ["environment", "checkpoints"],  # loads models and tokenizers
    "games": [],  # rules: no text, no torch
    "dialogue": ["games"],  # text: no torch
    "conformance": ["games", "dialogue"],  # games.check
    "attention": [],  # attention over shared prefixes, registered with transformers
    "packing": ["attention"],  # training over shared prefixes
    "nano": ["environment", "models", "games", "dialogue", "packing"],  # corpus, problems, tokenizer, pretraining
    "players": BELOW,
    "rollout": BELOW,
    "advantages": BELOW,
    "rewards": BELOW,
    "metrics": BELOW,
    "collapse": [],  # reads rows of metrics: no torch
    "estimate": BELOW,  # memory and time of a run, before it starts
    "trainer": BELOW,
    "imitation": BELOW,  # the supervised arm
    "evaluation": BELOW,
    "opponents": BELOW,  # players that need models or OpenSpiel, and all players by name
    "adapters": ["games", "dialogue"],  # other libraries' interfaces, but for OpenSpiel's, which is in evaluation/exact
    "show": BELOW,
    "experiments": BELOW,
    "bench": BELOW,  # measured speeds
    "cli": BELOW,
    "__main__": BELOW,
    "__init__": BELOW,  # the public names, loaded when they are first used
}
EXCEPTIONS = {("games", "conformance")}  # games.check(game) runs the suite, which is written in terms of games
WITHOUT_TORCH = ["games", "dialogue", "conformance"]  # not even lazily

FILES = sorted(PACKAGE.rglob("*.py"))


def layer(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def allowed(name: str) -> list[str]:
    rows = list(LAYERS)
    return rows[: rows.index(name)] if LAYERS[name] is BELOW else LAYERS[name]


def imports(path: Path) -> list[tuple[int, str]]:
    """(line, dotted name) of everything that the file imports; relative names are made absolute."""
    package = ("spiral_lite", *path.relative_to(PACKAGE).parts[:-1])
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) + 1 - node.level]) if node.level else []
            base += node.module.split(".") if node.module else []
            found += [(node.lineno, ".".join([*base, alias.name])) for alias in node.names]
    return found


def layers_imported(path: Path) -> list[tuple[int, str]]:
    """(line, layer) of the file's imports of spiral_lite; a name of the package itself counts as `__init__`."""
    ours = [(line, name.split(".")[1:]) for line, name in imports(path) if name.split(".")[0] == "spiral_lite"]
    modules = {*LAYERS, *map(layer, FILES)}
    return [(line, parts[0] if parts and parts[0] in modules else "__init__") for line, parts in ours]


def test_there_is_something_to_check():
    assert {"games", "dialogue"} <= {layer(path) for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_downwards(path):
    name = layer(path)
    assert name in LAYERS, (
        f"spiral_lite/{path.relative_to(PACKAGE)} is in no layer. Add {name!r} to LAYERS in tests/test_layers.py: "
        "below everything that will import it, above everything it imports."
    )
    wrong = [
        f"line {line} imports {target}"
        for line, target in layers_imported(path)
        if target != name and target not in allowed(name) and (name, target) not in EXCEPTIONS
    ]
    may = ", ".join(allowed(name)) or "nothing of ours"
    assert not wrong, (
        f"{path.relative_to(ROOT)}: {', '.join(wrong)}. {name} may import only: {may}. "
        "Pass the value in as an argument, or move the function to the layer that needs both."
    )


@pytest.mark.parametrize("path", [path for path in FILES if layer(path) in WITHOUT_TORCH], ids=lambda path: path.stem)
def test_rules_and_text_know_no_torch(path):
    heavy = [(line, name) for line, name in imports(path) if name.split(".")[0] in ("torch", "transformers", "trl")]
    assert not heavy, f"{path.relative_to(ROOT)} imports {heavy}; {layer(path)} works on plain Python values"


@pytest.mark.parametrize("module", ["spiral_lite", "spiral_lite.games", "spiral_lite.dialogue"])
def test_import_is_light(module):
    """Asserts what makes it fast; the time itself is no business of a test on a shared machine."""
    program = (
        f"import sys, {module}; print(*(m for m in ('torch', 'transformers', 'trl', 'pyspiel') if m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == [], f"import {module} loads {done.stdout.split()}: import them where they are used"
