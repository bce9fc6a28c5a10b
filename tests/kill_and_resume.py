"""Kills a training run with SIGKILL at random moments, resumes it each time, and holds it against one left alone.

    python tests/kill_and_resume.py --kills 20 --steps 24 --turns 32 --out runs/kills --record

The moments are drawn over the steps of the run, and come in their order: after so many steps and a part of one, or,
where the last checkpoint is as far already, while the process starts. Every third kill waits from there until a
checkpoint is being written, and comes a few milliseconds after its hidden folder has appeared. After each kill every
checkpoint in the run's folder must match its manifest, and at most the steps since the last one are lost. In the end
the weights must be the same bytes, and the metrics (but for seconds) and the logged games the same rows. `--record`
writes data/results/kill_and_resume.json.
"""

import argparse
import json
import os
import platform
import random
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

from spiral_lite import checkpoints

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "data" / "results" / "kill_and_resume.json"
METRICS = "metrics.jsonl"


def command(out, options, resume=False):
    """The command line of the run; the same each time, but for --resume."""
    line = f"train --model nano --games kuhn_poker --steps {options.steps} --turns-per-step {options.turns}"
    line += f" --seed 31 --save-every {options.save_every}"
    return ["-m", "spiral_lite", *line.split(), "--out", str(out), *(["--resume"] if resume else [])]


def start(out, options, resume=False):
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    with open(out.with_suffix(".log"), "a") as log:
        return subprocess.Popen(
            [sys.executable, *command(out, options, resume)], stdout=log, stderr=log, env=environment, cwd=ROOT
        )


def finish(process, out):
    assert process.wait() == 0, f"the run failed; see {out.with_suffix('.log')}"


def changed_since(path, began):
    """Whether a file or folder is there and was written by the process that began then."""
    try:
        return path.stat().st_mtime > began
    except FileNotFoundError:
        return False


def rows(out):
    """The metrics rows by step, without what a clock says."""
    lines = (out / METRICS).read_text().splitlines(keepends=True)
    whole = [json.loads(line) for line in lines if line.endswith("\n")]
    return [{key: value for key, value in row.items() if "second" not in key} for row in whole]


def step_seconds(out):
    """Of the last step that is finished, as the row says it."""
    seconds = [json.loads(line)["seconds"] for line in (out / METRICS).read_text().splitlines()[-2:]]
    return seconds[-1] - seconds[0] if seconds[0] < seconds[-1] else seconds[-1]


def last_step(out):
    """Of the last good checkpoint; 0 before the first."""
    good = checkpoints.good(out)
    return int(good[-1].name.split("-")[1]) if good else 0


def left_alone(out, options):
    """Seconds until its first step began."""
    began = time.time()
    process = start(out, options)
    while not (out / METRICS).exists():
        assert process.poll() is None, f"the run failed; see {out.with_suffix('.log')}"
        time.sleep(0.01)
    ready = time.time()
    finish(process, out)
    return ready - began


def kill(out, options, moment, delay, startup, in_save):
    """Starts or resumes the run and kills it at `moment`, in steps, or `delay` seconds after a save has begun from then
    on; what was there then, or None if the run ended first. startup: seconds until a run's first step begins."""
    resume = (out / "run.json").exists()
    before = last_step(out) if resume else 0
    began = time.time()
    process = start(out, options, resume)
    whole, part = divmod(moment, 1)
    while whole > before and process.poll() is None:
        if changed_since(out / METRICS, began) and len(rows(out)) >= whole:
            break
        time.sleep(0.001)
    if in_save:
        while process.poll() is None and not any(changed_since(p, began) for p in out.glob(f"{checkpoints.ASIDE}/*")):
            time.sleep(0.001)
        time.sleep(delay)
    elif whole > before:
        time.sleep(part * step_seconds(out))
    else:  # while it starts, or at its first step where it starts faster than the run before
        while time.time() < began + part * startup and not changed_since(out / METRICS, began):
            time.sleep(0.001)
    if process.poll() is not None:
        finish(process, out)
        return None
    process.kill()
    process.wait()
    done = len(rows(out)) if changed_since(out / METRICS, began) else before
    whole = checkpoints.good(out)
    return {
        "seconds": round(time.time() - began, 3),
        "aimed_at_a_save": in_save,
        "steps_done": done,
        "last_checkpoint": last_step(out),
        "steps_lost": done - last_step(out),
        "left_of_a_save": sorted(p.name for p in (out / checkpoints.ASIDE).glob("*") if changed_since(p, began)),
        "broken_checkpoints": len(checkpoints.saved(out)) - len(whole),
    }


def compare(one, other):
    """What must be the same, and whether it is."""
    games = [sorted((out / "games").glob("*.jsonl")) for out in (one, other)]
    weights = [(out / "model.safetensors").read_bytes() for out in (one, other)]
    return {
        "weights": weights[0] == weights[1],
        "metrics": rows(one) == rows(other),
        "games": [(f.name, f.read_bytes()) for f in games[0]] == [(f.name, f.read_bytes()) for f in games[1]],
    }


def run(options):
    """Both runs, and all that is known of them."""
    options.out.mkdir(parents=True, exist_ok=True)
    rng = random.Random(options.seed)
    moments = sorted(rng.uniform(0, options.steps) for _ in range(options.kills))
    alone = options.out / "alone"
    startup = left_alone(alone, options)
    kills, killed = [], [options.out / "killed-1"]
    while len(kills) < options.kills:
        delay, in_save = rng.uniform(0, 0.05), len(kills) % 3 == 2
        found = kill(killed[-1], options, moments[len(kills)], delay, startup, in_save)
        if found is None:  # it ended before the moment came: the other kills are of a new run
            killed.append(options.out / f"killed-{len(killed) + 1}")
        else:
            kills.append({"run": len(killed), "moment": round(moments[len(kills)], 3), **found})
            print(kills[-1], flush=True)
    if not (killed[-1] / "model.safetensors").exists():
        finish(start(killed[-1], options, (killed[-1] / "run.json").exists()), killed[-1])
    equal = [compare(alone, out) for out in killed]
    return {
        "command": f"python tests/kill_and_resume.py --kills {options.kills} --steps {options.steps} "
        f"--turns {options.turns} --save-every {options.save_every} --seed {options.seed} --out runs/kills --record",
        "killed": "spiral-lite " + " ".join(command(Path("runs/kills/killed"), options)[2:]),
        "kills": kills,
        "runs": len(killed),
        "equal": {name: all(one[name] for one in equal) for name in equal[0]},
        "most_steps_lost": max(one["steps_lost"] for one in kills),
        "during_a_save": sum(bool(one["left_of_a_save"]) for one in kills),
        "broken_checkpoints": sum(one["broken_checkpoints"] for one in kills),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "versions": {"python": platform.python_version()}
        | {name: metadata.version(name) for name in ("torch", "transformers", "trl", "safetensors")},
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--turns", type=int, default=32, help="a step")
    parser.add_argument("--save-every", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1, help="of the moments")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--record", action="store_true")
    options = parser.parse_args()
    record = run(options)
    if options.record:
        RESULTS.write_text(json.dumps(record, indent=1) + "\n")
    print({name: record[name] for name in ("runs", "equal", "most_steps_lost", "during_a_save", "broken_checkpoints")})
    assert all(record["equal"].values()), "a resumed run differs"
    assert record["most_steps_lost"] <= options.save_every
    assert not record["broken_checkpoints"]


if __name__ == "__main__":
    main()
