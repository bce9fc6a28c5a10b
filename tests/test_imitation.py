"""Imitation: experts play what is best and say why truly; the model reads and learns the very tokens of self-play."""

import json
import random
import re
from collections import Counter

import pytest
import torch
from datasets import Dataset

from spiral_lite import checkpoints, dialogue, games, models, players
from spiral_lite.cli import main
from spiral_lite.games.tic_tac_toe import LINES, MARKS
from spiral_lite.imitation import (
    EXPERTS,
    NOT_LEARNT,
    _steps,
    dataset,
    expert,
    expert_games,
    imitate,
    nano_imitation_config,
    save,
)
from spiral_lite.metrics import read_metrics
from spiral_lite.nano.problems import pattern_of
from spiral_lite.players import LanguageModel, Prompt, Sampling
from spiral_lite.rollout import Episode, Turn, backends, play

KUHN, TIC_TAC_TOE = games.make("kuhn_poker"), games.make("tic_tac_toe")


def turns_against_random(name, n=60):
    """(state, the expert's reply) along games of the expert against a random player, in both seats."""
    game = games.make(name)
    seats = [(expert(game), players.make("random")), (players.make("random"), expert(game))]
    found = []
    for episode in play(game, seats, n, seed=7):
        state, plies = game.initial_state(), iter(episode.turns)
        for action in episode.history:
            if state.player in (0, 1):
                turn = next(plies)
                if turn.player.startswith("expert"):
                    found.append((state, turn.reply))
            state = state.apply(action)
    return found


@pytest.mark.parametrize("name", EXPERTS)
def test_replies_are_careful_and_legal(name):
    found = turns_against_random(name)
    assert all(dialogue.parse(reply, state) in state.legal_actions() or "Offer" in reply for state, reply in found)
    assert not any(isinstance(dialogue.parse(reply, state), games.Invalid) for state, reply in found)
    patterns = Counter(pattern_of(reply) for _, reply in found)
    assert set(patterns) == {"case_by_case", "expected_value", "pattern_recognition"}
    assert min(patterns.values()) > len(found) / 5


def test_moves_of_tic_tac_toe_are_perfect():
    for state, reply in turns_against_random("tic_tac_toe"):
        assert dialogue.parse(reply, state) in players.best_tic_tac_toe(state), reply


def test_moves_of_nim_are_perfect():
    for state, reply in turns_against_random("nim"):
        piles = state.apply(dialogue.parse(reply, state)).piles
        won = [a for a in state.legal_actions() if not xor(state.apply(a).piles)]
        assert not won or not xor(piles), reply


def xor(piles):
    total = 0
    for pile in piles:
        total ^= pile
    return total


def test_moves_of_kuhn_poker_are_the_equilibrium_s():
    player, rng = expert(KUHN), random.Random(1)
    for history, card in ((["Q", "K"], "Q"), (["J", "Q"], "J"), (["K", "Q", "[check]", "[bet]"], "K")):
        state = KUHN.replay(history)
        prompts = [Prompt(state, "", rng.getrandbits(48)) for _ in range(2000)]
        moves = [dialogue.parse(reply.text, state) for reply in player.reply(prompts)]
        share = sum(move in ("[bet]", "[call]") for move in moves) / len(moves)
        wanted = players.equilibrium_bet(state.betting, card, 0.2)
        assert share == pytest.approx(wanted, abs=0.04)  # four standard errors at most


def test_reasons_of_tic_tac_toe_are_true_and_lead_to_the_move():
    seen = Counter()
    for state, reply in turns_against_random("tic_tac_toe", 120):
        (chosen,) = (int(text) for text in re.findall(r"\[(\d)\]", reply))
        me, other = MARKS[state.player], MARKS[1 - state.player]
        wins, blocks = completing(state.board, me), completing(state.board, other)
        seen[pattern_of(reply), bool(wins), bool(blocks)] += 1
        assert chosen in (wins or blocks or range(9)), "the reasoning looks one move ahead"
        if said := re.search(r"I win with ([\d ]+|none)", reply):
            assert numbers(said[1]) == wins
        if said := re.search(r"They win with ([\d ]+|none)", reply):
            assert numbers(said[1]) == blocks
        if said := re.search(r"Line (\d) (\d) (\d) is (mine|theirs)", reply):
            line = [int(cell) for cell in said.groups()[:3]]
            mark = me if said[4] == "mine" else other
            assert sorted(state.board[cell] for cell in line) == sorted([mark, mark, state.board[chosen]])
        if "Expected value" in reply:
            rated = {int(cell): int(worth) for cell, worth in re.findall(r"(\d) is (\d)", reply)}
            assert max(rated, key=rated.get) == chosen, "the first of the best ones"
    assert len(seen) >= 9, "wins, threats and neither, in every pattern"


def completing(board, mark):
    """By brute force: the free cells that make a line of this mark."""
    free = [cell for cell in range(9) if board[cell] not in MARKS]
    return [
        cell
        for cell in free
        if any(cell in line and all(board[c] == mark for c in line if c != cell) for line in LINES)
    ]


def numbers(text):
    return [int(number) for number in text.split() if number != "none"]


@pytest.mark.parametrize("resources", ["two", "five"])
def test_sums_of_a_negotiation_are_those_of_the_move(resources):
    game = games.make("simple_negotiation", resources=resources)
    kinds = Counter()
    for episode in expert_games(game, 20, seed=2):
        state, plies = game.initial_state(), iter(episode.turns)
        for action in episode.history:
            if state.player in (0, 1):
                turn, known = next(plies), state.known(state.player)
                change = traded(turn.action, known)
                worth = known.values._asdict()
                gain = sum(worth[good] * units for good, units in change.items())
                if said := re.search(r"(\d+) - (\d+) = (-?\d+)\.", turn.reply):
                    assert int(said[1]) - int(said[2]) == int(said[3]) == gain
                if said := re.search(r"I get (\d+) and give (\d+)", turn.reply):
                    assert int(said[1]) - int(said[2]) == gain
                assert turn.action != "[Accept]" or gain > 0
                kinds[turn.action.split(":")[0]] += 1
            state = state.apply(action)
    assert {"[Offer", "[Accept]"} <= set(kinds)


def traded(action, known):
    """Units of each good that the player gets less those that he gives: by his own offer, or by the open one."""
    offer, sign = action, 1
    if "Offer" not in action:
        offer, sign = known.offer, -1
        gives, gets = offer.gives._asdict(), offer.gets._asdict()
    else:
        gives, gets = (
            {good: int(units) for units, good in re.findall(r"(\d+) (\w+)", side)} for side in offer.split("->")
        )
    return {good: sign * (gets.get(good, 0) - gives.get(good, 0)) for good in known.resources}


def test_the_same_seed_gives_the_same_games_and_leaves_the_global_generator():
    before = random.getstate()
    assert expert_games(KUHN, 10, seed=3) == expert_games(KUHN, 10, seed=3) != expert_games(KUHN, 10, seed=4)
    assert random.getstate() == before


# The dataset


def test_the_tokens_are_those_of_play(nano):
    """Of the same seed's first turns, which have the same cards: prompts as the model reads them, replies as it writes
    them (its own texts, tokenized anew)."""
    model, tokenizer = nano
    player = LanguageModel(backends.make("engine", model, tokenizer, 16), Sampling(max_new_tokens=96))
    played, rows = play(KUHN, (player, player), 12, seed=5), dataset(expert_games(KUHN, 12, seed=5), tokenizer)
    firsts = [0]
    for episode in expert_games(KUHN, 12, seed=5)[:-1]:
        firsts.append(firsts[-1] + len(episode.turns))
    for episode, first in zip(played, firsts, strict=True):
        row, turn = rows[first], episode.turns[0]
        learnt = [label for label in row["labels"] if label != NOT_LEARNT]
        assert row["prompt"] == turn.prompt
        assert row["input_ids"] == list(turn.prompt_ids) + learnt
        assert row["labels"] == [NOT_LEARNT] * len(turn.prompt_ids) + learnt
        assert tokenizer.decode(learnt) == row["completion"]
        assert learnt[-1] == tokenizer.eos_token_id
    own = [turn for episode in played for turn in episode.turns if not turn.truncated]
    again = dataset([scripted(turn.reply) for turn in own], tokenizer)
    same = [
        [label for label in labels if label != NOT_LEARNT] == list(turn.reply_ids)
        for labels, turn in zip(again["labels"], own, strict=True)
    ]
    assert sum(same) > 0.9 * len(same), "the model's own spelling is the tokenizer's, but for rare replies"


def scripted(reply):
    return Episode("kuhn_poker", {}, 0, (), (Turn(0, "somebody", "message", reply, None),), (0.0, 0.0), "rules")


def test_trl_would_make_the_same_of_prompt_and_completion(nano, tmp_path):
    from trl import SFTTrainer

    model, tokenizer = nano
    rows = dataset(expert_games(TIC_TAC_TOE, 2, seed=1), tokenizer)
    config = nano_imitation_config(tmp_path, steps=1)
    text = Dataset.from_dict({"prompt": rows["prompt"], "completion": rows["completion"]})
    theirs = SFTTrainer(model, args=config, train_dataset=text, processing_class=tokenizer).train_dataset
    assert list(theirs["input_ids"]) == list(rows["input_ids"])
    assert list(theirs["labels"]) == list(rows["labels"])


def test_steps_have_equal_shares_and_all_turns_come_before_one_comes_again(tmp_path):
    names = ["a"] * 10 + ["b"] * 3
    config = nano_imitation_config(tmp_path, steps=4, turns_per_step=5)
    steps = list(_steps(names, config))
    assert [sorted(names[row] for row in step) for step in steps] == [["a", "a", "a", "b", "b"]] * 4
    drawn = [[row for row in step if row < 10] for step in steps]
    assert len({*drawn[0], *drawn[1], *drawn[2]}) == 9, "none comes again"
    assert {row for rows in drawn for row in rows} == set(range(10)), "before all have come"
    assert Counter(row for step in steps[:3] for row in step if row >= 10) == {10: 2, 11: 2, 12: 2}
    assert steps == list(_steps(names, config))


# Training


def test_the_loss_is_the_mean_over_reply_tokens(nano, tmp_path):
    model, tokenizer = nano
    config = nano_imitation_config(tmp_path, steps=1, turns_per_step=16, per_device_train_batch_size=4, seed=2)
    rows = dataset(expert_games(KUHN, 20, seed=2), tokenizer)
    (step,) = _steps(list(rows["game"]), config)
    lengths = [sum(label == NOT_LEARNT for label in rows[row]["labels"]) for row in step]
    parts = [(rows[row]["input_ids"][:n], rows[row]["input_ids"][n:]) for row, n in zip(step, lengths, strict=True)]
    with torch.no_grad():
        ids, targets = padded(parts, tokenizer.pad_token_id)
        logits = model(ids).logits
        by_hand = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=NOT_LEARNT)
    imitate(model, tokenizer, [KUHN], config, games_played=20)
    [row] = read_metrics(tmp_path)
    assert row["loss"] == pytest.approx(by_hand.item(), rel=1e-3)
    assert row["step"] == 1
    assert 0 < row["token_accuracy"] <= 1
    assert {"seconds", "entropy", "grad_norm", "learning_rate"} <= set(row)


def padded(parts, pad):
    longest = max(len(prompt) + len(reply) for prompt, reply in parts)
    ids = torch.full((len(parts), longest), pad)
    targets = torch.full((len(parts), longest), NOT_LEARNT)
    for row, (prompt, reply) in enumerate(parts):
        ids[row, : len(prompt) + len(reply)] = torch.tensor(prompt + reply)
        targets[row, len(prompt) - 1 : len(prompt) + len(reply) - 1] = torch.tensor(reply)
    return ids, targets


@pytest.mark.slow
def test_a_short_imitation_brings_kuhn_poker_near_the_equilibrium(nano, tmp_path):
    from spiral_lite.evaluation.exploitability import exploitability

    model, tokenizer = nano
    player = LanguageModel(backends.make("engine", model, tokenizer, 256), Sampling(max_new_tokens=96))
    before = exploitability(player, KUHN, samples=64, seed=1)
    config = nano_imitation_config(tmp_path, steps=15, turns_per_step=128, seed=1)
    imitate(model, tokenizer, [KUHN], config, games_played=300)
    after = exploitability(player, KUHN, samples=64, seed=1)
    assert after.nash_conv < before.nash_conv - 0.1
    assert after.invalid_rate < 0.05
    losses = [row["loss"] for row in read_metrics(tmp_path)]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"learning_rate": -1.0}, "learning_rate=-1.0: it must be positive"),
        ({"steps": 0}, "steps=0: it must be at least 1"),
        ({"turns_per_step": 100, "per_device_train_batch_size": 64}, "no multiple of per_device_train_batch_size=64"),
    ],
)
def test_wrong_settings_are_refused(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        nano_imitation_config(tmp_path, **changes)


def test_wrong_games_are_refused(tmp_path):
    with pytest.raises(ValueError, match="connect_four has no expert to imitate; these have: kuhn_poker, tic_tac_toe"):
        expert(games.make("connect_four"))
    with pytest.raises(ValueError, match="variant='published'"):
        expert(games.make("kuhn_poker", variant="published"))
    with pytest.raises(ValueError, match="no turn to imitate"):
        dataset([], None)
    config = nano_imitation_config(tmp_path, turns_per_step=2)
    with pytest.raises(ValueError, match="games is empty"):
        imitate(None, None, [], config)
    with pytest.raises(ValueError, match="less than one turn for each of 3 games"):
        imitate(None, None, [games.make(name) for name in list(EXPERTS)[:3]], config)
    with pytest.raises(ValueError, match="games_played=0"):
        imitate(None, None, [KUHN], config, games_played=0)


# The command


def test_the_command(capsys, tmp_path):
    line = (
        f"imitate --games kuhn_poker tic_tac_toe --games-played 4 --steps 2 --turns-per-step 8 --out {tmp_path / 'a'}"
    )
    assert main([*line.split(), "--json"]) == 0
    result = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    assert result["turns_learnt"] == 16
    assert result["last_step"]["step"] == 2
    assert (tmp_path / "a" / "model.safetensors").exists()
    assert not list((tmp_path / "a").rglob("*.bin")), "a pickle"
    assert not (tmp_path / "a" / checkpoints.ASIDE).exists()
    models.load(str(tmp_path / "a"), "cpu")
    assert main(line.split()) == 2
    assert "holds a run" in capsys.readouterr().err


def test_a_model_is_there_as_a_whole_or_not_at_all(nano, tmp_path, monkeypatch):
    """A kill in the middle of saving, and weights that are no numbers."""
    model, tokenizer = nano
    run = imitate(model, tokenizer, [KUHN], nano_imitation_config(tmp_path, steps=1, turns_per_step=8), games_played=4)
    monkeypatch.setattr(checkpoints, "finish_model", lambda folder: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        save(run, tmp_path)
    assert not (tmp_path / "config.json").exists(), "half a model"
    monkeypatch.undo()
    save(run, tmp_path)
    (written, _), here = models.load(str(tmp_path), "cpu"), run.model.state_dict()
    assert all(torch.equal(value, here[name].cpu()) for name, value in written.state_dict().items())
    with torch.no_grad():
        next(iter(run.model.parameters())).fill_(float("nan"))
    with pytest.raises(ValueError, match="gets no model"):
        save(run, tmp_path)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("--games chess", "unknown game 'chess'; known:"),
        ("--games snake", "snake has no expert to imitate; these have:"),
        ("--games kuhn_poker --games-played 0", "games_played=0"),
        ("--games kuhn_poker --learning-rate -1", "learning_rate=-1.0"),
        ("--games kuhn_poker --model ./nowhere", "no model at './nowhere'"),
    ],
)
def test_the_command_refuses(capsys, tmp_path, wrong, message):
    assert main([*f"imitate --out {tmp_path / 'a'}".split(), *wrong.split()]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "a").exists()
