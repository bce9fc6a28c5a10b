"""SPIRAL's prompts (arXiv:2506.24119, appendix; its Qwen3 template): one user turn, no system message, no history.

Every turn of a game is a prompt of its own: past reasoning is never in it, so an opponent's thoughts do not leak and
contexts stay short. A tokenizer with a chat template renders the same message in its own format.
"""

from __future__ import annotations

from typing import Protocol

from spiral_lite.games import Game

GAME_HEAD = "You are playing a two-player zero-sum game. Make valid actions to win.\nObservation: "  # SPIRAL's
COOPERATIVE_HEAD = "You are playing a two-player cooperative game. Make valid actions to score together.\nObservation: "
GENERAL_HEAD = "You are playing a two-player game. Make valid actions to win.\nObservation: "
QUESTION_HEAD = "Question: "
TAIL = "\nPlease reason step by step, and put your final answer within \\boxed{}."


class ChatTokenizer(Protocol):
    """What `prompt` needs of a transformers tokenizer."""

    chat_template: str | None

    def apply_chat_template(self, conversation: list[dict[str, str]], **kwargs: object) -> object: ...


def game_message(observation: str, game: Game | None = None) -> str:
    """The user message of a turn. Its first line is SPIRAL's, except where `game` is not zero-sum."""
    if game is None or game.zero_sum:
        head = GAME_HEAD
    else:
        head = COOPERATIVE_HEAD if game.common_payoff else GENERAL_HEAD
    return f"{head}{observation}{TAIL}"


def question_message(question: str) -> str:
    """The user message of a reasoning problem: the same, so that only the content tells a problem from a game."""
    return f"{QUESTION_HEAD}{question}{TAIL}"


def prompt(message: str, tokenizer: ChatTokenizer | None = None) -> str:
    """The whole prompt, up to where the reply begins: by the tokenizer's chat template, or else in the Qwen3 format."""
    if tokenizer is not None and tokenizer.chat_template:
        chat = [{"role": "user", "content": message}]
        return str(tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True))
    return f"<|im_start|>user\n{message}<|im_end|>\n<|im_start|>assistant\n"
