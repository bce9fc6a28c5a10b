"""spiral_lite: self-play reinforcement learning for language models (SPIRAL, arXiv:2506.24119), small enough to read.

The order to read it in is the order in which data flows: `games`, `dialogue`, `players`, `rollout`, `advantages`,
`trainer`, `evaluation`, `show`. Nothing heavy is imported until it is used.
"""

__version__ = "0.1.0"
