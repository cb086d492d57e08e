"""What goes wrong on purpose: the faults of a repository, as a test asked for them.

A fault is an object with exactly one of these:

    status         answers with this status instead of carrying the request out
    reset          resets the connection instead
    silence        answers nothing until the client goes
    keep_old_body  answers 200 to a PATCH, with what was there before
    hold           holds so many requests until all of them have come in
    hide           leaves issues out of lists: those with these numbers, or, as a number K, those
                   that were created within the last K requests, and comments as well
    null_user      names no author, and nobody who closed it, in what is read: true, or the numbers
                   of the issues

and with any of these:

    method, path, query   which requests it concerns; the last two are regular expressions
    skip, max             how many of those pass first, and how many it befalls then
    after                 carries the request out, then answers as if it had not
    headers, body, content_type   of the answer with the status; a text as it stands, else JSON
    delay                 seconds before the answer
"""

import re
import threading

KINDS = {"status", "reset", "silence", "keep_old_body", "hold", "hide", "null_user"}
INSTEAD = {"status", "reset", "silence", "keep_old_body"}
MORE = {"method", "path", "query", "skip", "max", "after", "delay"}
MORE |= {"headers", "body", "content_type"}

# How long a request is held for others that never come, so that a test fails rather than hangs.
PATIENCE = 60.0


class Fault:
    """One fault, and how often it is still to befall."""

    def __init__(self, wanted):
        kinds = KINDS & wanted.keys()
        unknown = wanted.keys() - KINDS - MORE
        # So that a typo tests nothing in silence.
        if unknown or len(kinds) != 1:
            raise ValueError(f"not one fault: {wanted}")
        self.kind = kinds.pop()
        self.wanted, self.value = wanted, wanted[self.kind]
        self.skip = wanted.get("skip", 0)
        self.left = wanted.get("max", self.value if self.kind == "hold" else float("inf"))
        self.gate = threading.Barrier(self.value) if self.kind == "hold" else None
        # Hiding and naming no author is about what is read, unless the test says otherwise.
        self.method = wanted.get("method", "GET" if self.kind in ("hide", "null_user") else "")

    def befalls(self, request):
        """Whether it befalls the request; counts it."""
        concerns = (
            self.method in ("", request.method)
            and re.search(self.wanted.get("path", ""), request.path)
            and re.search(self.wanted.get("query", ""), request.query)
        )
        if not concerns or self.left <= 0:
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.left -= 1
        return True

    def hold(self):
        """Waits until all that are to be held are there."""
        try:
            self.gate.wait(PATIENCE)
        except threading.BrokenBarrierError:
            self.left = 0


class Met:
    """The faults that befall one request."""

    def __init__(self, faults):
        self.faults = faults
        self.instead = next((it for it in faults if it.kind in INSTEAD), None)
        self.delay = sum(it.wanted.get("delay", 0.0) for it in faults)

    def hold(self):
        """Waits where the request is to be held."""
        for fault in self.faults:
            if fault.kind == "hold":
                fault.hold()

    def hidden(self, repository):
        """The numbers of the issues to leave out of a list."""
        numbers = set()
        for fault in self.faults:
            if fault.kind != "hide":
                continue
            if isinstance(fault.value, list):
                numbers |= set(fault.value)
            else:
                since = repository.requests - fault.value
                numbers |= {it for it, at in repository.created.items() if at >= since}
        return numbers

    def unsaid(self, repository):
        """The ids of the comments to leave out of a list."""
        spans = [it.value for it in self.faults if it.kind == "hide" and isinstance(it.value, int)]
        since = repository.requests - max(spans, default=-1)
        return {it for it, at in repository.commented.items() if at >= since}

    def bend(self, value):
        """Takes the authors out of what was read."""
        for fault in self.faults:
            if fault.kind == "null_user":
                for it in value if isinstance(value, list) else [value]:
                    if fault.value is True or it.get("number") in fault.value:
                        it["user"] = None
                        if "closed_by" in it:
                            it["closed_by"] = None

    def names(self):
        """The kinds of the faults."""
        return [it.kind for it in self.faults]


class Faults:
    """The faults of one repository."""

    def __init__(self, wanted):
        self.faults = [Fault(it) for it in wanted]

    def meet(self, request):
        """The faults that befall a request: all that only bend it, and one that stands instead."""
        met, replaced = [], False
        for fault in self.faults:
            instead = fault.kind in INSTEAD
            if not (instead and replaced) and fault.befalls(request):
                met.append(fault)
                replaced = replaced or instead
        return Met(met)
