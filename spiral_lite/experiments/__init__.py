"""Measured claims, one file each: run with `python -m spiral_lite.experiments.NAME`, results in `data/results/`."""
