"""What a training run will take: `trial.py` (a tiny real run) and `sizes.py` (memory by part, advice, refusal)."""

from spiral_lite.estimate.sizes import PROMPT_TOKENS, Estimate, estimate

__all__ = ["PROMPT_TOKENS", "Estimate", "estimate"]
