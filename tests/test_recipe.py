"""The recipe for Qwen3: every command of the page is one, with settings that our configurations take."""

import re
import shlex
from pathlib import Path

import pytest
from accelerate.commands.launch import launch_command_parser

from spiral_lite import cli
from spiral_lite.cli import training
from spiral_lite.evaluation.benchmarks import BENCHMARKS
from spiral_lite.trainer import SelfPlayConfig

FOLDER = Path(cli.__file__).parents[1]
PAGE = (FOLDER / "experiments/README.md").read_text(encoding="utf-8")
CODE = [
    line.strip()
    for block in re.findall(r"```\n(.*?)```", PAGE, re.S)
    for line in block.replace("\\\n", " ").splitlines()
    if not line.startswith("#")
]
LAUNCHES = [line for line in CODE if line.startswith("accelerate launch")]
SOLVES = [line for line in CODE if "spiral-lite solve" in line]


def test_there_are_commands_for_every_arm_and_benchmark():
    assert len(LAUNCHES) == 6
    assert len(SOLVES) == 5
    (loop,) = [line for line in CODE if line.startswith("for name in")]
    assert loop.removeprefix("for name in ").removesuffix("; do").split() == list(BENCHMARKS)


@pytest.mark.parametrize("line", LAUNCHES, ids=lambda line: line.split("--out ")[1].split()[0])
def test_every_training_command_is_one(line, tmp_path, monkeypatch):
    monkeypatch.chdir(FOLDER.parent)
    launch = launch_command_parser().parse_args(shlex.split(line)[2:])
    assert launch.training_script == "spiral_lite"
    assert Path(launch.config_file).exists()
    options = cli._parser().parse_args(launch.training_script_args)
    if launch.training_script_args[0] == "train":
        sizes = {"turns_per_step": options.turns_per_step, "save_every": options.save_every}
        config = SelfPlayConfig(output_dir=str(tmp_path), **sizes, **training._settings(options))
        assert config.num_iterations == 2, "SPIRAL's own settings"


@pytest.mark.parametrize("line", SOLVES)
def test_every_question_command_is_one(line):
    words = shlex.split(line.replace("$name", "minerva").partition(" > ")[0])
    options = cli._parser().parse_args(words[words.index("solve") :])
    assert options.samples == 4
