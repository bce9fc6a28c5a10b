"""Measured speeds: `spiral-lite bench rollout|train|games`, us and our peers on the same work, in turn.

`options.py` is the command; it calls one measurement (`rollout.py`, `decode.py`, `scaling.py`, `contention.py`,
`train.py`, `games.py`), whose functions run in processes of their own (`worker.py`, led by `crew.py`), so that a peer
may live in another virtual environment. `report.py` makes medians and ratios of what they return and keeps them in
`data/results/performance.json`. `machine.py` says what the machine can do, `backends.py` holds the peers that generate.
"""
