"""A tree of shared prefixes: it spells what was put in, and a model attending along it computes what it always does."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spiral_lite import attention
from spiral_lite.attention import NO_MASK, PrefixTree, TreePlan, attending, refuse_windows

FAMILIES = ("llama", "qwen2", "qwen3")
SEQUENCES = st.lists(st.lists(st.integers(0, 2), max_size=12), max_size=12)  # few tokens: they share a lot


def prefixes(ids):
    return {tuple(ids[:n]) for n in range(1, len(ids) + 1)}


def shared(a, b):
    """Tokens that both begin with."""
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(a, b)))


@settings(deadline=None)  # a shared machine
@given(SEQUENCES, st.lists(st.integers(0, 2), max_size=12))
def test_a_tree_holds_every_prefix_once(sequences, other):
    tree, inserted = PrefixTree(), []
    for ids in sequences:
        known = max((shared(ids, former) for former in inserted), default=0)
        assert tree.known(ids) == known
        before = len(tree)
        path, new = tree.insert(ids)
        assert new == len(ids) - known == len(tree) - before
        assert path[len(path) - new :] == list(range(before, len(tree))), "new nodes are the last of the path"
        assert ([tree.tokens[node] for node in path], [tree.depths[node] for node in path]) == (
            ids,
            list(range(len(ids))),
        )
        assert tree.insert(ids) == (path, 0)
        inserted.append(ids)
    assert len(tree) == len(set().union(*map(prefixes, inserted)))
    assert tree.known(other) == max((shared(other, ids) for ids in inserted), default=0)


@settings(deadline=None)  # a shared machine
@given(SEQUENCES, SEQUENCES, st.booleans())
def test_a_plan_computes_every_new_token_once_and_shows_it_its_path(former, sequences, in_order):
    """By brute force, from the plan's own masks: what a query may see is the path from the root to its own node."""
    tree = PrefixTree()
    if not in_order:
        for ids in former:
            tree.insert(ids)  # they were computed before
    known, rows = len(tree), [tree.insert(ids) for ids in sequences]
    plan = TreePlan(rows, in_order=in_order)
    order = plan.nodes.tolist()
    assert sorted(order) == list(range(known, len(tree)))
    paths = {node: path[: depth + 1] for path, _ in rows for depth, node in enumerate(path)}
    seen = []
    for block in plan.blocks:
        height, width, length = block.shape
        assert width <= max(16, 2 * int((block.real // width).bincount().min())), "padding at most doubles a block"
        queries, keys = block.queries.view(height, width), block.keys.view(height, length)
        for spot in block.real.tolist():
            row, column = divmod(spot, width)
            node = order[queries[row, column]]
            visible = keys[row][block.bias[row, 0, column] == 0].tolist()
            assert ([order[i] for i in visible] if in_order else visible) == paths[node]
            seen.append(node)
        assert (block.bias == 0).any(-1).all(), "padding sees something: softmax over nothing is not a number"
    assert seen == order


def prompts(seed, n=12, words=97):
    """Rules that most share, then parts of their own, some the same; one prompt twice, one that another begins with."""
    rng = torch.Generator().manual_seed(seed)

    def some(low, high):
        length = int(torch.randint(low, high, (1,), generator=rng))
        return torch.randint(2, words, (length,), generator=rng).tolist()

    rules, middles = some(5, 40), [some(1, 9) for _ in range(3)]
    made = [rules + middles[i % 3] + some(0, 20) for i in range(n)]
    return [*made, made[0], made[1][:7], some(1, 2), some(30, 60)]


def by_tree(model, rows_of_ids):
    """Logits of every prompt, [T, V] each, in one pass over the tree."""
    tree = PrefixTree()
    rows = [tree.insert(ids) for ids in rows_of_ids]
    plan = TreePlan(rows, in_order=True)
    order = plan.nodes.tolist()
    place = {node: i for i, node in enumerate(order)}
    with attending(model):
        logits = model(
            input_ids=torch.tensor([[tree.tokens[node] for node in order]]),
            position_ids=torch.tensor([[tree.depths[node] for node in order]]),
            attention_mask=NO_MASK,
            use_cache=False,
            tree=plan,
        ).logits[0]
    return [logits[torch.tensor([place[node] for node in path])] for path, _ in rows]


def by_rectangle(model, rows_of_ids):
    """The same from the model as it is, prompts padded on the right."""
    width = max(map(len, rows_of_ids))
    ids = torch.tensor([ids + [0] * (width - len(ids)) for ids in rows_of_ids])
    mask = torch.tensor([[1] * len(ids) + [0] * (width - len(ids)) for ids in rows_of_ids])
    logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits
    return [row[: len(ids)] for row, ids in zip(logits, rows_of_ids, strict=True)]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_tree_gives_the_logits_of_the_padded_model(small_model, family, tied, seed):
    model, asked = small_model(family, tie_word_embeddings=tied), prompts(seed)
    with torch.no_grad():
        for mine, theirs in zip(by_tree(model, asked), by_rectangle(model, asked), strict=True):
            torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_tree_gives_the_gradient_of_the_padded_model(small_model, family):
    """Of a loss with another weight for every token of every prompt, so that no two rows of a shared prefix agree."""
    asked, gradients = prompts(7), []
    for forward in (by_tree, by_rectangle):
        model, rng = small_model(family), torch.Generator().manual_seed(1)
        logprobs = [logits.log_softmax(-1) for logits in forward(model, asked)]
        sum((torch.randn(x.shape, generator=rng) * x).sum() for x in logprobs).div(1000).backward()
        gradients.append({name: p.grad for name, p in model.named_parameters()})
    torch.testing.assert_close(*gradients, atol=1e-5, rtol=1e-4)
    assert min(gradient.abs().max() for gradient in gradients[1].values()) > 1e-3


def test_without_a_tree_a_model_attends_as_with_sdpa(small_model):
    model, asked = small_model(), prompts(3)
    with torch.no_grad():
        expected = by_rectangle(model, asked)
        with attending(model):
            for mine, theirs in zip(by_rectangle(model, asked), expected, strict=True):
                assert torch.equal(mine, theirs)


def test_the_attention_of_a_model_is_put_back(small_model):
    model = small_model()
    for before in ("eager", "sdpa"):
        model.set_attn_implementation(before)
        with attending(model):
            assert model.config._attn_implementation == attention.NAME
        assert model.config._attn_implementation == before
        with pytest.raises(KeyboardInterrupt), attending(model):
            raise KeyboardInterrupt
        assert model.config._attn_implementation == before


WINDOWS = {"use_sliding_window": True, "sliding_window": 16, "max_window_layers": 1}


@pytest.mark.parametrize(
    ("family", "changes", "kind"),
    [
        ("qwen2", WINDOWS, "sliding_attention"),
        ("qwen3", WINDOWS, "sliding_attention"),
        ("Mistral", {"sliding_window": 16}, "sliding_window=16"),  # says so in another place
        ("Mamba", {}, "linear_attention"),
        ("Bloom", {}, "attention of its own"),  # asks nobody how to attend
    ],
)
def test_models_that_attend_otherwise_are_refused(small_model, family, changes, kind):
    if family == "Mamba":
        changes = {"state_size": 4}
    with pytest.raises(ValueError, match=f'{kind}.*use backend="transformers"'):
        refuse_windows(small_model(family, **changes))


@pytest.mark.parametrize(
    ("family", "changes"), [("llama", {}), ("qwen2", {}), ("qwen3", {}), ("Mistral", {"sliding_window": None})]
)
def test_models_with_full_attention_are_welcome(small_model, family, changes):
    refuse_windows(small_model(family, **changes))
