"""pyproject.toml, requirements.lock and environment.yml describe one installation."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
# `vllm` is for machines with a GPU and brings its own torch
LOCKED_EXTRAS = ["course", "exact", "lora", "tensorboard", "openai", "pettingzoo", "benchmarks", "bench", "dev"]
ENVIRONMENT = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))

DECLARED = [Requirement(text) for text in PROJECT["dependencies"]]
LOCKED_DECLARED = DECLARED + [Requirement(text) for extra in LOCKED_EXTRAS for text in EXTRAS[extra]]


def lock_lines(name: str) -> list[str]:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def locked(name: str = "requirements.lock") -> dict[str, str]:
    return {canonicalize_name(package): version for package, version in (line.split("==") for line in lock_lines(name))}


@pytest.mark.parametrize("requirement", LOCKED_DECLARED, ids=str)
def test_lock_satisfies(requirement):
    version = locked().get(canonicalize_name(requirement.name))
    assert version is not None, (
        f"{requirement.name} is in pyproject.toml but not in the lock: install it and `make lock`"
    )
    assert requirement.specifier.contains(version), f"the lock has {requirement.name} {version}, not {requirement}"


@pytest.mark.parametrize("requirement", DECLARED, ids=str)
def test_spiral_lite_runs_beside_its_peers(requirement):
    assert requirement.specifier.contains(locked("requirements-peers.lock")[canonicalize_name(requirement.name)])


@pytest.mark.parametrize(
    ("name", "target"), [("requirements.lock", "make lock,"), ("requirements-peers.lock", "make lock-peers,")]
)
def test_lock_is_exact_and_of_no_platform(name, target):
    for line in lock_lines(name):
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][0-9A-Za-z.]*", line), f"not a plain `name==version`: {line}"
    assert not [package for package in locked(name) if package.startswith(("nvidia", "cuda", "triton", "spiral-lite"))]
    assert target in (ROOT / name).read_text(encoding="utf-8").splitlines()[0]


def test_versions_that_the_project_was_measured_with():
    assert locked()["torch"] == "2.13.0"
    assert locked()["trl"] == "1.16.0"
    assert PROJECT["requires-python"] == ">=3.11,<3.14"


def test_environment_has_a_python_that_the_project_supports():
    conda = [item for item in ENVIRONMENT["dependencies"] if isinstance(item, str)]
    (version,) = [item.removeprefix("python=") for item in conda if item.startswith("python=")]
    assert SpecifierSet(PROJECT["requires-python"]).contains(version)
    assert set(conda) == {f"python={version}", "pip"}, "everything but Python and pip comes from the lock"


def test_environment_installs_the_lock_and_this_project():
    (pip,) = [item["pip"] for item in ENVIRONMENT["dependencies"] if isinstance(item, dict)]
    assert pip == ["-r requirements.lock", f"-e .[{','.join(LOCKED_EXTRAS)}]"]


@pytest.mark.parametrize(
    "name", ["pyproject.toml", "requirements.lock", "requirements-peers.lock", "environment.yml", "Makefile"]
)
def test_no_host_and_no_absolute_path(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    assert not re.findall(r"\w+://|\b[\w-]+\.(?:com|org|io|net|ai|co)\b", text), f"{name} names a host"
    paths = re.findall(r"(?:^|[\s\"'=@])(/[A-Za-z][\w./-]*)", text, re.M)
    allowed = ("/dev/null", "/lab/tree/")  # the second is an address within JupyterLab
    assert [path for path in paths if not path.startswith(allowed)] == []


def imported_distributions() -> dict[str, set[str]]:
    """Third-party distribution -> files of spiral_lite that import it, also inside functions."""
    distributions, found = packages_distributions(), {}
    for path in sorted((ROOT / "spiral_lite").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module]
            for top in {name.split(".")[0] for name in names} - set(sys.stdlib_module_names) - {"spiral_lite"}:
                found.setdefault(canonicalize_name(distributions.get(top, [top])[0]), set()).add(path.name)
    return found


def test_every_import_is_declared():
    extras = [extra for extra in EXTRAS if extra != "dev"]
    users = [Requirement(text) for extra in extras for text in EXTRAS[extra]]
    declared = {canonicalize_name(requirement.name) for requirement in DECLARED + users}
    missing = {name: files for name, files in imported_distributions().items() if name not in declared}
    assert not missing, f"imported but not declared in pyproject.toml (dependencies or an extra): {missing}"
