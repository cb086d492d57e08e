"""The faults of an account that a test requests.

    {"throttle": {"every": 3, "max": 2, "actions": ["ListUsers"]}}
                            calls fail without taking effect; also `code` and `status`
    {"error": {"nth": 2, "actions": ["DeleteUser"], "code": "DeleteConflict", "status": 409}}
                            calls fail with this error; also `message`, in which `{token}` and
                            `{session}` stand for the OIDC token and the session token of the call
    {"burst": {"rate": 5, "burst": 3}}                  throttles above this many calls per second
    {"reset": {…}}, {"stall": {…}}                      stops halfway through a response
    {"lost": {"actions": ["UpdateAccessKey"], "max": 1}}
                            the call takes effect, and the connection is reset instead of a
                            response; counts calls that took effect
    {"hold": {"action": "DeleteAccessKey", "nth": 1, "when": "before"}}
                            holds a call `before` it takes effect (it then never does) or `after`:
                            no response until the client disconnects or the faults are replaced,
                            which resets the connection; counts allowed calls
    {"edit": {"actions": ["ListUsers"], "replace": {"<CreateDate>[^<]*</CreateDate>": ""}}}
                            the call takes effect, and the response is changed: the text that
                            matches a pattern, or all of it (`body`, with `status`); `pad` adds
                            MiB of spaces
    {"endless": {"actions": ["ListUsers"], "markers": ["a", "b"]}}
                            always returns the first page, with these markers in turn
    {"slow": {"seconds": 5}}, {"latency": {"milliseconds": 20}}, {"short_pages": {"items": 2}}
    {"expired": {"after": 3}}, {"deny": ["ListUsers"]}, {"deny_account": true},
    {"refuse_role": true}
    {"report_in_progress": 2.5}, {"report_expired": 1}, {"limit_exceeded": 1}
    {"oidc": "no-provider"}, {"oidc_errors": 1}
    {"other_account": "999988887777"}                   STS returns this account for its roles
    {"oidc_bare": true}     token requests return only the token, as a JSON string

A fault with `actions` affects only these. It affects every call of them, or every n-th (`every`),
or only the n-th (`nth`), and at most `max` calls. Several faults of a kind are a list.
"""

import re
import socket
import threading
import time

from .answers import Answer, AwsError
from .policy import denied

# The faults and their fields; None for a plain value.
KNOWN = {
    "throttle": {"every", "nth", "max", "actions", "code", "status"},
    "burst": {"rate", "burst", "actions"},
    "error": {"every", "nth", "max", "actions", "code", "status", "message"},
    "reset": {"every", "nth", "max", "actions"},
    "stall": {"every", "nth", "max", "actions"},
    "lost": {"every", "nth", "max", "actions"},
    "hold": {"action", "nth", "when"},
    "edit": {"every", "nth", "max", "actions", "replace", "body", "status", "pad"},
    "endless": {"actions", "markers"},
    "slow": {"every", "nth", "max", "actions", "seconds"},
    "latency": {"milliseconds", "actions"},
    "short_pages": {"items", "actions"},
    "expired": {"after"},
    "deny": None,
    "deny_account": None,
    "refuse_role": None,
    "report_in_progress": None,
    "report_expired": None,
    "limit_exceeded": None,
    "oidc": None,
    "oidc_errors": None,
    "other_account": None,
    "oidc_bare": None,
}

OIDC = {
    "no-provider": AwsError(
        "InvalidIdentityToken",
        "No OpenIDConnect provider found in your account for "
        "https://token.actions.githubusercontent.com",
    ),
    "not-authorized": AwsError(
        "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity", 403
    ),
    "expired-token": AwsError("ExpiredTokenException", "Token expired"),
}


class Counted:
    """A fault of every n-th call of some actions, or of only one call."""

    def __init__(self, wanted):
        self.wanted = wanted
        self.actions = bare(wanted.get("actions", []))
        self.every, self.left = wanted.get("every", 1), wanted.get("max", float("inf"))
        self.nth = wanted.get("nth")
        self.seen = 0

    def concerns(self, call):
        """Whether the fault is for this action."""
        return not self.actions or call.action in self.actions

    def affects(self, call):
        """Whether the fault affects this call. Counts the call."""
        if not self.concerns(call):
            return False
        self.seen += 1
        if self.nth not in (None, self.seen) or self.seen % self.every or self.left <= 0:
            return False
        self.left -= 1
        return True


class Bucket(Counted):
    """A limit of calls per second, with an allowance for bursts."""

    def __init__(self, wanted):
        super().__init__(wanted)
        self.tokens, self.at = wanted["burst"], time.monotonic()

    def affects(self, call):
        """Whether the call exceeds the limit."""
        if not self.concerns(call):
            return False
        now = time.monotonic()
        self.tokens += (now - self.at) * self.wanted["rate"]
        self.tokens, self.at = min(self.tokens, self.wanted["burst"]), now
        if self.tokens < 1:
            return True
        self.tokens -= 1
        return False


class Hold(Counted):
    """A held call. The connection's thread uses it as a context while its client waits.

    Holding keeps no lock: a call held `after` has already taken effect, and a call held `before`
    never takes effect.
    """

    def __init__(self, wanted):
        super().__init__({"actions": [wanted["action"]], "nth": wanted.get("nth", 1)})
        self.before = wanted["when"] == "before"
        self.waiting, self.lock = 0, threading.Lock()
        # Readable for all waiting threads after the other end is closed.
        self.ending, self.ended = socket.socketpair()

    def take(self, answer):
        """Holds the response."""
        with self.lock:
            self.waiting += 1
        answer.hold = self
        return answer

    def release(self):
        """Ends all held calls."""
        self.ending.close()

    def fileno(self):
        """The file descriptor that `select` watches for the end."""
        return self.ended.fileno()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with self.lock:
            self.waiting -= 1


class Faults:
    """The faults of one account, applied to each call under the account's lock."""

    def __init__(self, wanted):
        for name, value in wanted.items():
            check(name, value)
        self.wanted = wanted
        self.denied = bare(wanted.get("deny", []))
        several = {name: as_list(wanted.get(name)) for name in KNOWN}
        self.throttles = [Counted(fields) for fields in several["throttle"]]
        self.bursts = [Bucket(fields) for fields in several["burst"]]
        self.errors = [Counted(fields) for fields in several["error"]]
        self.interruptions = {
            name: [Counted(fields) for fields in several[name]] for name in ("reset", "stall")
        }
        self.lost = [Counted(fields) for fields in several["lost"]]
        self.holds = [Hold(fields) for fields in several["hold"]]
        self.edits = [Counted(fields) for fields in several["edit"]]
        self.endless = [Counted(fields) for fields in several["endless"]]
        self.slow = [Counted(fields) for fields in several["slow"]]
        self.latency = [Counted(fields) for fields in several["latency"]]
        self.short_pages = [Counted(fields) for fields in several["short_pages"]]
        self.report_expired = wanted.get("report_expired", 0)
        self.limit_exceeded = wanted.get("limit_exceeded", 0)
        self.oidc_errors = wanted.get("oidc_errors", 0)
        self.report_asked_at = None
        self.allowed, self.expired_at = 0, None

    def fail(self, call):
        """Raises the errors that AWS returns before it processes a call."""
        if any(fault.concerns(call) for fault in self.endless):
            call.parameters.pop("Marker", None)
        for fault in self.throttles:
            if fault.affects(call):
                raise throttling(fault.wanted)
        for fault in self.bursts:
            if fault.affects(call):
                raise throttling({})
        for fault in self.errors:
            if fault.affects(call):
                status = fault.wanted.get("status", 500)
                usual = "ServiceFailure" if status == 500 else "ServiceUnavailable"
                code = fault.wanted.get("code", usual)
                message = fault.wanted.get("message", "The request processing has failed.")
                message = message.replace("{token}", call.parameters.get("WebIdentityToken", ""))
                message = message.replace("{session}", getattr(call.session, "token", None) or "")
                raise AwsError(code, message, status)

    def expire(self, session):
        """Raises ExpiredToken after a number of allowed calls.

        Credentials that are issued later work.
        """
        if "expired" not in self.wanted:
            return
        if self.expired_at is None and self.allowed >= self.wanted["expired"].get("after", 0):
            self.expired_at = time.monotonic()
        if self.expired_at is not None and session.issued <= self.expired_at:
            raise AwsError(
                "ExpiredToken", "The security token included in the request is expired", 403
            )
        self.allowed += 1

    def deny(self, call):
        """Raises AccessDenied for the named actions, or for all of IAM."""
        if call.action in self.denied or (
            self.wanted.get("deny_account") and call.service == "iam"
        ):
            raise denied(call.caller, f"{call.service}:{call.action}", call.resource)

    def hold_before(self, call):
        """The held response of a call that never takes effect, or None."""
        for hold in self.holds:
            if hold.before and hold.affects(call):
                return hold.take(Answer(0, b"", "text/xml"))
        return None

    def hold_after(self, call, answer):
        """Holds the response of a call that took effect, if a fault requests it."""
        for hold in self.holds:
            if not hold.before and answer.hold is None and hold.affects(call):
                hold.take(answer)

    def is_holding(self):
        """Whether a call is held."""
        return any(hold.waiting for hold in self.holds)

    def release(self):
        """Ends all held calls."""
        for hold in self.holds:
            hold.release()

    def modify(self, call, answer):
        """Changes, delays, interrupts, stalls or drops the response."""
        for fault in self.edits:
            if fault.affects(call):
                edit(answer, fault.wanted)
        for fault in self.endless:
            if fault.affects(call):
                markers = fault.wanted["markers"]
                marker = markers[(fault.seen - 1) % len(markers)]
                more = f"<IsTruncated>true</IsTruncated><Marker>{marker}</Marker>"
                edit(answer, {"replace": {"<IsTruncated>false</IsTruncated>": more}})
        for fault in self.lost:
            if answer.status == 200 and fault.affects(call):
                answer.delivery = "drop"
        for fault in self.latency:
            if fault.concerns(call):
                answer.delay += fault.wanted["milliseconds"] / 1000
        for fault in self.slow:
            if fault.affects(call):
                answer.delay += fault.wanted["seconds"]
        for delivery, faults in self.interruptions.items():
            for fault in faults:
                if fault.affects(call):
                    answer.delivery = delivery

    def most_items(self, call):
        """The maximum number of items on a page of this action."""
        return min(
            [fault.wanted["items"] for fault in self.short_pages if fault.concerns(call)],
            default=float("inf"),
        )

    def role_with_web_identity(self):
        """Raises the requested error of the OIDC provider or trust policy."""
        if "oidc" in self.wanted:
            raise OIDC[self.wanted["oidc"]]

    def report_pending(self, generate):
        """Whether the credential report appears to be in progress."""
        seconds = self.wanted.get("report_in_progress")
        if seconds is None:
            return False
        if self.report_asked_at is None:
            if not generate:
                return False
            self.report_asked_at = time.monotonic()
        return time.monotonic() - self.report_asked_at < seconds

    def take_one(self, name):
        """Whether a fault with a number of times happens now. Decrements the number."""
        left = getattr(self, name)
        setattr(self, name, max(left - 1, 0))
        return left > 0


def edit(answer, wanted):
    """Changes the response of a call that took effect."""
    text = answer.body.decode()
    for pattern, replacement in wanted.get("replace", {}).items():
        text = re.sub(pattern, replacement, text, flags=re.DOTALL)
    answer.body = wanted.get("body", text).encode() + b" " * (wanted.get("pad", 0) << 20)
    answer.status = wanted.get("status", answer.status)


def check(name, value):
    """Raises ValueError for an unknown fault, so that a typo is not ignored."""
    if name not in KNOWN:
        raise ValueError(f"no such fault: {name}")
    if name == "oidc" and value not in OIDC:
        raise ValueError(f"no such fault of oidc: {value}")
    if name == "hold" and not all(hold["when"] in ("before", "after") for hold in as_list(value)):
        raise ValueError("hold is before or after")
    for fields in as_list(value) if KNOWN[name] is not None else []:
        unknown = fields.keys() - KNOWN[name]
        if unknown:
            raise ValueError(f"{name} has no field {', '.join(sorted(unknown))}")


def as_list(value):
    """The value as a list. A test may give a single fault instead."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def bare(actions):
    """The names of the actions without their service."""
    return {action.rpartition(":")[2] for action in actions}


def throttling(wanted):
    """The error for too many calls."""
    return AwsError(wanted.get("code", "Throttling"), "Rate exceeded", wanted.get("status", 400))
