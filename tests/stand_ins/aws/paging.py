"""Pages of lists with MaxItems and an opaque Marker, with IAM's default and limits."""

import base64
import json

from .answers import AwsError

DEFAULT_ITEMS, MOST_ITEMS = 100, 1000


def page(call, items, name, key):
    """One page of `items` as the result of `call`, in the field `name`.

    The items are ordered by `key`. A marker contains the key of the last item, so a change of the
    list between two pages skips and repeats nothing.
    """
    size = items_wanted(call)
    ordered = sorted(items, key=key)
    last = last_key_of(call)
    if last is not None:
        ordered = [item for item in ordered if key(item) > last]
    shown, rest = ordered[:size], ordered[size:]
    result = {name: shown, "IsTruncated": bool(rest)}
    if rest:
        result["Marker"] = marker(call, key(shown[-1]))
    return result


def items_wanted(call):
    """The maximum number of items on the page."""
    text = call.parameters.get("MaxItems", str(DEFAULT_ITEMS))
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MOST_ITEMS:
        bound = "greater than or equal to 1"
        if text.isdigit() and int(text) > MOST_ITEMS:
            bound = f"less than or equal to {MOST_ITEMS}"
        raise AwsError(
            "ValidationError",
            f"1 validation error detected: Value '{text}' at 'maxItems' failed to satisfy "
            f"constraint: Member must have value {bound}",
        )
    # A page may be shorter than requested although there is more.
    return min(int(text), call.account.faults.most_items(call))


def marker(call, last):
    """The marker after the item `last`, valid only for this account and action."""
    text = json.dumps([call.account.id, call.action, last])
    return base64.urlsafe_b64encode(text.encode()).decode()


def last_key_of(call):
    """The key of the last item of the previous page, or None for the first page."""
    text = call.parameters.get("Marker")
    if text is None:
        return None
    try:
        account, action, last = json.loads(base64.urlsafe_b64decode(text.encode()))
    except ValueError:
        account = action = last = None
    if (account, action) != (call.account.id, call.action):
        raise AwsError("ValidationError", "Invalid Marker.")
    return last
