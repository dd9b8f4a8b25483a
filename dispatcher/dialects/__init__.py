"""The documented APIs: each one is two translations and a registry of its operations."""
