"""The kinds of strategies there are."""

from collections.abc import Callable

from adapters.simulator.strategies.market_making import MarketMaking
from adapters.simulator.strategies.mean_reversion import MeanReversion
from adapters.simulator.strategies.model import Model, hash_of
from adapters.simulator.strategies.momentum import Momentum

_MODELS: dict[str, Callable[[int], Model]] = {
    "momentum": Momentum,
    "mean_reversion": MeanReversion,
    "market_making": MarketMaking,
}
KINDS = tuple(_MODELS)


def make_model(kind: str, seed: int) -> Model:
    return _MODELS[kind](seed)


def model_hash_of(kind: str, seed: int) -> str:
    """The hash by which a desk pins the model, without running it. Raises KeyError for an unknown kind."""
    return hash_of(kind, make_model(kind, seed))
