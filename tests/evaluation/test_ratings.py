"""Ratings: closed forms, scipy's optimiser, Jeffreys' interval, and coverage in simulated round robins."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

import numpy as np
import pytest

from spiral_lite import games, players
from spiral_lite.evaluation.ratings import ELO, Floats, RoundRobin, bradley_terry, rate, round_robin, tail_of
from spiral_lite.players import Prompt, Reply

TIC_TAC_TOE, KUHN = games.make("tic_tac_toe"), games.make("kuhn_poker")


class Resigns:
    """A player of which every move is invalid."""

    name = "resigns"

    def reply(self, prompts: Sequence[Prompt]) -> list[Reply]:
        return [Reply("I resign.") for _ in prompts]


def results(wins: Sequence[Sequence[int]]) -> Floats:
    """points [D, K, K] of decided games, a deal each; wins[i][j]: how often i has beaten j."""
    k = len(wins)
    found = []
    for i in range(k):
        for j in range(k):
            game = np.zeros((k, k))
            game[i, j] = 1
            found += [game] * wins[i][j]
    return np.array(found)


def simulate(strengths: Floats, deals: int, rng: np.random.Generator) -> Floats:
    """A round robin of two games a pairing and deal, as `round_robin` plays it; strengths in Elo."""
    k = len(strengths)
    chance = 1 / (1 + 10 ** ((strengths - strengths[:, None]) / 400))
    won = rng.binomial(2, chance, size=(deals, k, k)).astype(float)
    upper = np.triu(won, 1)
    return upper + np.triu(2 - won, 1).swapaxes(1, 2)


@pytest.mark.parametrize(("won", "lost"), [(10, 1), (3, 3), (0, 5), (200, 0), (1, 99)])
def test_two_players_have_a_closed_form(won: int, lost: int) -> None:
    elo, _ = rate(results([[0, won], [lost, 0]]), resamples=10)
    assert elo[0] - elo[1] == pytest.approx(400 * math.log10((won + 0.5) / (lost + 0.5)), abs=1e-6)
    assert elo.sum() == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(("won", "lost"), [(10, 1), (50, 50), (0, 30), (30, 0)])
def test_two_players_have_the_interval_of_jeffreys(won: int, lost: int) -> None:
    """Beta(w + 1/2, l + 1/2) is the posterior of a share (Brown, Cai and DasGupta 2001); also for a perfect record."""
    stats = pytest.importorskip("scipy.stats")
    _, ci95 = rate(results([[0, won], [lost, 0]]), resamples=40_000)
    share, tail = 1 / (1 + 10 ** (-2 * ci95[0] / 400)), tail_of(won + lost)
    assert share == pytest.approx(stats.beta(won + 0.5, lost + 0.5).ppf([tail, 1 - tail]), abs=0.004)


def test_few_deals_widen_the_interval() -> None:
    """By as much as the t-interval of a mean is wider than the bootstrap's of the same values."""
    stats = pytest.importorskip("scipy.stats")
    assert tail_of(10_000) == pytest.approx(0.025, abs=1e-4)
    for n in (5, 10, 20, 40):
        assert tail_of(n) == pytest.approx(stats.norm.cdf(-stats.t.ppf(0.975, n - 1) * (n / (n - 1)) ** 0.5), rel=1e-2)
    assert 0 <= tail_of(1) < tail_of(3) < tail_of(4)


def test_the_fit_is_the_maximum_of_the_likelihood() -> None:
    """Against scipy's general optimiser, for five players of very different strength."""
    optimize = pytest.importorskip("scipy.optimize")
    rng = np.random.default_rng(3)
    points = simulate(np.array([-500.0, -100, 0, 150, 600]), 50, rng).sum(axis=0) + 0.5 * (1 - np.eye(5))

    def loss(theta: Floats) -> float:
        return float((points * np.logaddexp(0, theta - theta[:, None])).sum() + theta.sum() ** 2)

    best = optimize.minimize(loss, np.zeros(5), method="BFGS", options={"gtol": 1e-9}).x
    assert bradley_terry(points) == pytest.approx(ELO * best, abs=0.01)
    many = np.stack([points, points.T])
    assert bradley_terry(many) == pytest.approx(np.stack([ELO * best, -ELO * best]), abs=0.01)


def test_strengths_without_noise_are_recovered() -> None:
    strengths = np.array([300.0, -300, 0, 120, -120])
    expected = 100 / (1 + 10 ** ((strengths - strengths[:, None]) / 400)) * (1 - np.eye(5))
    assert bradley_terry(expected) == pytest.approx(strengths, abs=1e-4)


def test_intervals_cover_the_truth() -> None:
    """200 simulated tournaments: each interval should hold its player's strength in 95 % of them."""
    strengths, rng = np.array([-250.0, -50, 50, 250]), np.random.default_rng(11)
    inside, bias = np.zeros(4), np.zeros(4)
    for tournament in range(200):
        elo, ci95 = rate(simulate(strengths, 40, rng), seed=tournament, resamples=300)
        inside += (ci95[:, 0] <= strengths) & (strengths <= ci95[:, 1])
        bias += (elo - strengths) / 200
        assert ((ci95[:, 0] < elo) & (elo < ci95[:, 1])).all()
    assert 0.92 < inside.mean() / 200 < 0.975
    assert np.abs(bias).max() < 10


def test_intervals_cover_where_a_deal_decides_both_of_its_games() -> None:
    """Deals are resampled, not games: two games that always end alike are worth one, and the interval is as wide."""
    rng, inside = np.random.default_rng(5), 0
    for tournament in range(300):
        won = 2.0 * rng.binomial(1, 0.6, size=30)
        points = np.zeros((30, 2, 2))
        points[:, 0, 1], points[:, 1, 0] = won, 2 - won
        _, ci95 = rate(points, seed=tournament, resamples=300)
        inside += ci95[0, 0] <= 200 * math.log10(0.6 / 0.4) <= ci95[0, 1]
    assert 0.92 < inside / 300 < 0.98  # as if games were independent, it would be 0.83


def test_the_order_of_players_and_deals_makes_no_difference() -> None:
    rng = np.random.default_rng(8)
    points = simulate(np.array([-200.0, 0, 0, 300]), 30, rng)
    order = np.array([2, 0, 3, 1])
    elo, ci95 = rate(points, resamples=4000)
    other, other_ci95 = rate(rng.permutation(points)[:, order][:, :, order], resamples=4000)
    assert other == pytest.approx(elo[order], abs=1e-4)
    assert other_ci95 == pytest.approx(ci95[order], abs=12)  # other resamples


def test_a_player_who_wins_everything_stays_finite() -> None:
    points = results([[0, 40, 40], [0, 0, 20], [0, 20, 0]])
    elo, ci95 = rate(points)
    assert np.isfinite(ci95).all()
    assert elo[0] > elo[1] + 500
    assert elo[1] == pytest.approx(elo[2], abs=1e-4)
    assert ci95[0, 0] > ci95[1:, 1].max(), "clearly the best"
    assert ci95[0, 1] - ci95[0, 0] > 200, "and yet not known to a few points"
    with pytest.raises(ValueError, match="somebody won or lost everything"):
        bradley_terry(points.sum(axis=0))


def test_draws_only_are_equal_ratings() -> None:
    points = np.tile((1 - np.eye(3)), (50, 1, 1))  # two draws a deal
    elo, ci95 = rate(points)
    assert elo == pytest.approx(np.zeros(3), abs=1e-6)
    assert np.abs(ci95).max() < 15
    assert np.abs(rate(points[:1])[1]).max() > 50, "but two draws prove little"


def test_two_draws_count_as_a_win_and_a_loss() -> None:
    drawn = np.array([[[0, 0.5], [0.5, 0]]])
    decided = np.array([[[0, 1.0], [0, 0]], [[0, 0], [1.0, 0]]])
    win = np.array([[[0, 1.0], [0, 0]]])
    one, other = (rate(np.concatenate([win, *rest]))[0] for rest in ([drawn, drawn], [decided]))
    assert one == pytest.approx(other)


def test_the_same_seed_gives_the_same_intervals() -> None:
    points = simulate(np.array([-100.0, 100]), 20, np.random.default_rng(1))
    state = np.random.get_state()[1].tolist()
    one, again, other = (rate(points, seed)[1] for seed in (1, 1, 2))
    assert (one == again).all()
    assert (one != other).any()
    assert np.random.get_state()[1].tolist() == state, "the process-wide generator is left alone"


@pytest.fixture(scope="module")
def robin() -> RoundRobin:
    field = [players.random_player(), Resigns(), players.make("perfect")]
    return round_robin(TIC_TAC_TOE, field, 40, seed=1)


def test_a_round_robin_ranks_its_players(robin: RoundRobin) -> None:
    assert [rating.player for rating in robin.ratings] == ["perfect", "random", "resigns"]
    best, middle, last = robin.ratings
    assert best.ci95[0] > middle.ci95[1]
    assert middle.ci95[0] > last.ci95[1]
    assert (last.score, last.invalid_rate, last.forfeits_won) == (0, 1, 0)
    assert (middle.invalid_rate, middle.forfeits_won) == (0, 0.5)
    assert best.games == 80


def test_every_pairing_plays_the_same_deals_from_both_seats() -> None:
    field = [players.random_player(), players.equilibrium_kuhn(0), players.equilibrium_kuhn(0.3)]
    found = round_robin(KUHN, field, 10, seed=2)
    assert len(found.episodes) == 30
    for deal in range(5):
        episodes = found.episodes[6 * deal : 6 * deal + 6]
        assert len({episode.history[:2] for episode in episodes}) == 1
        seated = [[turn.player for turn in episode.turns[:2]] for episode in episodes]
        names = [player.name for player in field]
        order = [(0, 1), (1, 0), (0, 2), (2, 0), (1, 2), (2, 1)]
        assert seated == [[names[i] for i in pair] for pair in order]
    assert len({episode.history[:2] for episode in found.episodes}) > 1


def test_pairings_are_what_their_episodes_say(robin: RoundRobin) -> None:
    pairing = robin.pairings[1]
    assert pairing.players == ("random", "perfect")
    as_first, as_second = robin.episodes[2::6], robin.episodes[3::6]
    values = [e.returns[0] for e in as_first] + [e.returns[1] for e in as_second]
    assert pairing.games == len(values) == 40
    assert pairing.mean_return.mean == pytest.approx(sum(values) / 40)
    assert pairing.mean_return.n == 20, "deals"
    assert (pairing.outcomes.won, pairing.outcomes.lost) == (values.count(1), values.count(-1))
    rating = next(rating for rating in robin.ratings if rating.player == "random")
    draws = values.count(0)
    assert rating.score == pytest.approx((40 + values.count(1) + draws / 2) / 80), "40 games were given away to it"


def test_a_win_of_half_the_stakes_is_three_quarters_of_the_points() -> None:
    """One chip of two: so ratings agree with mean returns, where wins would not tell equilibrium from random play."""
    found = round_robin(KUHN, [players.random_player(), players.equilibrium_kuhn()], 400, seed=1)
    best, last = found.ratings
    assert best.player.startswith("equilibrium")
    assert best.ci95[0] > last.ci95[1]
    assert last.score == pytest.approx((1 + found.pairings[0].mean_return.mean / 2) / 2)
    assert best.elo - last.elo == pytest.approx(
        400 * math.log10((400 * best.score + 0.5) / (400 * last.score + 0.5)), abs=1e-6
    )
    assert abs(found.pairings[0].outcomes.won - 200) < 20


def test_the_record_is_json_and_the_cross_table_antisymmetric(robin: RoundRobin) -> None:
    record = json.loads(json.dumps(robin.to_dict(), allow_nan=False))
    assert "episodes" not in record
    table = record["cross_table"]
    assert table["players"] == ["perfect", "random", "resigns"]
    assert table["games"] == [[0, 40, 40], [40, 0, 40], [40, 40, 0]]
    values = table["mean_return"]
    assert [values[i][i] for i in range(3)] == [None] * 3
    assert all(values[i][j] == -values[j][i] for i in range(3) for j in range(i))
    assert values[0][1] > 0.5
    assert values[0][2] == values[1][2] == 1
    assert {"mean_return", "outcomes", "players", "games"} <= set(record["pairings"][0])


def test_the_text_says_it_all(robin: RoundRobin) -> None:
    lines = str(robin).splitlines()
    assert lines[0] == "tic_tac_toe: 40 games a pairing, half from each seat, seed 1"
    assert [line.split()[:2] for line in lines[3:6]] == [["1", "perfect"], ["2", "random"], ["3", "resigns"]]
    assert lines[5].split()[-3:] == ["0.0%", "100.0%", "0.0%"]
    assert lines[-1].split() == ["3", "resigns", "-1.000", "-1.000", "-"]


@pytest.mark.parametrize(
    ("field", "n", "message"),
    [
        (("random",), 2, "two or more players"),
        (("random", "random"), 2, "different names; given: random, random"),
        (("random", "perfect"), 3, "n=3: play an even number of games a pairing, half from each seat, e.g. n=4"),
        (("random", "perfect"), 0, "n=0"),
    ],
)
def test_errors_teach(field: tuple[str, ...], n: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        round_robin(TIC_TAC_TOE, [players.make(name) for name in field], n)


def test_a_cooperative_game_has_no_ratings() -> None:
    with pytest.raises(ValueError, match="mini_hanabi is not zero-sum"):
        round_robin(games.make("mini_hanabi"), [players.random_player(), Resigns()], 2)
