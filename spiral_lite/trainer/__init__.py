"""Self-play training: `config.py` (every setting), `collect.py` (from games to the turns of a step), `saving.py`
(checkpoints), `guard.py` (against collapse), `sharding.py` (weights in parts), `callbacks.py` (between steps),
`self_play.py` (the trainer). Read them in this order, after `advantages.py` and `packing.py`."""

from spiral_lite import environment

environment.prepare()  # before torch is imported, and before TRL would report its use

from spiral_lite.checkpoints import last_good as last_checkpoint
from spiral_lite.trainer.callbacks import Every
from spiral_lite.trainer.collect import Sample
from spiral_lite.trainer.config import SelfPlayConfig, lora, nano_config
from spiral_lite.trainer.self_play import SelfPlayTrainer

__all__ = ["Every", "Sample", "SelfPlayConfig", "SelfPlayTrainer", "last_checkpoint", "lora", "nano_config"]
