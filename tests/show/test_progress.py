"""Progress lines and tables are rendered from metrics rows alone."""

from spiral_lite.show import progress

ROW = {
    "step": 3,
    "seconds": 12.0,
    "kuhn_poker/role0/return": -0.25,
    "kuhn_poker/role0/baseline": 0.125,
    "kuhn_poker/role1/return": 0.25,
    "invalid_rate": 0.015,
    "reply_tokens": 14.2,
    "entropy": 0.137,
    "grad_norm": 0.0521,
    "tokens_per_second": 3035.0,
}


def test_a_line_has_every_figure():
    text = progress.line(ROW)
    for part in ("-0.25 (+0.12)", "+0.25", "invalid 1.5%", "tokens/reply 14.2", "entropy 0.14", "tokens/s 3035"):
        assert part in text


def test_a_table_has_a_row_a_step_and_escapes():
    page = progress.table([ROW, {**ROW, "step": 4, "<b>/role0/return": 1.0}])
    assert page.count("<tr>") == 3
    assert "<b>" not in page
    assert "No step" in progress.table([])
