"""Measured claims, with results in `data/results/`. `spiral-lite experiment NAME` runs those of `arms.py`;
`python -m spiral_lite.experiments.NAME` runs self_play, ladder, random_games and warm_up, one file each."""
