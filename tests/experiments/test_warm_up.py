"""The warm-up learns the corpus, and reads each reply where it belongs."""

import torch

from spiral_lite.experiments.warm_up import rectangle, warm_up


def test_rows_are_padded_as_the_trainer_pads_them():
    ids, mask, columns = rectangle([[5, 6, 7], [5]], [[8], [9, 4]])
    assert ids.tolist() == [[5, 6, 7, 8, 0], [0, 0, 5, 9, 4]]
    assert mask.tolist() == [[1, 1, 1, 1, 0], [0, 0, 1, 1, 1]]
    assert columns == 2


def test_the_loss_falls(nano, capsys):
    model, tokenizer = nano
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0)))
    warm_up(model, tokenizer, steps=6, learning_rate=3e-3)
    losses = [float(line.split('"loss": ')[1].split(",")[0]) for line in capsys.readouterr().out.splitlines()]
    assert len(losses) == 6
    assert losses[-1] < 0.8 * losses[0]
