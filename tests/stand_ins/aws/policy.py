"""IAM policies, which decide the calls that the auditor is allowed to make."""

import re

from .answers import AwsError
from .conditions import conditions, listed, pattern


class Policy:
    """A policy document with Allow and Deny statements. A Deny wins.

    A statement with unsupported elements or conditions raises ValueError, so that a test does not
    rely on something that is ignored.
    """

    def __init__(self, document):
        statements = document["Statement"]
        if isinstance(statements, dict):
            statements = [statements]
        self.statements = [Statement(statement) for statement in statements]

    def check(self, caller, action, resource, context):
        """Raises AccessDenied, with AWS's message, unless the policy allows the action."""
        matching = [one for one in self.statements if one.matches(action, resource, context)]
        effects = {statement.effect for statement in matching}
        if "Deny" in effects:
            why = "with an explicit deny in an identity-based policy"
            raise denied(caller, action, resource, why)
        if "Allow" not in effects:
            raise denied(caller, action, resource)


class Statement:
    """A statement of a policy document."""

    def __init__(self, statement):
        unknown = statement.keys() - {"Sid", "Effect", "Action", "Resource", "Condition"}
        if unknown:
            raise ValueError(f"a policy's {', '.join(sorted(unknown))} is not supported")
        if statement["Effect"] not in ("Allow", "Deny"):
            raise ValueError(f"no such effect: {statement['Effect']}")
        self.effect = statement["Effect"]
        self.actions = [pattern(action, re.IGNORECASE) for action in listed(statement["Action"])]
        self.resources = [pattern(resource, 0) for resource in listed(statement["Resource"])]
        self.conditions = conditions(statement.get("Condition", {}))

    def matches(self, action, resource, context):
        """Whether the statement applies to this action, resource and context."""
        return (
            any(pattern.fullmatch(action) for pattern in self.actions)
            and any(pattern.fullmatch(resource) for pattern in self.resources)
            and all(condition.holds(context) for condition in self.conditions)
        )


def denied(caller, action, resource, why=None):
    """AccessDenied with AWS's message. `why` is the reason, if it is not a missing Allow."""
    why = why or f"because no identity-based policy allows the {action} action"
    return AwsError(
        "AccessDenied",
        f"User: {caller} is not authorized to perform: {action} on resource: {resource} {why}",
        403,
    )
