"""A small `aws`: sends one command to the stand-in, as the AWS CLI would, without a signature."""

import http.client
import os
import re
import sys
from urllib.parse import urlencode, urlsplit

UPPER = {"ssh", "mfa", "arn", "id"}


def camel(name):
    """`list-mfa-devices` as `ListMFADevices`, and the name of an option as that of its field."""
    return "".join(word.upper() if word in UPPER else word.title() for word in name.split("-"))


def field(option):
    """The form field of an option; in fields, only `SSH` has capital letters."""
    words = option.removeprefix("--").split("-")
    return "".join(word.upper() if word == "ssh" else word.title() for word in words)


def main():
    service, command, *arguments = sys.argv[1:]
    form, shown = {"Action": camel(command), "Version": "2010-05-08"}, {}
    words = iter(arguments)
    for option in words:
        option, found, value = option.partition("=")
        value = value if found else next(words)
        (shown if option in ("--query", "--output") else form)[field(option)] = value
    scope = f"{os.environ['AWS_ACCESS_KEY_ID']}/20260101/us-east-1/{service}/aws4_request"
    headers = {
        "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Amz-Security-Token": os.environ["AWS_SESSION_TOKEN"],
    }
    connection = http.client.HTTPConnection(urlsplit(os.environ["AWS_ENDPOINT_URL"]).netloc)
    connection.request("POST", "/", urlencode(form), headers)
    response = connection.getresponse()
    text = response.read().decode()
    if response.status != 200:
        code = re.search("<Code>(.*?)</Code>", text)
        sys.exit(f"An error occurred ({code and code[1]}) when calling {form['Action']}")
    if query := shown.get("Query"):
        name = query.rpartition(".")[2]
        value = re.search(f"<{name}>(.*?)</{name}>", text)
        print(value[1] if value else "None")


main()
