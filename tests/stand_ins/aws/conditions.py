"""The conditions of a policy statement, on the tags and policies of a call.

Operators: `StringLike` and `StringEquals`, also with the prefix `ForAllValues:` or `ForAnyValue:`,
and `Null`. Keys: `aws:TagKeys`, `aws:RequestTag/KEY`, `iam:PolicyARN`. Others raise ValueError.
"""

import re

OPERATORS = {"StringLike", "StringEquals"}
QUALIFIERS = {"", "ForAllValues", "ForAnyValue"}
TAG_KEYS, REQUEST_TAG, POLICY_ARN = "aws:tagkeys", "aws:requesttag/", "iam:policyarn"


def conditions(document):
    """The conditions of a statement. All must be true."""
    return [
        Condition(operator, key, listed(values))
        for operator, lines in document.items()
        for key, values in lines.items()
    ]


class Condition:
    """A condition key, an operator, and the values to compare with."""

    def __init__(self, operator, key, values):
        self.qualifier, _, self.operator = operator.rpartition(":")
        # Condition keys are case-insensitive.
        self.key, self.values = key.lower(), values
        if operator != "Null" and not (self.operator in OPERATORS and self.qualifier in QUALIFIERS):
            raise ValueError(f"the condition {operator} is not supported")
        if self.key not in (TAG_KEYS, POLICY_ARN) and not self.key.startswith(REQUEST_TAG):
            raise ValueError(f"the condition key {key} is not supported")
        if self.key == TAG_KEYS and operator in OPERATORS:
            raise ValueError(f"{key} has several values: it needs ForAllValues or ForAnyValue")
        if any("${" in str(value) for value in values):
            raise ValueError("variables in conditions are not supported")
        if self.operator == "StringLike":
            self.values = [pattern(value, 0) for value in values]

    def holds(self, context):
        """Whether the condition is true for a call with this context."""
        present = context.get(self.key, [])
        if self.operator == "Null":
            return str(not present).lower() in [str(value).lower() for value in self.values]
        if self.qualifier == "ForAllValues":
            # True for a call without the key, as in AWS.
            return all(self.matches(value) for value in present)
        return any(self.matches(value) for value in present)

    def matches(self, value):
        """Whether the value matches one of the policy's values."""
        if self.operator == "StringLike":
            return any(expected.fullmatch(value) for expected in self.values)
        return value in self.values


def context_of(call):
    """The condition keys of a call, in lower case, with their values."""
    tags = call.tags()
    context = {f"{REQUEST_TAG}{key.lower()}": [value] for key, value in tags}
    keys = [key for key, _ in tags] + call.list_of("TagKeys")
    if keys:
        context[TAG_KEYS] = keys
    if call.parameters.get("PolicyArn"):
        context[POLICY_ARN] = [call.parameters["PolicyArn"]]
    return context


def listed(value):
    """The value as a list. A policy may have a single value instead."""
    return value if isinstance(value, list) else [value]


def pattern(text, flags):
    """A policy's pattern (`*` for any text, `?` for any character) as a regular expression."""
    wild = {"*": ".*", "?": "."}
    return re.compile(
        "".join(wild.get(char) or re.escape(char) for char in text), flags | re.DOTALL
    )
