"""The program that one model lives in: loads it, answers predictions one by one, and ends with its connection.

    python model_host.py FD FILE        FD is a socket to the agent, FILE defines the class Model

A program of its own, so that unloading a model really frees what it took. Messages are JSON, one a line:

agent                                       host
                                            {"loaded": true} or {"error": ...}
{"parameters": ...}                         {"result": ...} or {"error": ...}
{"unload": true}                            ends

Only the standard library is at hand, and what the model itself imports.
"""

import importlib.util
import json
import os
import signal
import socket
import sys
from typing import Any


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    link = socket.socket(fileno=int(sys.argv[1]))
    os.set_inheritable(link.fileno(), False)
    reading, writing = link.makefile("r", encoding="utf-8"), link.makefile("w", encoding="utf-8")

    def tell(**message: Any) -> None:
        writing.write(json.dumps(message) + "\n")
        writing.flush()
        sys.stdout.flush()

    try:
        model = _model(sys.argv[2])
        model.load()
    except BaseException as error:  # noqa: BLE001 - whatever a model raises is its owner's business
        tell(error=_text(error))
        return
    tell(loaded=True)
    for line in reading:
        message = json.loads(line)
        if message.get("unload"):
            unload = getattr(model, "unload", None)
            if unload is not None:
                unload()
            return
        try:
            tell(result=model.predict(message["parameters"]))
        except Exception as error:  # noqa: BLE001
            tell(error=_text(error))


def _model(path: str) -> Any:
    sys.path.insert(0, os.path.dirname(path))
    spec = importlib.util.spec_from_file_location("served_model", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no module")
    module = importlib.util.module_from_spec(spec)
    sys.modules["served_model"] = module
    spec.loader.exec_module(module)
    return module.Model()


def _text(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:1000]


if __name__ == "__main__":
    main()
