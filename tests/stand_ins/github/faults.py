"""The faults of a repository that a test requests.

A fault is an object with exactly one of these fields:

    status         responds with this status, and the request does not take effect
    reset          resets the connection, and the request does not take effect
    silence        does not respond until the client disconnects
    keep_old_body  responds to a PATCH with status 200 and the unchanged item
    hold           holds this many requests until all of them have arrived
    hide           omits issues from lists: those with these numbers, or, for a number K, those
                   created within the last K requests; comments as well
    null_user      returns no author and no closed_by: true, or the numbers of the issues

and any of these:

    method, path, query   the requests it affects; path and query are regular expressions
    skip, max             how many of those pass first, and how many are affected then
    after                 the request takes effect before the fault
    headers, body, content_type   of the response with the status; a string as it is, else JSON
    delay                 seconds before the response
"""

import re
import threading

KINDS = {"status", "reset", "silence", "keep_old_body", "hold", "hide", "null_user"}
INSTEAD = {"status", "reset", "silence", "keep_old_body"}
MORE = {"method", "path", "query", "skip", "max", "after", "delay"}
MORE |= {"headers", "body", "content_type"}

# The longest time in seconds that a request is held, so that a test fails instead of hanging.
HOLD_TIMEOUT = 60.0


class Fault:
    """A fault, and how many requests it still affects."""

    def __init__(self, wanted):
        kinds = KINDS & wanted.keys()
        unknown = wanted.keys() - KINDS - MORE
        # So that a typo is not ignored.
        if unknown or len(kinds) != 1:
            raise ValueError(f"not one fault: {wanted}")
        self.kind = kinds.pop()
        self.wanted, self.value = wanted, wanted[self.kind]
        self.skip = wanted.get("skip", 0)
        self.left = wanted.get("max", self.value if self.kind == "hold" else float("inf"))
        self.gate = threading.Barrier(self.value) if self.kind == "hold" else None
        # These two affect only GET requests, unless the test requests another method.
        self.method = wanted.get("method", "GET" if self.kind in ("hide", "null_user") else "")

    def affects(self, request):
        """Whether the fault affects the request. Counts the request."""
        matches = (
            self.method in ("", request.method)
            and re.search(self.wanted.get("path", ""), request.path)
            and re.search(self.wanted.get("query", ""), request.query)
        )
        if not matches or self.left <= 0:
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.left -= 1
        return True

    def hold(self):
        """Waits until all requests to be held have arrived."""
        try:
            self.gate.wait(HOLD_TIMEOUT)
        except threading.BrokenBarrierError:
            self.left = 0


class ActiveFaults:
    """The faults that affect a request."""

    def __init__(self, faults):
        self.faults = faults
        self.instead = next((fault for fault in faults if fault.kind in INSTEAD), None)
        self.delay = sum(fault.wanted.get("delay", 0.0) for fault in faults)

    def hold(self):
        """Waits if the request is to be held."""
        for fault in self.faults:
            if fault.kind == "hold":
                fault.hold()

    def hidden_issues(self, repository):
        """The numbers of the issues to omit from a list."""
        numbers = set()
        for fault in self.faults:
            if fault.kind != "hide":
                continue
            if isinstance(fault.value, list):
                numbers |= set(fault.value)
            else:
                since = repository.requests - fault.value
                numbers |= {number for number, at in repository.created.items() if at >= since}
        return numbers

    def hidden_comments(self, repository):
        """The ids of the comments to omit from a list."""
        values = [fault.value for fault in self.faults if fault.kind == "hide"]
        spans = [value for value in values if isinstance(value, int)]
        since = repository.requests - max(spans, default=-1)
        return {comment for comment, at in repository.commented.items() if at >= since}

    def remove_authors(self, value):
        """Removes the authors from a response."""
        for fault in self.faults:
            if fault.kind == "null_user":
                for item in value if isinstance(value, list) else [value]:
                    if fault.value is True or item.get("number") in fault.value:
                        item["user"] = None
                        if "closed_by" in item:
                            item["closed_by"] = None

    def names(self):
        """The kinds of the faults."""
        return [fault.kind for fault in self.faults]


class Faults:
    """The faults of one repository."""

    def __init__(self, wanted):
        self.faults = [Fault(fields) for fields in wanted]

    def for_request(self, request):
        """The faults that affect a request. At most one of them replaces the response."""
        active, replaced = [], False
        for fault in self.faults:
            instead = fault.kind in INSTEAD
            if not (instead and replaced) and fault.affects(request):
                active.append(fault)
                replaced = replaced or instead
        return ActiveFaults(active)
