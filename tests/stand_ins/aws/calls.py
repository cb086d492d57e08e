"""Handling of an AWS call: authentication, faults, authorization, the handler, and the log."""

import threading
import time
import traceback
from urllib.parse import parse_qsl

from . import moto_model
from .accounts import Session, UserSession, since_start
from .answers import AwsError, failure, success
from .conditions import context_of

# The handlers by service and action. Each takes a Call and returns the result as a dict.
HANDLERS = {}

# Actions that are always allowed, whatever the policy says.
ALWAYS_ALLOWED = {("sts", "GetCallerIdentity"), ("sts", "AssumeRoleWithWebIdentity")}


def handles(service, action):
    """Registers a function as the handler of an action."""

    def register(function):
        HANDLERS[service, action] = function
        return function

    return register


class Call:
    """A call: the action, the form fields, and the caller."""

    def __init__(self, registry, service, parameters, session):
        self.registry, self.service, self.parameters = registry, service, parameters
        self.action = parameters.get("Action", "")
        self.session = session
        self.account = session.account if session else None
        self.resource = "*"

    @property
    def caller(self):
        """The ARN of the caller."""
        return self.session.arn if self.session else "anonymous"

    def required(self, name):
        """A required field."""
        value = self.parameters.get(name)
        if not value:
            raise AwsError(
                "ValidationError",
                f"1 validation error detected: Value null at '{name[0].lower()}{name[1:]}' failed "
                "to satisfy constraint: Member must not be null",
            )
        return value

    def user(self):
        """The user that the call names."""
        name = self.parameters.get("UserName")
        if not name:
            raise AwsError(
                "ValidationError", "Must specify userName when calling with non-User credentials"
            )
        return moto_model.user_named(self.account, name)

    def status(self):
        """The requested status of a credential."""
        status = self.required("Status")
        if status not in ("Active", "Inactive"):
            raise AwsError(
                "ValidationError",
                f"1 validation error detected: Value '{status}' at 'status' failed to satisfy "
                "constraint: Member must satisfy enum value set: [Active, Inactive]",
            )
        return status

    def tags(self):
        """The keys and values of the requested tags."""
        found, member = [], "Tags.member.1"
        while (key := self.parameters.get(f"{member}.Key")) is not None:
            found.append((key, self.parameters.get(f"{member}.Value", "")))
            member = f"Tags.member.{len(found) + 1}"
        return found

    def list_of(self, name):
        """The members of a list field."""
        found = []
        while (value := self.parameters.get(f"{name}.member.{len(found) + 1}")) is not None:
            found.append(value)
        return found


def resource_of(call):
    """The resource of the call in policies: the ARN of a user, role, group or virtual MFA device,
    or `*`.
    """
    account, parameters = call.account, call.parameters
    users = f"arn:{account.partition}:iam::{account.id}:user/"
    if call.service == "sts":
        return parameters.get("RoleArn", "*")
    if call.action in ("AddUserToGroup", "RemoveUserFromGroup"):
        name = parameters.get("GroupName", "")
        group = account.backend.groups.get(name)
        return group.arn if group else f"arn:{account.partition}:iam::{account.id}:group/{name}"
    if call.action == "DeleteVirtualMFADevice":
        return parameters.get("SerialNumber", "*")
    if call.action == "GetAccessKeyLastUsed":
        key = account.backend.access_keys.get(parameters.get("AccessKeyId", ""))
        name = key.user_name if key else None
    else:
        name = parameters.get("UserName")
    if name:
        user = account.backend.users.get(name)
        return user.arn if user else users + name
    if parameters.get("AllUsers", "").lower() == "true":
        return users + "*"
    return parameters.get("Arn", "*")


class Service:
    """Responds to the calls of all accounts."""

    def __init__(self, registry):
        self.registry = registry
        # Calls of unknown accounts, such as those with an unknown access key.
        self.unassigned = []
        self.lock = threading.Lock()

    def answer(self, request):
        """The response to a call. The call is logged before the response is sent."""
        text = request.body.decode("utf-8", "replace") or request.query
        parameters = dict(parse_qsl(text, keep_blank_values=True))
        scope = scope_of(request.headers.get("authorization", ""))
        entry = {
            "service": scope[1],
            "action": parameters.get("Action", ""),
            "resource": "*",
            "parameters": parameters,
            "status": 0,
            "access_key_id": scope[0],
            "at": since_start(),
        }
        call = Call(self.registry, scope[1], parameters, self.registry.session_of(scope[0]))
        if call.action == "AssumeRoleWithWebIdentity":
            call.service = entry["service"] = "sts"
            call.account = self.registry.account_of(parameters.get("RoleArn", ""))
        log = self.unassigned if call.account is None else call.account.log
        if call.account is not None:
            call.resource = entry["resource"] = resource_of(call)
        log.append(entry)
        answer = self.decide(call, request)
        if call.account is not None:
            with call.account.lock:
                call.account.faults.modify(call, answer)
        if answer.hold is None:
            entry["status"] = answer.status
            entry["until"] = round(since_start() + answer.delay, 6)
        return answer

    def decide(self, call, request):
        """The response before faults modify it."""
        try:
            if call.account is None:
                raise unknown_account(call)
            with call.account.use():
                call.account.faults.fail(call)
                if (call.service, call.action) != ("sts", "AssumeRoleWithWebIdentity"):
                    authenticate(call.session, request.headers.get("x-amz-security-token", ""))
                    call.account.faults.expire(call.session)
                authorize(call)
                held = call.account.faults.hold_before(call)
                if held is not None:
                    return held
                answer = execute(call, request.body)
                call.account.faults.hold_after(call, answer)
                return answer
        except AwsError as error:
            return failure(call.service, error)
        except Exception:  # noqa: BLE001: a bug of the stand-in is printed and answered
            traceback.print_exc()
            return failure(call.service, AwsError("InternalFailure", "see standard error", 500))


def scope_of(authorization):
    """The access key id and the service of a signature; empty if there is none."""
    _, found, rest = authorization.partition("Credential=")
    parts = rest.split(",")[0].split("/")
    return (parts[0], parts[3]) if found and len(parts) == 5 else ("", "")


def unknown_account(call):
    """The error for a call without a known account."""
    if call.action == "AssumeRoleWithWebIdentity":
        return AwsError(
            "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity", 403
        )
    if not call.service:
        return AwsError(
            "MissingAuthenticationToken", "Request is missing Authentication Token", 403
        )
    return AwsError(
        "InvalidClientTokenId", "The security token included in the request is invalid.", 403
    )


def authenticate(session: Session | UserSession, token):
    """Raises an error if the credentials are invalid or expired."""
    if token != session.token:
        raise AwsError(
            "InvalidClientTokenId", "The security token included in the request is invalid", 403
        )
    if time.time() >= session.expires:
        raise AwsError("ExpiredToken", "The security token included in the request is expired", 403)


def authorize(call):
    """Raises AccessDenied unless the account's policy and faults allow the call."""
    if (call.service, call.action) in ALWAYS_ALLOWED:
        return
    call.account.faults.deny(call)
    if call.account.policy is not None:
        action, context = f"{call.service}:{call.action}", context_of(call)
        call.account.policy.check(call.caller, action, call.resource, context)


def execute(call, body):
    """The response of an allowed call."""
    handler = HANDLERS.get((call.service, call.action))
    if handler is not None:
        return success(call.service, call.action, handler(call))
    if call.service != "iam":
        raise AwsError("InvalidAction", f"Could not find operation {call.action}")
    return moto_model.forward(call.account, body)
