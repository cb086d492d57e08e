"""The clock of an account: the machine's clock, unless a test moves or stops it.

While a thread uses an account, moto uses the account's clock as well. Sessions of STS always use
the machine's clock, so credentials stay valid when a test moves the clock of an account.
"""

from contextvars import ContextVar
from datetime import datetime, timedelta, timezone

from moto.core.utils import utcnow
from moto.iam import models


class Clock:
    """A number of days ahead of the machine's clock, or stopped at a time (RFC 3339)."""

    def __init__(self, value=0):
        self.ahead, self.stopped_at = timedelta(0), None
        if isinstance(value, str):
            stopped_at = datetime.fromisoformat(value).astimezone(timezone.utc)
            self.stopped_at = stopped_at.replace(tzinfo=None)
        else:
            self.ahead = timedelta(days=value or 0)

    def now(self):
        """The current time as a naive UTC time."""
        return self.stopped_at or utcnow() + self.ahead


# The clock of the current thread.
CURRENT = ContextVar("clock", default=Clock())


def now():
    """The current time by the clock of the account in use."""
    return CURRENT.get().now()


models.utcnow = now
