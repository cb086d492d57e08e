"""IAM policy documents: which calls the auditor may make."""

import re

from .answers import AwsError
from .conditions import conditions, listed, pattern


class Policy:
    """A policy document of Allow and Deny statements; a Deny wins.

    A statement that asks for more than actions, resources and the conditions that are known raises
    ValueError: what would be ignored must not look as if it had been tested.
    """

    def __init__(self, document):
        statements = document["Statement"]
        if isinstance(statements, dict):
            statements = [statements]
        self.statements = [Statement(it) for it in statements]

    def check(self, caller, action, resource, context):
        """Raises AccessDenied, in AWS's words, unless the policy allows the action."""
        effects = {it.effect for it in self.statements if it.matches(action, resource, context)}
        if "Deny" in effects:
            why = "with an explicit deny in an identity-based policy"
            raise denied(caller, action, resource, why)
        if "Allow" not in effects:
            raise denied(caller, action, resource)


class Statement:
    """One statement of a policy document."""

    def __init__(self, statement):
        unknown = statement.keys() - {"Sid", "Effect", "Action", "Resource", "Condition"}
        if unknown:
            raise ValueError(f"a policy's {', '.join(sorted(unknown))} is not understood here")
        if statement["Effect"] not in ("Allow", "Deny"):
            raise ValueError(f"no such effect: {statement['Effect']}")
        self.effect = statement["Effect"]
        self.actions = [pattern(it, re.IGNORECASE) for it in listed(statement["Action"])]
        self.resources = [pattern(it, 0) for it in listed(statement["Resource"])]
        self.conditions = conditions(statement.get("Condition", {}))

    def matches(self, action, resource, context):
        """Whether the statement speaks of this action on this resource, asked for like this."""
        return (
            any(it.fullmatch(action) for it in self.actions)
            and any(it.fullmatch(resource) for it in self.resources)
            and all(it.holds(context) for it in self.conditions)
        )


def denied(caller, action, resource, why=None):
    """AccessDenied in AWS's words; `why` is the reason, if it is not the lack of an Allow."""
    why = why or f"because no identity-based policy allows the {action} action"
    return AwsError(
        "AccessDenied",
        f"User: {caller} is not authorized to perform: {action} on resource: {resource} {why}",
        403,
    )
