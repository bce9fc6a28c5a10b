"""What an endpoint may use at most, in tokens and dollars, however many requests are in flight.

Read `endpoint.py` after this.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

Tokens = tuple[int, int]  # of a prompt, of a reply


class EndpointError(OSError):
    """The endpoint gave no answer that can be played, or its budget is spent."""


@dataclass
class Budget:
    """`tokens` and `dollars` are limits; `used_tokens` and `used_dollars` is what was used, as the endpoint counts.

    Before a request its worst case is held back, so the limits hold whatever comes back. A request whose answer holds
    no count, or that got no answer although the server may have worked on it, is booked as its worst case.
    """

    tokens: int = 1_000_000  # of prompts and replies together
    dollars: float | None = None
    prices: tuple[float, float] | None = None  # dollars a million tokens, of prompts and of replies
    used_tokens: int = field(default=0, init=False)
    used_dollars: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        if self.tokens < 1:
            raise ValueError(f"tokens={self.tokens}: a budget is at least 1 token, e.g. tokens=1_000_000")
        if (self.dollars is None) != (self.prices is None):
            raise ValueError(
                f"dollars={self.dollars}, prices={self.prices}: give both or none, e.g. dollars=2.0, prices=(0.5, 1.5) "
                "in dollars a million tokens of prompts and of replies"
            )
        self._lock = threading.Lock()
        self._held_tokens, self._held_dollars = 0, 0.0

    def hold(self, worst: Tokens) -> None:
        """Holds back the worst case of a request. Raises EndpointError if what is left is less."""
        with self._lock:
            tokens = self.used_tokens + self._held_tokens + sum(worst)
            dollars = self.used_dollars + self._held_dollars + self.price(worst)
            for limit, needed, unit in ((self.tokens, tokens, "tokens"), (self.dollars, dollars, "dollars")):
                if limit is not None and needed > limit:
                    raise EndpointError(
                        f"the budget of {limit:,g} {unit} is spent: {self.used_tokens:,} tokens "
                        f"(${self.used_dollars:.4f}) are used, others may be in flight, and the next request may take "
                        f"{sum(worst):,}. For more: Budget({unit}={2 * limit:g})"
                    )
            self._held_tokens += sum(worst)
            self._held_dollars += self.price(worst)

    def settle(self, worst: Tokens, used: Tokens) -> None:
        """The request for which `worst` was held back has used `used`."""
        with self._lock:
            self._held_tokens -= sum(worst)
            self._held_dollars -= self.price(worst)
            self.used_tokens += sum(used)
            self.used_dollars += self.price(used)

    def price(self, tokens: Tokens) -> float:
        """In dollars; 0 where no prices are given."""
        return sum(n * price for n, price in zip(tokens, self.prices or (0.0, 0.0), strict=True)) / 1e6
