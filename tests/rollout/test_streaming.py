"""Games on the engine: turns stream to it while others are written, and the games are the same in any company."""

import dataclasses
import random

import pytest
import torch

from spiral_lite import games, models, players
from spiral_lite.players import LanguageModel, Prompt, Reply, Sampling
from spiral_lite.rollout import play
from spiral_lite.rollout.engine import Engine
from spiral_lite.rollout.transformers_backend import TransformersBackend

KUHN, TIC_TAC_TOE = games.make("kuhn_poker"), games.make("tic_tac_toe")
BOTH = [KUHN, TIC_TAC_TOE]
GREEDY = Sampling(temperature=0)


@pytest.fixture(scope="module")
def exact():
    """(model, tokenizer): nano in float64, where rounding is too small to change a token."""
    model, tokenizer = models.load("nano", device="cpu")
    return model.double(), tokenizer


@pytest.fixture(scope="module")
def other(exact):
    """Another model with the same words: nano, shaken."""
    model, tokenizer = models.load("nano", device="cpu")
    with torch.no_grad():
        for p in model.parameters():
            p += 0.02 * p.std() * torch.randn(p.shape, generator=torch.Generator().manual_seed(p.numel()))
    return model.double(), tokenizer


def on_an_engine(pair, slots=64, sampling=None, name="model"):
    return LanguageModel(Engine(*pair, slots=slots), sampling, name)


def rounded(episodes):
    """Episodes with log-probabilities to 4 places: the batch may change the last bits."""
    return [
        dataclasses.replace(
            episode,
            turns=tuple(
                dataclasses.replace(turn, logprobs=tuple(round(x, 4) + 0.0 for x in turn.logprobs))
                for turn in episode.turns
            ),
        )
        for episode in episodes
    ]


def is_empty(engine):
    return not engine._rows and not engine._waiting


def test_games_do_not_depend_on_what_else_is_played(exact):
    """One game after the other, or many at a time on few slots or many: the same episodes, to the last token."""
    player = on_an_engine(exact, slots=1)
    expected = rounded(play(BOTH, (player, player), 4, seed=3, in_flight=1))
    assert len({turn.reply for episode in expected for turn in episode.turns}) > 10
    for slots, in_flight, window in ((4, 256, 1), (64, 256, 8), (3, 2, 1)):  # a window as on CUDA, read late
        player = on_an_engine(exact, slots)
        player.backend.window = window
        assert rounded(play(BOTH, (player, player), 4, seed=3, in_flight=in_flight)) == expected
        assert is_empty(player.backend)


def test_in_float32_the_same_but_for_rounding(nano):
    runs = []
    for slots, in_flight in ((1, 1), (4, 256), (64, 256)):
        player = on_an_engine(nano, slots)
        runs.append(play(BOTH, (player, player), 6, seed=1, in_flight=in_flight))
    for run in runs[1:]:
        assert sum(a.history == b.history for a, b in zip(run, runs[0], strict=True)) >= 5


def test_turns_say_what_was_read_and_written(exact):
    player = on_an_engine(exact)
    for episode in play(BOTH, (player, player), 8, seed=5, policy_version=4):
        assert episode.policy_version == 4
        for turn in episode.turns:
            assert len(turn.reply_ids) == len(turn.logprobs) > 0
            assert exact[1](turn.prompt, add_special_tokens=False)["input_ids"] == list(turn.prompt_ids)
            assert turn.truncated is (turn.reply_ids[-1] != exact[1].eos_token_id)
            assert exact[1].decode(list(turn.reply_ids), skip_special_tokens=True) == turn.reply


def test_greedy_self_play_is_that_of_transformers(exact):
    runs = []
    for backend in (Engine(*exact, slots=5), TransformersBackend(*exact)):
        player = LanguageModel(backend, GREEDY)
        runs.append(play([KUHN, TIC_TAC_TOE], (player, player), 10, seed=2))
    turns = [[turn for episode in run for turn in episode.turns] for run in runs]
    assert [turn.reply_ids for turn in turns[0]] == [turn.reply_ids for turn in turns[1]]
    assert [episode.history for episode in runs[0]] == [episode.history for episode in runs[1]]
    for ours, theirs in zip(*turns, strict=True):  # transformers' scores are float32
        assert ours.logprobs == pytest.approx(theirs.logprobs, abs=2e-6)


def test_two_models_against_each_other(exact, other):
    def run(in_flight, slots):
        a, b = on_an_engine(exact, slots, name="a"), on_an_engine(other, slots, Sampling(0.7, 0.9), "b")
        return rounded(play(BOTH, [(a, b), (b, a)], 4, seed=4, in_flight=in_flight)), a, b

    (expected, *_), (episodes, a, b) = run(1, 1), run(256, 8)
    assert episodes == expected
    assert is_empty(a.backend)
    assert is_empty(b.backend)
    assert {turn.player for episode in episodes for turn in episode.turns} == {"a", "b"}
    assert {episode.turns[0].player for episode in episodes[::2]} == {"a"}


def test_two_players_on_one_engine(exact):
    """Two ways of sampling from one model share its slots and its prefixes."""
    engine = Engine(*exact, slots=6)
    a, b = LanguageModel(engine, Sampling(1.0), "a"), LanguageModel(engine, GREEDY, "b")
    apart = [on_an_engine(exact, 6, player.sampling, player.name) for player in (a, b)]
    assert rounded(play(BOTH, (a, b), 4, seed=6)) == rounded(play(BOTH, (apart[0], apart[1]), 4, seed=6))
    assert is_empty(engine)


@pytest.mark.parametrize("swapped", [False, True])
def test_a_scripted_player_against_the_engine(exact, swapped):
    def run(in_flight):
        seats = (players.random_player(), on_an_engine(exact, 4))
        return rounded(play(BOTH, seats[::-1] if swapped else seats, 4, seed=7, in_flight=in_flight))

    episodes = run(256)
    assert episodes == run(1)
    for turn in (turn for episode in episodes for turn in episode.turns):
        assert (turn.player == "random") is (turn.role == swapped)
        assert (turn.player == "random") is (not turn.reply_ids)


def test_a_number_of_turns(exact):
    player = on_an_engine(exact, 8)
    episodes = play(BOTH, (player, player), turns=12, seed=8, in_flight=2)
    assert sum(len(episode.turns) for episode in episodes) >= 12
    assert rounded(episodes) == rounded(play(BOTH, (player, player), len(episodes), seed=8))
    assert is_empty(player.backend)


def test_rules_are_computed_once_a_version(exact):
    """Ten games more cost their positions, not their rules."""
    player = on_an_engine(exact)
    engine = player.backend
    play(KUHN, (player, player), 10)
    first = engine.computed
    play(KUHN, (player, player), 10, seed=1)
    assert engine.computed - first < 0.5 * first
    assert engine.reused > 5 * engine.computed


class Broken:
    """Plays at random, and gives up at its third batch."""

    name = "broken"

    def __init__(self):
        self.batches = 0

    def reply(self, prompts: list[Prompt]) -> list[Reply]:
        self.batches += 1
        if self.batches == 3:
            raise ConnectionError("the other side has hung up")
        return [
            Reply(f"\\boxed{{{random.Random(prompt.seed).choice(prompt.state.legal_actions())}}}") for prompt in prompts
        ]


def test_a_player_that_fails_leaves_the_engine_empty_and_usable(exact):
    player, broken = on_an_engine(exact, slots=4), Broken()
    with pytest.raises(ConnectionError, match="hung up"):
        play(TIC_TAC_TOE, [(player, broken), (broken, player)], 20, seed=9)
    assert player.backend._clock > 0, "replies were being written"
    assert is_empty(player.backend)
    fresh = on_an_engine(exact, slots=4)
    expected = play(BOTH, (fresh, fresh), 6, seed=1)
    assert rounded(play(BOTH, (player, player), 6, seed=1)) == rounded(expected)


def test_a_prompt_that_the_model_cannot_read_leaves_the_engine_empty(exact):
    """The turns handed in before it are taken back."""
    player = on_an_engine(exact, 4, Sampling(max_new_tokens=1000))
    with pytest.raises(ValueError, match="the longest reply that fits"):
        play(BOTH, (player, player), 20, seed=9)
    assert is_empty(player.backend)


def test_training_between_two_runs_of_games(nano):
    """No reply comes from the prefixes of the old weights."""
    model, tokenizer = nano
    model = model.double()
    player = on_an_engine((model, tokenizer), 8, Sampling(0.8))
    before = play(BOTH, (player, player), 4)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    ids = torch.tensor([before[0].turns[0].prompt_ids])
    model(ids, labels=ids).loss.backward()
    optimizer.step()
    fresh = on_an_engine((model, tokenizer), 8, Sampling(0.8))
    after = rounded(play(BOTH, (player, player), 4))
    assert after == rounded(play(BOTH, (fresh, fresh), 4))
    assert after != rounded(before)


def test_the_global_generators_are_untouched(exact):
    torch.manual_seed(1)
    random.seed(1)
    before = torch.get_rng_state(), random.getstate()
    player = on_an_engine(exact)
    play(BOTH, (player, player), 4)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert random.getstate() == before[1]
