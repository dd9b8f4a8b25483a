"""Cluster Manager: workers and their models, tasks for models, figures of the cluster, and its events."""
