"""Tags of users, within IAM's limits."""

import unicodedata

from .answers import AwsError
from .calls import handles
from .paging import page

MOST_TAGS, LONGEST_KEY, LONGEST_VALUE = 50, 128, 256


def tags_of(account, user):
    """The tags of a user."""
    return account.backend.tagger.list_tags_for_resource(user.arn)["Tags"]


@handles("iam", "ListUserTags")
def list_user_tags(call):
    """The tags of a user, as a page."""
    return page(call, tags_of(call.account, call.user()), "Tags", lambda tag: tag["Key"])


@handles("iam", "TagUser")
def tag_user(call):
    """Sets tags and replaces those with the same keys, which are case-insensitive."""
    user, wanted = call.user(), call.tags()
    if not wanted:
        call.required("Tags")
    names = [key.lower() for key, _ in wanted]
    if len(set(names)) < len(names):
        message = "Duplicate tag keys found. Please note that Tag keys are case insensitive."
        raise AwsError("InvalidInput", message)
    for key, value in wanted:
        check("key", key, 1, LONGEST_KEY)
        check("value", value, 0, LONGEST_VALUE)
        if key.lower().startswith("aws:"):
            raise AwsError("InvalidInput", "System tags cannot be added/updated by requester.")
    kept = [tag for tag in tags_of(call.account, user) if tag["Key"].lower() not in names]
    tags = kept + [{"Key": key, "Value": value} for key, value in wanted]
    if len(tags) > MOST_TAGS:
        raise AwsError("LimitExceeded", f"Cannot exceed quota for TagsPerUser: {MOST_TAGS}", 409)
    replace(call.account, user, tags)


@handles("iam", "UntagUser")
def untag_user(call):
    """Removes tags. A missing tag is not an error."""
    user = call.user()
    if not call.list_of("TagKeys"):
        call.required("TagKeys")
    untag(call.account, user, call.list_of("TagKeys"))


def untag(account, user, keys):
    """Removes the tags with these keys."""
    removed = [key.lower() for key in keys]
    kept = [tag for tag in tags_of(account, user) if tag["Key"].lower() not in removed]
    replace(account, user, kept)


def replace(account, user, tags):
    """Replaces all tags of a user."""
    account.backend.tagger.delete_all_tags_for_resource(user.arn)
    account.backend.tagger.tag_resource(user.arn, tags)


def check(what, text, shortest, longest):
    """Raises ValidationError for an invalid key or value of a tag."""
    valid = all(unicodedata.category(char)[0] in "LZN" or char in "_.:/=+-@" for char in text)
    if not valid or not shortest <= len(text) <= longest:
        raise AwsError(
            "ValidationError",
            f"1 validation error detected: Value at 'tags.1.member.{what}' failed to satisfy "
            f"constraint: Member must have length between {shortest} and {longest} and satisfy "
            "regular expression pattern: [\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*",
        )
