"""What goes wrong on purpose: the faults of an account, as a test asked for them.

    {"throttle": {"every": 3, "max": 2, "actions": ["ListUsers"]}}
                            refuses calls, which are not carried out; also `code` and `status`
    {"error": {"nth": 2, "actions": ["DeleteUser"], "code": "DeleteConflict", "status": 409}}
                            answers an error instead; also `message`, in which `{token}` and
                            `{session}` are the OIDC token and the session token that were sent
    {"burst": {"rate": 5, "burst": 3}}                  throttles beyond so many calls a second
    {"reset": {…}}, {"stall": {…}}                      breaks off half-way through an answer
    {"lost": {"actions": ["UpdateAccessKey"], "max": 1}}
                            carries the call out, and resets the connection instead of answering;
                            counts the calls that were carried out
    {"hold": {"action": "DeleteAccessKey", "nth": 1, "when": "before"}}
                            stops at a call, `before` it is carried out (and then it never is) or
                            `after`: no answer until the client goes away, or until the faults are
                            replaced, which resets the connection; counts the calls that are allowed
    {"edit": {"actions": ["ListUsers"], "replace": {"<CreateDate>[^<]*</CreateDate>": ""}}}
                            carries the call out and changes the answer: what matches a pattern, or
                            all of it (`body`, with `status`); `pad` adds so many MiB of spaces
    {"endless": {"actions": ["ListUsers"], "markers": ["a", "b"]}}
                            gives the first page again and again, and these markers in turn
    {"slow": {"seconds": 5}}, {"latency": {"milliseconds": 20}}, {"short_pages": {"items": 2}}
    {"expired": {"after": 3}}, {"deny": ["ListUsers"]}, {"deny_account": true},
    {"refuse_role": true}
    {"report_in_progress": 2.5}, {"report_expired": 1}, {"limit_exceeded": 1}
    {"oidc": "no-provider"}, {"oidc_errors": 1}
    {"other_account": "999988887777"}                   STS answers with this account for its roles
    {"oidc_bare": true}     answers token requests with the token alone, as a text in JSON

A fault with `actions` is about these alone. It befalls each of their calls, or every so many
(`every`), or the n-th alone (`nth`), and at most so many (`max`). Several of a kind are a list.
"""

import re
import socket
import threading
import time

from .answers import Answer, AwsError
from .policy import denied

# Every fault, and what may be said of it; None for a plain value.
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
    """A fault that befalls every so many calls of some actions, or one of them alone."""

    def __init__(self, wanted):
        self.wanted = wanted
        self.actions = bare(wanted.get("actions", []))
        self.every, self.left = wanted.get("every", 1), wanted.get("max", float("inf"))
        self.nth = wanted.get("nth")
        self.seen = 0

    def concerns(self, call):
        """Whether the fault is about this action."""
        return not self.actions or call.action in self.actions

    def befalls(self, call):
        """Whether this call is to go wrong; counts it."""
        if not self.concerns(call):
            return False
        self.seen += 1
        if self.nth not in (None, self.seen) or self.seen % self.every or self.left <= 0:
            return False
        self.left -= 1
        return True


class Bucket(Counted):
    """A limit of so many calls a second, with a reserve for bursts."""

    def __init__(self, wanted):
        super().__init__(wanted)
        self.tokens, self.at = wanted["burst"], time.monotonic()

    def befalls(self, call):
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
    """A call at which the stand-in stops; used as a context by whoever keeps its client waiting.

    A held call has nothing more to do here: what is to happen has happened already, so that no
    lock is kept, and a call held before it was carried out never is.
    """

    def __init__(self, wanted):
        super().__init__({"actions": [wanted["action"]], "nth": wanted.get("nth", 1)})
        self.before = wanted["when"] == "before"
        self.waiting, self.lock = 0, threading.Lock()
        # Readable for all who wait once the other end is closed.
        self.ending, self.ended = socket.socketpair()

    def take(self, answer):
        """Holds the answer back."""
        with self.lock:
            self.waiting += 1
        answer.hold = self
        return answer

    def release(self):
        """Lets go of everything that is held."""
        self.ending.close()

    def fileno(self):
        """What `select` watches for the end."""
        return self.ended.fileno()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with self.lock:
            self.waiting -= 1


class Faults:
    """The faults of one account; asked for each call under the account's lock."""

    def __init__(self, wanted):
        for name, value in wanted.items():
            check(name, value)
        self.wanted = wanted
        self.denied = bare(wanted.get("deny", []))
        several = {name: every(wanted.get(name)) for name in KNOWN}
        self.throttles = [Counted(it) for it in several["throttle"]]
        self.bursts = [Bucket(it) for it in several["burst"]]
        self.errors = [Counted(it) for it in several["error"]]
        self.ways = {name: [Counted(it) for it in several[name]] for name in ("reset", "stall")}
        self.lost = [Counted(it) for it in several["lost"]]
        self.holds = [Hold(it) for it in several["hold"]]
        self.edits = [Counted(it) for it in several["edit"]]
        self.endless = [Counted(it) for it in several["endless"]]
        self.slow = [Counted(it) for it in several["slow"]]
        self.latency = [Counted(it) for it in several["latency"]]
        self.short_pages = [Counted(it) for it in several["short_pages"]]
        self.report_expired = wanted.get("report_expired", 0)
        self.limit_exceeded = wanted.get("limit_exceeded", 0)
        self.oidc_errors = wanted.get("oidc_errors", 0)
        self.report_asked_at = None
        self.let_through, self.expired_at = 0, None

    def refuse(self, call):
        """Raises what AWS would answer before it looks at the call itself."""
        if any(it.concerns(call) for it in self.endless):
            call.parameters.pop("Marker", None)
        for fault in self.throttles:
            if fault.befalls(call):
                raise throttling(fault.wanted)
        for fault in self.bursts:
            if fault.befalls(call):
                raise throttling({})
        for fault in self.errors:
            if fault.befalls(call):
                status = fault.wanted.get("status", 500)
                usual = "ServiceFailure" if status == 500 else "ServiceUnavailable"
                code = fault.wanted.get("code", usual)
                message = fault.wanted.get("message", "The request processing has failed.")
                message = message.replace("{token}", call.parameters.get("WebIdentityToken", ""))
                message = message.replace("{session}", getattr(call.session, "token", None) or "")
                raise AwsError(code, message, status)

    def expire(self, session):
        """Raises ExpiredToken once so many calls were let through.

        Credentials that are given out after that moment work.
        """
        if "expired" not in self.wanted:
            return
        if self.expired_at is None and self.let_through >= self.wanted["expired"].get("after", 0):
            self.expired_at = time.monotonic()
        if self.expired_at is not None and session.issued <= self.expired_at:
            raise AwsError(
                "ExpiredToken", "The security token included in the request is expired", 403
            )
        self.let_through += 1

    def deny(self, call):
        """Raises AccessDenied for the actions that were named, or for all of IAM."""
        if call.action in self.denied or (
            self.wanted.get("deny_account") and call.service == "iam"
        ):
            raise denied(call.caller, f"{call.service}:{call.action}", call.resource)

    def hold_before(self, call):
        """What stands for the answer of a call that is never carried out, if this is one."""
        for hold in self.holds:
            if hold.before and hold.befalls(call):
                return hold.take(Answer(0, b"", "text/xml"))
        return None

    def hold_after(self, call, answer):
        """Holds the answer of a call that was carried out, if this is one."""
        for hold in self.holds:
            if not hold.before and answer.hold is None and hold.befalls(call):
                hold.take(answer)

    def is_holding(self):
        """Whether a call is being held."""
        return any(it.waiting for it in self.holds)

    def release(self):
        """Lets go of the calls that are held."""
        for hold in self.holds:
            hold.release()

    def bend(self, call, answer):
        """Lets the answer be another, come late, break off, stop, or get lost."""
        for fault in self.edits:
            if fault.befalls(call):
                edit(answer, fault.wanted)
        for fault in self.endless:
            if fault.befalls(call):
                markers = fault.wanted["markers"]
                marker = markers[(fault.seen - 1) % len(markers)]
                more = f"<IsTruncated>true</IsTruncated><Marker>{marker}</Marker>"
                edit(answer, {"replace": {"<IsTruncated>false</IsTruncated>": more}})
        for fault in self.lost:
            if answer.status == 200 and fault.befalls(call):
                answer.delivery = "drop"
        for fault in self.latency:
            if fault.concerns(call):
                answer.delay += fault.wanted["milliseconds"] / 1000
        for fault in self.slow:
            if fault.befalls(call):
                answer.delay += fault.wanted["seconds"]
        for way, faults in self.ways.items():
            for fault in faults:
                if fault.befalls(call):
                    answer.delivery = way

    def most_items(self, call):
        """The most items that a page of this action may hold."""
        return min(
            [it.wanted["items"] for it in self.short_pages if it.concerns(call)],
            default=float("inf"),
        )

    def role_with_web_identity(self):
        """Raises what the account's OIDC provider or trust policy is made to answer."""
        if "oidc" in self.wanted:
            raise OIDC[self.wanted["oidc"]]

    def report_pending(self, generate):
        """Whether the credential report is made to look as if it were in progress."""
        seconds = self.wanted.get("report_in_progress")
        if seconds is None:
            return False
        if self.report_asked_at is None:
            if not generate:
                return False
            self.report_asked_at = time.monotonic()
        return time.monotonic() - self.report_asked_at < seconds

    def once(self, name):
        """Whether a fault that is given as a number of times befalls now; counts it down."""
        left = getattr(self, name)
        setattr(self, name, max(left - 1, 0))
        return left > 0


def edit(answer, wanted):
    """Changes the answer of a call that was carried out."""
    text = answer.body.decode()
    for pattern, replacement in wanted.get("replace", {}).items():
        text = re.sub(pattern, replacement, text, flags=re.DOTALL)
    answer.body = wanted.get("body", text).encode() + b" " * (wanted.get("pad", 0) << 20)
    answer.status = wanted.get("status", answer.status)


def check(name, value):
    """Raises ValueError for a fault that is not known, so that a typo tests nothing silently."""
    if name not in KNOWN:
        raise ValueError(f"no such fault: {name}")
    if name == "oidc" and value not in OIDC:
        raise ValueError(f"no such fault of oidc: {value}")
    if name == "hold" and not all(it["when"] in ("before", "after") for it in every(value)):
        raise ValueError("hold is before or after")
    for it in every(value) if KNOWN[name] is not None else []:
        unknown = it.keys() - KNOWN[name]
        if unknown:
            raise ValueError(f"{name} knows no {', '.join(sorted(unknown))}")


def every(value):
    """A fault's settings as a list, where a test may give one alone."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def bare(actions):
    """The actions' names without their service."""
    return {it.rpartition(":")[2] for it in actions}


def throttling(wanted):
    """The answer to a caller who calls too often."""
    return AwsError(wanted.get("code", "Throttling"), "Rate exceeded", wanted.get("status", 400))
