"""The job queue: binaries handed in by clients, fetched and run by executors."""
