"""The simulated desk's strategies: a process that trades through the real adapter, and asks the gate like any other.

python -m adapters.simulator strategies --config FILE
"""

from adapters.simulator.strategies.models import KINDS, model_hash_of
from adapters.simulator.strategies.process import main

__all__ = ["KINDS", "main", "model_hash_of"]
