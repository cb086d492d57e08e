"""Starts the stand-in: prints its port and the emulator's, and serves until standard input closes.

    python -m github FOLDER

FOLDER contains the emulator (`node_modules/emulate`) and the contract (`contract.json`).
"""

import os
import sys
from pathlib import Path

from wire import Listener

from . import control
from .contract import Contract
from .emulator import Emulator
from .proxy import Proxy
from .repositories import Registry


def main():
    """Serves on a port that the system chooses, until the parent process ends."""
    folder = Path(sys.argv[1])
    proxy = None

    def answer(request):
        if request.path.startswith("/_control/"):
            return control.answer(proxy, request)
        return proxy.answer(request)

    listener = Listener(answer)
    emulator = Emulator(folder, f"http://127.0.0.1:{listener.port}")
    # The emulator starts in the meantime.
    contract = Contract(folder / "contract.json")
    emulator.wait()
    proxy = Proxy(Registry(), emulator, contract)
    listener.start()
    print(listener.port, emulator.port, flush=True)
    # The parent process keeps the other end open. It closes when the parent ends, even if it is
    # killed. The emulator ends with this process in the same way.
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main()
