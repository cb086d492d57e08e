"""Starts the stand-in: prints its port, serves until standard input ends, and ends with it."""

import os
import sys

from . import authorization_details, credential_report, last_accessed, other_credentials  # noqa: F401
from . import control, oidc, sts, users  # noqa: F401
from .accounts import Registry
from .calls import Service
from .wire import Listener


def main():
    """Serves on a port that the system gives, for as long as whoever started this lives."""
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
    # The owner holds the other end; it closes when the owner ends, however that comes about.
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main()
