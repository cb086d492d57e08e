"""The accounts of the stand-in. Each has its own moto backend, policy, faults and log."""

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

# A region of each partition. moto derives a user's ARN from it.
REGIONS = {
    "aws": "us-east-1",
    "aws-cn": "cn-north-1",
    "aws-us-gov": "us-gov-west-1",
    "aws-eusc": "eusc-de-east-1",
}

STARTED = time.monotonic()


def since_start():
    """Seconds since the start of the stand-in."""
    return round(time.monotonic() - STARTED, 6)


@dataclass
class Session:
    """Credentials of an assumed role, issued by STS."""

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
        """The caller's ARN: that of the assumed role."""
        account = self.account
        return f"arn:{account.partition}:sts::{account.id}:assumed-role/{self.role}/{self.name}"


class UserSession:
    """An access key of an IAM user, used without a session. It does not expire."""

    role, token, expires, issued = None, "", float("inf"), float("inf")

    def __init__(self, account, user):
        self.account, self.user = account, user

    @property
    def arn(self):
        """The user's ARN."""
        return self.user.arn


class Account:
    """An account, and the settings of the test that owns it."""

    def __init__(self, account_id, partition, days, report_delay):
        self.id, self.partition, self.region = account_id, partition, REGIONS[partition]
        # The threshold in days of disuse for the expected findings.
        self.days = days
        # Seconds that IAM takes to generate a credential report.
        self.report_delay = report_delay
        self.lock, self.clock = threading.RLock(), Clock()
        self.backend = backend_of(account_id, partition)
        # The root user, in the format of a user's seed.
        self.root = {}
        # The current credential report, if there is one.
        self.report = None
        self.policy = None
        self.faults = Faults({})
        self.log, self.oidc_log = [], []
        # External ids that trust policies require, by role name.
        self.external_ids = {}
        self.session_seconds = None
        # Access Advisor jobs by id.
        self.jobs = {}
        self.request_token = secrets.token_urlsafe(48)

    @contextmanager
    def use(self):
        """Locks the account and makes its clock the current one."""
        with self.lock:
            token = CURRENT.set(self.clock)
            try:
                yield
            finally:
                CURRENT.reset(token)

    def role(self, arn):
        """The role with this ARN, or None."""
        return next((role for role in self.backend.roles.values() if role.arn == arn), None)

    def role_named(self, name):
        """The role with this name."""
        return next(role for role in self.backend.roles.values() if role.name == name)


class Registry:
    """All accounts, all issued credentials, and all secrets."""

    def __init__(self):
        self.lock = threading.Lock()
        self.accounts = {}
        self.sessions = {}
        self.tokens = {}
        self.secrets = []
        self.numbers = itertools.count(300_000_000_001)

    def add(self, partition, days, report_delay, account_id=None):
        """Creates an account with the requested id or a new one."""
        with self.lock:
            account_id = account_id or next(
                number for number in map(str, self.numbers) if number not in self.accounts
            )
            if account_id in self.accounts:
                raise ValueError(f"the account {account_id} already exists")
            account = Account(account_id, partition, days, report_delay)
            self.accounts[account_id] = account
        self.secrets.append(account.request_token)
        return account

    def account_of(self, arn):
        """The account of an ARN, or None."""
        parts = arn.split(":")
        return self.accounts.get(parts[4]) if len(parts) > 4 else None

    def session_of(self, key_id):
        """The session of a role or of an IAM user's active key; None for unknown credentials."""
        if key_id in self.sessions:
            return self.sessions[key_id]
        for account in list(self.accounts.values()):
            key = account.backend.access_keys.get(key_id)
            if key is not None and key.status == "Active":
                return UserSession(account, account.backend.users[key.user_name])
        return None

    def open_session(self, account, role, name, seconds):
        """Issues credentials of the role that are valid for this many seconds."""
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
