"""What every test may use. The environment is prepared before anything imports torch."""

import os

from spiral_lite import environment

environment.prepare()
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import pytest  # noqa: E402


@pytest.fixture
def nano():
    """(model, tokenizer) of the shipped base model, loaded anew: a test may train it."""
    from spiral_lite import models

    return models.load("nano", device="cpu")
