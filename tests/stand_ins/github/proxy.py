"""The proxy: checks and logs requests and responses, applies faults, and calls the emulator."""

import json
import time
import traceback

from .answers import fault_answer, json_answer, error_answer
from .github_behavior import Call, execute
from .repositories import PERSON, required_permissions

START = time.monotonic()


def since_start():
    """Seconds since the start of the server."""
    return round(time.monotonic() - START, 6)


class Proxy:
    """The proxy between a client and the emulator."""

    def __init__(self, registry, emulator, contract):
        self.registry, self.emulator, self.contract = registry, emulator, contract

    def answer(self, request):
        """The response to a request. The request is logged before the response is sent."""
        caller = self.registry.caller(request.headers.get("authorization", ""))
        repository, below = self.registry.find(request.path)
        # A request for no known repository belongs to the repository of the token.
        owner = repository or (caller.home if caller else self.registry.unassigned)
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
        with owner.lock:
            owner.requests += 1
            owner.log.append(entry)
            active = owner.faults.for_request(request)
        entry["faults"] = active.names()
        active.hold()
        try:
            answer = self.decide(request, caller, repository, below, active)
        except Exception:  # noqa: BLE001: a bug of the stand-in is printed and answered
            traceback.print_exc()
            answer = error_answer(500, "The stand-in failed: see standard error")
            violations.append(f"the stand-in failed: {traceback.format_exc(limit=-1)}")
        if operation and not active.faults:
            violations += self.contract.check_answer(operation, answer)
        answer.delay += active.delay
        entry["until"] = round(since_start() + answer.delay, 6)
        if answer.delivery == "whole":
            entry["status"], entry["answer"] = answer.status, read(answer.body)
        return answer

    def decide(self, request, caller, repository, below, active):
        """The response, with the faults applied."""
        fault = active.instead
        if fault is None:
            answer = self.execute(request, caller, repository, below, active)
            if answer.status == 200 and "null_user" in active.names():
                value = json.loads(answer.body)
                active.remove_authors(value)
                answer.body = json.dumps(value).encode()
            return answer
        if fault.kind == "keep_old_body":
            return self.unchanged(request, caller, repository, below)
        if fault.wanted.get("after"):
            self.execute(request, caller, repository, below, active)
        if fault.kind == "status":
            return fault_answer(
                fault.value, fault.wanted, required_permissions(request.method, below)
            )
        answer = json_answer(200, None)
        answer.delivery = {"reset": "drop", "silence": "silence"}[fault.kind]
        return answer

    def unchanged(self, request, caller, repository, below):
        """The unchanged item, as the response to a change of it."""
        call = Call(repository, caller.login, "GET", below)
        assert request.method == "PATCH", "keep_old_body needs a PATCH"
        return execute(self.emulator, call)

    def execute(self, request, caller, repository, below, active):
        """Executes the request, if the token allows it."""
        if caller is None:
            return error_answer(401)
        if repository is None:
            return self.without_repository(request, caller)
        if caller.is_app:
            denial = self.check_permissions(caller, repository, request.method, below)
            if denial is not None:
                return denial
        value = read(request.body)
        if value is not None and not isinstance(value, (dict, list)):
            return error_answer(400)
        accept = request.headers.get("accept", "")
        login, query = caller.login, request.query
        call = Call(repository, login, request.method, below, query, value, accept)
        issues, comments = active.hidden_issues(repository), active.hidden_comments(repository)
        return execute(self.emulator, call, issues, comments)

    def check_permissions(self, caller, repository, method, below):
        """The error of a request without permission, else None."""
        if caller.is_workflow and caller.home is not repository:
            # The token of another repository's job can read public repositories.
            info = self.emulator.ask(PERSON, "GET", f"/repos/{repository.name}").value
            if info["private"]:
                return error_answer(404)
            if method == "GET":
                return None
        elif repository.allows(method, below):
            return None
        accepted = "; ".join(required_permissions(method, below))
        return error_answer(403, headers=[("X-Accepted-GitHub-Permissions", accepted)])

    def without_repository(self, request, caller):
        """The response to a request for no known repository."""
        if (request.method, request.path) == ("POST", "/graphql"):
            return graphql(read(request.body), caller)
        if request.path == "/user" and caller.is_app:
            return error_answer(403)
        if request.path not in ("/user", "/rate_limit") or request.method != "GET":
            return error_answer(404)
        reply = self.emulator.ask(caller.login, "GET", request.path)
        return json_answer(reply.status, reply.value)


def graphql(body, caller):
    """The response to the only supported GraphQL query, for the login of the token."""
    query = body.get("query") if isinstance(body, dict) else None
    if not isinstance(query, str) or "".join(query.split()) != "query{viewer{login}}":
        message = "the stand-in supports only the query viewer { login }"
        return json_answer(200, {"errors": [{"type": "undefinedField", "message": message}]})
    return json_answer(200, {"data": {"viewer": {"login": caller.login}}})


def read(body):
    """The JSON of a body, its text if it is not JSON, or None if it is empty."""
    if not body:
        return None
    try:
        return json.loads(body)
    except ValueError:
        return body.decode("utf-8", "replace")
