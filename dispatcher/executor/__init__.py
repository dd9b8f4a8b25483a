"""The reference executor of the job queue: a program on a worker's side that fetches jobs and runs their binaries.

A client of the queue's API like any other: it shares no code with the gateway, so that it stands for what an executor
written from the API document may expect. Runs on Linux.
"""
