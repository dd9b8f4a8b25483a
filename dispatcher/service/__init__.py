"""The use cases: no HTTP, no Redis. What they need from the outside is in `ports`."""
