"""Tags of users: read, set and taken away, within IAM's limits."""

import unicodedata

from .answers import AwsError
from .calls import handles
from .paging import page

MOST_TAGS, LONGEST_KEY, LONGEST_VALUE = 50, 128, 256


def tags_of(account, user):
    """The user's tags."""
    return account.backend.tagger.list_tags_for_resource(user.arn)["Tags"]


@handles("iam", "ListUserTags")
def list_user_tags(call):
    """A user's tags."""
    return page(call, tags_of(call.account, call.user()), "Tags", lambda it: it["Key"])


@handles("iam", "TagUser")
def tag_user(call):
    """Sets tags, over those of the same keys: IAM tells keys apart without case."""
    user, wanted = call.user(), call.tags()
    if not wanted:
        call.needed("Tags")
    names = [key.lower() for key, _ in wanted]
    if len(set(names)) < len(names):
        message = "Duplicate tag keys found. Please note that Tag keys are case insensitive."
        raise AwsError("InvalidInput", message)
    for key, value in wanted:
        check("key", key, 1, LONGEST_KEY)
        check("value", value, 0, LONGEST_VALUE)
        if key.lower().startswith("aws:"):
            raise AwsError("InvalidInput", "System tags cannot be added/updated by requester.")
    kept = [it for it in tags_of(call.account, user) if it["Key"].lower() not in names]
    tags = kept + [{"Key": key, "Value": value} for key, value in wanted]
    if len(tags) > MOST_TAGS:
        raise AwsError("LimitExceeded", f"Cannot exceed quota for TagsPerUser: {MOST_TAGS}", 409)
    replace(call.account, user, tags)


@handles("iam", "UntagUser")
def untag_user(call):
    """Takes tags away; one that is not there is no error."""
    user = call.user()
    if not call.list_of("TagKeys"):
        call.needed("TagKeys")
    untag(call.account, user, call.list_of("TagKeys"))


def untag(account, user, keys):
    """Takes the tags of these keys away."""
    gone = [it.lower() for it in keys]
    replace(account, user, [it for it in tags_of(account, user) if it["Key"].lower() not in gone])


def replace(account, user, tags):
    """Gives a user these tags and no others."""
    account.backend.tagger.delete_all_tags_for_resource(user.arn)
    account.backend.tagger.tag_resource(user.arn, tags)


def check(what, text, shortest, longest):
    """Raises ValidationError for a tag's key or value that IAM does not take."""
    fits = all(unicodedata.category(it)[0] in "LZN" or it in "_.:/=+-@" for it in text)
    if not fits or not shortest <= len(text) <= longest:
        raise AwsError(
            "ValidationError",
            f"1 validation error detected: Value at 'tags.1.member.{what}' failed to satisfy "
            f"constraint: Member must have length between {shortest} and {longest} and satisfy "
            "regular expression pattern: [\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*",
        )
