"""`python -m dispatcher_sdk.farm.example --url ws://gateway/farm --client-id me --checkpoints DIR`."""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from dispatcher_sdk.farm.client import FarmClient
from dispatcher_sdk.farm.example.training import Training
from dispatcher_sdk.farm.link import Refused


def parser(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    """What it may be told."""
    made = argparse.ArgumentParser("dispatcher_sdk.farm.example", description="Trains a logistic regression.")
    made.add_argument("--url", required=True, help="the socket, ws://... or wss://...")
    made.add_argument("--token", default=environment.get("DISPATCHER_TOKEN"), help="default: DISPATCHER_TOKEN")
    made.add_argument("--client-id", required=True, help="the name of this worker")
    made.add_argument("--checkpoints", required=True, type=Path, help="a directory that all workers share")
    made.add_argument("--step-delay", type=float, default=0.0, help="seconds to wait in every epoch")
    return made


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Work until told to stop; the exit status, 1 when the gateway refuses this client, 2 for a wrong command."""
    understood = parser(environment)
    given = understood.parse_args(arguments)
    if not given.token:
        understood.error("give --token or set DISPATCHER_TOKEN")
    if not 0 <= given.step_delay <= 3600:
        understood.error("--step-delay is between 0 and 3600")
    try:
        client = FarmClient(
            given.url, given.token, given.client_id, train=Training(given.checkpoints, given.step_delay)
        )
        client.run()
    except ValueError as error:
        understood.error(str(error))
    except Refused as error:
        sys.stderr.write(f"refused: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
