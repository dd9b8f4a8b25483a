"""CloudAI: containers with reserved resources, telemetry, logs and files."""
