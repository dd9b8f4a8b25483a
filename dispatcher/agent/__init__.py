"""The agent: a program on a worker's side that is handed tasks over one socket which it opens, and runs them.

A client of the native API like any other: it shares no code with the gateway. Runs on Linux.
"""
