"""Models that take memory, hang, or cannot be loaded, and the processes that they live in."""

import psutil

from dispatcher.agent.resident import HOST

MB = 1 << 20

BIG = """
import os, time

class Model:
    def load(self):
        self.weights = bytearray(b"x" * (80 << 20))

    def predict(self, parameters):
        print("asked", parameters, flush=True)
        if parameters == "die":
            os._exit(1)
        if parameters == "hang":
            time.sleep(600)
        return {"n": parameters["n"] + 1}
"""
TALKS = """
class Model:
    def load(self):
        pass

    def predict(self, lines):
        print("1234567\\n" * lines, end="")
"""
HAS_A_CHILD = """
import subprocess, sys

CHILD = "x = bytearray(b'x' * (80 << 20)); print(flush=True); import time; time.sleep(600)"

class Model:
    def load(self):
        self.child = subprocess.Popen([sys.executable, "-c", CHILD], stdout=subprocess.PIPE)
        self.child.stdout.readline()

    def predict(self, mb):
        self.more = bytearray(b"x" * (mb << 20))
"""
SLOW = """
import os, time

class Model:
    def load(self):
        open(__file__ + ".loads", "a").write("x")
        while not os.path.exists(__file__ + ".go"):
            time.sleep(0.01)

    def predict(self, parameters):
        return "done"
"""
HANGS = "import time\nclass Model:\n    def load(self):\n        time.sleep(600)\n"
BROKEN = "class Model:\n    def load(self):\n        raise ValueError('no weights')\n"


def processes() -> list[psutil.Process]:
    """Those of models: this process may have others."""
    return [child for child in psutil.Process().children() if str(HOST) in child.cmdline()]
