"""The accounts of the stand-in: each with a moto backend, a policy, faults and a log of its own."""

import itertools
import secrets
import string
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field

from .clock import CURRENT, Clock
from .faults import Faults
from .moto_model import backend_of

# A region of each partition; moto derives a user's ARN from it.
REGIONS = {
    "aws": "us-east-1",
    "aws-cn": "cn-north-1",
    "aws-us-gov": "us-gov-west-1",
    "aws-eusc": "eusc-de-east-1",
}

STARTED = time.monotonic()


def since_start():
    """Seconds since the stand-in began."""
    return round(time.monotonic() - STARTED, 6)


@dataclass
class Session:
    """Credentials of an assumed role, as STS gave them out."""

    account: "Account"
    role: str
    name: str
    access_key: str
    secret: str
    token: str
    # Seconds since the epoch.
    expires: float
    # On the monotonic clock.
    issued: float = field(default_factory=time.monotonic)

    @property
    def arn(self):
        """The caller's ARN: that of the assumed role, never that of an IAM user."""
        account = self.account
        return f"arn:{account.partition}:sts::{account.id}:assumed-role/{self.role}/{self.name}"


class UserSession:
    """An access key of an IAM user, who calls without a session: it does not run out."""

    role, token, expires, issued = None, "", float("inf"), float("inf")

    def __init__(self, account, user):
        self.account, self.user = account, user

    @property
    def arn(self):
        """The user's ARN."""
        return self.user.arn


class Account:
    """One account, and what the test that owns it has asked for."""

    def __init__(self, account_id, partition, days, report_delay):
        self.id, self.partition, self.region = account_id, partition, REGIONS[partition]
        # Days of disuse from which the account's expected verdicts count a credential as stale.
        self.days = days
        # Seconds that IAM takes to make a credential report.
        self.report_delay = report_delay
        self.lock, self.clock = threading.RLock(), Clock()
        self.backend = backend_of(account_id, partition)
        # The root user, in the words of a user's seed.
        self.root = {}
        # The credential report that IAM keeps, if it has one.
        self.report = None
        self.policy = None
        self.faults = Faults({})
        self.log, self.oidc_log = [], []
        # External ids that the roles' trust asks for, by the role's name.
        self.external_ids = {}
        self.session_seconds = None
        # Access Advisor's jobs, by their id.
        self.jobs = {}
        self.request_token = secrets.token_urlsafe(48)

    @contextmanager
    def turn(self):
        """Keeps others from the account meanwhile, and lets its clock count."""
        with self.lock:
            token = CURRENT.set(self.clock)
            try:
                yield
            finally:
                CURRENT.reset(token)

    def role(self, arn):
        """The role with this ARN, or None."""
        return next((it for it in self.backend.roles.values() if it.arn == arn), None)

    def role_named(self, name):
        """The role of this name."""
        return next(it for it in self.backend.roles.values() if it.name == name)


class Registry:
    """All accounts, all credentials that were given out, and every secret among them."""

    def __init__(self):
        self.lock = threading.Lock()
        self.accounts = {}
        self.sessions = {}
        self.tokens = {}
        self.secrets = []
        self.numbers = itertools.count(300_000_000_001)

    def add(self, partition, days, report_delay, account_id=None):
        """A new account, under the id asked for or under a fresh one."""
        with self.lock:
            account_id = account_id or next(
                it for it in map(str, self.numbers) if it not in self.accounts
            )
            if account_id in self.accounts:
                raise ValueError(f"there is an account {account_id} already")
            account = Account(account_id, partition, days, report_delay)
            self.accounts[account_id] = account
        self.secrets.append(account.request_token)
        return account

    def account_of(self, arn):
        """The account of an ARN, or None."""
        parts = arn.split(":")
        return self.accounts.get(parts[4]) if len(parts) > 4 else None

    def session_of(self, key_id):
        """Whose credentials these are: a role's, or an IAM user's active key; None if nobody's."""
        if key_id in self.sessions:
            return self.sessions[key_id]
        for account in list(self.accounts.values()):
            key = account.backend.access_keys.get(key_id)
            if key is not None and key.status == "Active":
                return UserSession(account, account.backend.users[key.user_name])
        return None

    def open_session(self, account, role, name, seconds):
        """Gives out credentials of the role for so many seconds."""
        characters = string.ascii_uppercase + "234567"
        session = Session(
            account=account,
            role=role,
            name=name,
            access_key="ASIA" + "".join(secrets.choice(characters) for _ in range(16)),
            secret=secrets.token_urlsafe(30),
            token=secrets.token_urlsafe(240),
            expires=time.time() + seconds,
        )
        self.sessions[session.access_key] = session
        self.secrets += [session.secret, session.token]
        return session
