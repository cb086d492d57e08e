"""Responses and errors in the XML of the AWS query protocol."""

from datetime import datetime
from uuid import uuid4
from xml.sax.saxutils import escape

from wire import Answer

NAMESPACES = {
    "iam": "https://iam.amazonaws.com/doc/2010-05-08/",
    "sts": "https://sts.amazonaws.com/doc/2011-06-15/",
}


class AwsError(Exception):
    """An error response: its code, its message (None for no message), its status."""

    def __init__(self, code, message, status=400):
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.status = code, message, status


def format_time(moment):
    """A naive UTC time in the format of AWS, to the second."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def element(name, value):
    """The value as an XML element: a dict is nested, a list has members, None is omitted."""
    if value is None:
        return ""
    if value is True or value is False:
        text = "true" if value else "false"
    elif isinstance(value, dict):
        text = "".join([element(key, inner) for key, inner in value.items()])
    elif isinstance(value, (list, tuple)):
        text = "".join([element("member", inner) for inner in value])
    elif isinstance(value, datetime):
        text = format_time(value)
    else:
        text = escape(str(value))
    return f"<{name}>{text}</{name}>"


def success(service, action, result):
    """The response of a successful call. `result` is a dict, or None for no result."""
    inner = "" if result is None else element(f"{action}Result", result)
    request_id = str(uuid4())
    body = (
        f'<{action}Response xmlns="{NAMESPACES[service]}">{inner}'
        f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>"
        f"</{action}Response>"
    )
    return with_request_id(Answer(200, body.encode(), "text/xml"), request_id)


def failure(service, error):
    """The response of a failed call."""
    request_id = str(uuid4())
    details = {
        "Type": "Sender" if error.status < 500 else "Receiver",
        "Code": error.code,
        "Message": error.message,
    }
    body = (
        f'<ErrorResponse xmlns="{NAMESPACES.get(service, NAMESPACES["iam"])}">'
        f"{element('Error', details)}<RequestId>{request_id}</RequestId></ErrorResponse>"
    )
    return with_request_id(Answer(error.status, body.encode(), "text/xml"), request_id)


def with_request_id(answer, request_id):
    """The response with the request id header."""
    answer.headers.append(("x-amzn-RequestId", request_id))
    return answer
