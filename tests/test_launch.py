"""Every configuration is one that accelerate reads as it is meant, and every command of the page one that parses."""

import re
import shlex
from pathlib import Path
from types import SimpleNamespace

import pytest
from accelerate.commands.config.config_args import load_config_from_file
from accelerate.commands.launch import _validate_launch_command, launch_command_parser
from accelerate.utils import DeepSpeedPlugin, FullyShardedDataParallelPlugin, patch_environment
from accelerate.utils.launch import prepare_deepspeed_cmd_env, prepare_multi_gpu_env, prepare_simple_launcher_cmd_env
from trl.scripts.vllm_serve import ScriptArguments, build_command

from spiral_lite import cli
from spiral_lite.cli import training
from spiral_lite.trainer import SelfPlayConfig
from spiral_lite.trainer.sharding import kind, refuse_parts

LAUNCH = Path(cli.__file__).parents[1] / "launch"
PAGE = (LAUNCH / "README.md").read_text(encoding="utf-8")
FILES = sorted(LAUNCH.glob("*.yaml"))
CODE = [line for block in re.findall(r"```\n(.*?)```", PAGE, re.S) for line in block.replace("\\\n", " ").splitlines()]
LAUNCHES = [line for line in CODE if "accelerate launch" in line]
ZERO3, ZERO2 = SimpleNamespace(zero_stage=3), SimpleNamespace(zero_stage=2)


def launch_arguments(words):
    """As `accelerate launch` reads them, with the file's values filled in."""
    args, _, _ = _validate_launch_command(launch_command_parser().parse_args(words))
    args.deepspeed_fields_from_accelerate_config = ""
    return args


def arguments(path, *more):
    return launch_arguments(["--config_file", str(path), *more, "program.py"])


def file(name):
    return LAUNCH / f"{name}.yaml"


def test_there_are_files_and_commands():
    assert {path.stem for path in FILES} == {"cpu", "single_gpu", "multi_gpu", "zero2", "zero3", "fsdp2"}
    assert {path.name for path in FILES} == set(re.findall(r"\w+\.yaml", " ".join(LAUNCHES)))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_accelerate_knows_every_key(path):
    config = load_config_from_file(str(path))  # refuses keys that it does not know
    options = vars(launch_command_parser().parse_args(["program.py"]))
    nested = {**config.deepspeed_config, **config.fsdp_config}
    assert set(nested) <= set(options), "a key that accelerate would drop in silence"
    assert arguments(path).num_processes == config.num_processes


def test_two_processes_on_the_cpu_are_two():
    environment = prepare_multi_gpu_env(arguments(file("cpu")))
    assert environment["ACCELERATE_MIXED_PRECISION"] == "no"
    assert arguments(file("cpu")).multi_gpu, "any other way of launching starts one process"


def test_one_gpu_is_one_process():
    _, environment = prepare_simple_launcher_cmd_env(arguments(file("single_gpu")))
    assert "MASTER_ADDR" not in environment
    assert environment["ACCELERATE_MIXED_PRECISION"] == "bf16"


@pytest.mark.parametrize(("name", "stage"), [("zero2", 2), ("zero3", 3)])
def test_deepspeed_s_plugin_is_what_the_file_says(name, stage):
    args = arguments(file(name))
    assert args.use_deepspeed
    command, environment = prepare_deepspeed_cmd_env(args)
    assert command is None, "not by ssh: the command is given on each machine"
    with patch_environment(**environment):
        plugin = DeepSpeedPlugin()
    assert plugin.zero_stage == plugin.deepspeed_config["zero_optimization"]["stage"] == stage
    assert plugin.deepspeed_config["gradient_clipping"] == "auto", "max_grad_norm decides"
    assert plugin.deepspeed_config["gradient_accumulation_steps"] == "auto", "turns_per_step decides"
    assert plugin.zero3_save_16bit_model == (stage == 3)
    assert not plugin.zero3_init_flag


def test_fsdp_s_plugin_is_what_the_file_says():
    args = arguments(file("fsdp2"))
    assert args.use_fsdp
    with patch_environment(**prepare_multi_gpu_env(args)):
        plugin = FullyShardedDataParallelPlugin()
    assert plugin.fsdp_version == 2
    assert plugin.reshard_after_forward is True
    assert plugin.auto_wrap_policy.__name__ == "transformer_auto_wrap_policy"
    assert "FULL" in str(plugin.state_dict_type)


@pytest.mark.parametrize("name", ["multi_gpu", "zero2", "zero3", "fsdp2"])
def test_several_machines_need_no_file_of_their_own(name):
    machines = ["--num_machines", "2", "--machine_rank", "1", "--main_process_ip", "10.0.0.1"]
    more = ["--main_process_port", "29501", "--num_processes", "16"]
    args = arguments(file(name), *machines, *more)
    if args.use_deepspeed:
        prepare_deepspeed_cmd_env(args)
    else:
        prepare_multi_gpu_env(args)
    assert (args.nproc_per_node, args.nnodes, int(args.node_rank)) == ("8", "2", 1)
    assert args.rdzv_endpoint == "10.0.0.1:29501"


@pytest.mark.parametrize("line", LAUNCHES, ids=lambda line: line.split("launch/")[1][:20])
def test_every_command_of_the_page_is_one(line, monkeypatch, tmp_path):
    words = shlex.split(line.partition("accelerate launch ")[2])
    monkeypatch.chdir(LAUNCH.parents[1])
    args = launch_arguments(words)
    assert (args.module, args.training_script) == (True, "spiral_lite")
    options = cli._parser().parse_args(args.training_script_args)
    sizes = {"turns_per_step": options.turns_per_step, "save_every": options.save_every}
    config = SelfPlayConfig(output_dir=str(tmp_path), **sizes, **training._settings(options))
    parts = "FSDP" if args.use_fsdp else "ZeRO-3" if args.use_deepspeed and int(args.zero_stage) == 3 else ""
    if parts == "FSDP":
        monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    if parts == "ZeRO-3":
        config.deepspeed_plugin = ZERO3  # as it is where DeepSpeed is installed
    assert kind(config) == parts
    refuse_parts(config)
    if "Qwen3-4B-Base" in line:
        assert args.num_processes * config.turns_per_step == 128, "SPIRAL's step"
        assert (config.learning_rate, config.max_completion_length, config.num_iterations) == (1e-6, 4096, 2)


def test_the_server_is_started_as_trl_would(tmp_path):
    (line,) = [line for line in CODE if "vllm serve" in line]
    environment, _, command = line.partition(" vllm serve ")
    assert "VLLM_SERVER_DEV_MODE=1" in environment
    ours = shlex.split(command)
    theirs = build_command(ScriptArguments(model=ours[0]))
    for flag in ("--weight-transfer-config", "--logprobs-mode", "--max-logprobs"):
        assert ours[ours.index(flag) + 1] == theirs[theirs.index(flag) + 1]


def settings(**changes):
    facts = {"deepspeed_plugin": None, "fsdp": None, "use_vllm": True, "vllm_mode": "colocate", "pack": True}
    return SimpleNamespace(**(facts | {"vllm_enable_sleep_mode": False, "backend": "engine"} | changes))


def test_whole_weights_may_do_anything():
    for args in (settings(use_vllm=False), settings(use_vllm=False, deepspeed_plugin=ZERO2)):
        assert kind(args) == ""
        refuse_parts(args, pool=True)


@pytest.mark.parametrize(
    ("changes", "pool", "message"),
    [
        ({"deepspeed_plugin": ZERO3, "use_vllm": False}, False, "ZeRO-3 leaves a part of them in each: set use_vllm"),
        ({"fsdp": True, "use_vllm": False, "backend": "transformers"}, False, "backend='transformers' plays with"),
        ({"fsdp": True, "vllm_enable_sleep_mode": True}, False, "each plays another number of rounds"),
        ({"deepspeed_plugin": ZERO3}, False, "set pack=False"),
        ({"fsdp": True}, True, "FSDP has only parts"),
    ],
)
def test_what_parts_cannot_do_is_refused(changes, pool, message):
    with pytest.raises(ValueError, match=message):
        refuse_parts(settings(**changes), pool)


def test_fsdp_is_seen_as_accelerate_announces_it(monkeypatch):
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    with pytest.raises(ValueError, match="FSDP leaves a part"):
        refuse_parts(settings(use_vllm=False))
    refuse_parts(settings())


def test_the_page_claims_nothing_of_several_gpus():
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and "run" in line.lower()]
    ran = [row for row in rows if "| run " in row]
    assert ran
    assert all("on the CPU" in row or row.startswith("| 1 GPU") for row in ran)
    assert len([row for row in rows if "not run" in row]) >= 8
