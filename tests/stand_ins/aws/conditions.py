"""The conditions of a policy's statement, on what a call asks for: tags and policies.

Operators: `StringLike`, `StringEquals`, each also with `ForAllValues:` or `ForAnyValue:` before it,
and `Null`. Keys: `aws:TagKeys`, `aws:RequestTag/KEY`, `iam:PolicyARN`. Others are a ValueError.
"""

import re

OPERATORS = {"StringLike", "StringEquals"}
QUALIFIERS = {"", "ForAllValues", "ForAnyValue"}
TAG_KEYS, REQUEST_TAG, POLICY_ARN = "aws:tagkeys", "aws:requesttag/", "iam:policyarn"


def conditions(wanted):
    """The conditions of a statement, which must all hold."""
    return [
        Condition(operator, key, listed(values))
        for operator, lines in wanted.items()
        for key, values in lines.items()
    ]


class Condition:
    """One key of the call, and what an operator compares it with."""

    def __init__(self, operator, key, values):
        self.qualifier, _, self.operator = operator.rpartition(":")
        # The names of keys are told apart without case.
        self.key, self.values = key.lower(), values
        if operator != "Null" and not (
            self.operator in OPERATORS and self.qualifier in QUALIFIERS
        ):
            raise ValueError(f"the condition {operator} is not understood here")
        if self.key not in (TAG_KEYS, POLICY_ARN) and not self.key.startswith(REQUEST_TAG):
            raise ValueError(f"the condition key {key} is not understood here")
        if self.key == TAG_KEYS and operator in OPERATORS:
            raise ValueError(f"{key} has several values: it needs ForAllValues or ForAnyValue")
        if any("${" in str(it) for it in values):
            raise ValueError("variables in conditions are not understood here")
        if self.operator == "StringLike":
            self.values = [pattern(it, 0) for it in values]

    def holds(self, context):
        """Whether a call with this context is meant."""
        present = context.get(self.key, [])
        if self.operator == "Null":
            return str(not present).lower() in [str(it).lower() for it in self.values]
        if self.qualifier == "ForAllValues":
            # True of a call without the key, as in AWS.
            return all(self.fits(it) for it in present)
        return any(self.fits(it) for it in present)

    def fits(self, value):
        """Whether one value is among those of the policy."""
        if self.operator == "StringLike":
            return any(it.fullmatch(value) for it in self.values)
        return value in self.values


def context_of(call):
    """The keys that a call bears, in lower case, each with its values."""
    tags = call.tags()
    context = {f"{REQUEST_TAG}{key.lower()}": [value] for key, value in tags}
    keys = [key for key, _ in tags] + call.list_of("TagKeys")
    if keys:
        context[TAG_KEYS] = keys
    if call.parameters.get("PolicyArn"):
        context[POLICY_ARN] = [call.parameters["PolicyArn"]]
    return context


def listed(value):
    """A list, where a policy may have one value instead."""
    return value if isinstance(value, list) else [value]


def pattern(text, flags):
    """A policy's pattern (`*` for any text, `?` for any character) as a regular expression."""
    wild = {"*": ".*", "?": "."}
    return re.compile("".join(wild.get(it) or re.escape(it) for it in text), flags | re.DOTALL)
