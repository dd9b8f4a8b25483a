"""Running other people's programs: without a shell, as somebody without rights, within limits, and leaving nothing of
them behind. For programs on a worker's side; shares no code with the gateway. Runs on Linux."""
