"""The proxy: checks, logs and bends each request and answer on its way to the emulator."""

import json
import time
import traceback

from .answers import failing, of_json, refusal
from .mends import Call, carry_out
from .repositories import PERSON, needed

START = time.monotonic()


def since_start():
    """The seconds since the server began."""
    return round(time.monotonic() - START, 6)


class Proxy:
    """Stands between a client and the emulator."""

    def __init__(self, registry, emulator, contract):
        self.registry, self.emulator, self.contract = registry, emulator, contract

    def answer(self, request):
        """The answer to a request, which stands in its repository's log before it is sent."""
        caller = self.registry.caller(request.headers.get("authorization", ""))
        repository, below = self.registry.place(request.path)
        # What is of no repository of ours is of the token's.
        place = repository or (caller.home if caller else self.registry.nowhere)
        operation, violations = self.contract.check_request(request)
        entry = {
            "method": request.method,
            "path": request.path,
            "query": request.query,
            "body": read(request.body),
            "login": caller.login if caller else "",
            "status": 0,
            "answer": None,
            "violations": violations,
            "faults": [],
            "at": since_start(),
            "until": None,
        }
        with place.lock:
            place.requests += 1
            place.log.append(entry)
            met = place.faults.meet(request)
        entry["faults"] = met.names()
        met.hold()
        try:
            answer = self.decide(request, caller, repository, below, met)
        except Exception:  # noqa: BLE001: a fault of the stand-in itself is shown and answered
            traceback.print_exc()
            answer = refusal(500, "The stand-in failed: see standard error")
            violations.append(f"the stand-in failed: {traceback.format_exc(limit=-1)}")
        if operation and not met.faults:
            violations += self.contract.check_answer(operation, answer)
        answer.delay += met.delay
        entry["until"] = round(since_start() + answer.delay, 6)
        if answer.delivery == "whole":
            entry["status"], entry["answer"] = answer.status, read(answer.body)
        return answer

    def decide(self, request, caller, repository, below, met):
        """The answer, as the faults have it, or as it is."""
        fault = met.instead
        if fault is None:
            answer = self.carry_out(request, caller, repository, below, met)
            if answer.status == 200 and "null_user" in met.names():
                value = json.loads(answer.body)
                met.bend(value)
                answer.body = json.dumps(value).encode()
            return answer
        if fault.kind == "keep_old_body":
            return self.look(request, caller, repository, below)
        if fault.wanted.get("after"):
            self.carry_out(request, caller, repository, below, met)
        if fault.kind == "status":
            return failing(fault.value, fault.wanted, needed(request.method, below))
        answer = of_json(200, None)
        answer.delivery = {"reset": "drop", "silence": "silence"}[fault.kind]
        return answer

    def look(self, request, caller, repository, below):
        """What is there, in answer to a change of it."""
        call = Call(repository, caller.login, "GET", below)
        assert request.method == "PATCH", "only a PATCH can keep what was there"
        return carry_out(self.emulator, call)

    def carry_out(self, request, caller, repository, below, met):
        """Carries the request out, if the token may ask it."""
        if caller is None:
            return refusal(401)
        if repository is None:
            return self.beside_repositories(request, caller)
        if caller.is_app:
            allowed = self.may(caller, repository, request.method, below)
            if allowed is not None:
                return allowed
        value = read(request.body)
        if value is not None and not isinstance(value, (dict, list)):
            return refusal(400)
        accept = request.headers.get("accept", "")
        login, query = caller.login, request.query
        call = Call(repository, login, request.method, below, query, value, accept)
        hidden, unsaid = met.hidden(repository), met.unsaid(repository)
        return carry_out(self.emulator, call, hidden, unsaid)

    def may(self, caller, repository, method, below):
        """The refusal of what a job's token may not do, else None."""
        if caller.is_workflow and caller.home is not repository:
            # The token of another repository's job sees what everybody sees.
            told = self.emulator.ask(PERSON, "GET", f"/repos/{repository.name}").value
            if told["private"]:
                return refusal(404)
            if method == "GET":
                return None
        elif repository.allows(method, below):
            return None
        accepted = "; ".join(needed(method, below))
        return refusal(403, headers=[("X-Accepted-GitHub-Permissions", accepted)])

    def beside_repositories(self, request, caller):
        """What is asked about no repository that is known."""
        if (request.method, request.path) == ("POST", "/graphql"):
            return graphql(read(request.body), caller)
        if request.path == "/user" and caller.is_app:
            return refusal(403)
        if request.path not in ("/user", "/rate_limit") or request.method != "GET":
            return refusal(404)
        reply = self.emulator.ask(caller.login, "GET", request.path)
        return of_json(reply.status, reply.value)


def graphql(body, caller):
    """The answer to the one question of GraphQL's that is known here: whose the token is."""
    query = body.get("query") if isinstance(body, dict) else None
    if not isinstance(query, str) or "".join(query.split()) != "query{viewer{login}}":
        told = "the stand-in knows no other query than viewer { login }"
        return of_json(200, {"errors": [{"type": "undefinedField", "message": told}]})
    return of_json(200, {"data": {"viewer": {"login": caller.login}}})


def read(body):
    """A body's JSON; its text where it is none, None where it is empty."""
    if not body:
        return None
    try:
        return json.loads(body)
    except ValueError:
        return body.decode("utf-8", "replace")
