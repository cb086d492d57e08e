"""Starts the stand-in: prints its port and serves until standard input is closed."""

import importlib
import os
import sys

from wire import Listener

from . import control, oidc
from .accounts import Registry
from .calls import Service

# The modules with handlers. Each registers its actions when it is imported.
HANDLERS = [
    "authorization_details",
    "credential_report",
    "deletion",
    "groups_and_policies",
    "last_accessed",
    "mfa",
    "other_credentials",
    "sts",
    "tags",
    "users",
]


def main():
    """Serves on a port that the system chooses, until the parent process ends."""
    for name in HANDLERS:
        importlib.import_module(f".{name}", __package__)
    registry = Registry()
    service = Service(registry)

    def answer(request):
        if request.path.startswith("/_control/"):
            return control.answer(registry, request)
        if request.path.startswith("/_oidc/"):
            return oidc.answer(registry, request)
        return service.answer(request)

    listener = Listener(answer)
    listener.start()
    print(listener.port, flush=True)
    # The parent process keeps the other end open. It closes when the parent ends, even if it is
    # killed.
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main()
