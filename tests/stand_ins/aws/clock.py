"""The clock of an account: the machine's, unless a test moves it or lets it stand still.

Whoever has an account's turn goes by its clock, and moto with them. The sessions of STS go by the
machine's clock alone: credentials that were given out stay good, however far an account's clock is
moved.
"""

from contextvars import ContextVar
from datetime import datetime, timedelta, timezone

from moto.core.utils import utcnow
from moto.iam import models


class Clock:
    """So many days ahead of the machine's clock; or standing still at a moment (RFC 3339)."""

    def __init__(self, value=0):
        self.ahead, self.stands_at = timedelta(0), None
        if isinstance(value, str):
            told = datetime.fromisoformat(value).astimezone(timezone.utc)
            self.stands_at = told.replace(tzinfo=None)
        else:
            self.ahead = timedelta(days=value or 0)

    def now(self):
        """The moment that the clock shows, in UTC without a zone."""
        return self.stands_at or utcnow() + self.ahead


# The clock that this thread goes by.
CURRENT = ContextVar("clock", default=Clock())


def now():
    """What it is by the clock of the account whose turn it is."""
    return CURRENT.get().now()


models.utcnow = now
