"""ASGI glue that all dialects share: identity, errors, limits, bodies, logs, health. Pure ASGI throughout."""
