"""State engines that `dispatcher dev` and the tests start themselves: a real server when there is one, else in memory.

Production never comes here: it is given the URL of a Redis or Valkey that somebody runs.
"""

from dispatcher.store.engine.choice import ORDER, open_engine
from dispatcher.store.engine.engine import Engine, EngineError, StateInUse

__all__ = ["ORDER", "Engine", "EngineError", "StateInUse", "open_engine"]
