"""The credential report: its generation, lifetime and content."""

import base64
import csv
import io
import time
from datetime import timedelta

from .answers import AwsError, format_time
from .calls import handles
from .clock import now
from .users import region_shown

# The lifetime of a report. IAM then generates a new one.
LIFETIME = timedelta(hours=4)

KEY_COLUMNS = ["active", "last_rotated", "last_used_date", "last_used_region", "last_used_service"]
HEADER = [
    *("user", "arn", "user_creation_time", "password_enabled", "password_last_used"),
    *("password_last_changed", "password_next_rotation", "mfa_active"),
    *(f"access_key_{slot}_{column}" for slot in (1, 2) for column in KEY_COLUMNS),
    *(f"cert_{slot}_{column}" for slot in (1, 2) for column in ("active", "last_rotated")),
]
NO_KEY = ["false", "N/A", "N/A", "N/A", "N/A"]
NO_CERTIFICATE = ["false", "N/A"]


class Report:
    """A report: the users at the time of generation, and when it is ready."""

    def __init__(self, account, delay, made_at):
        self.made_at = made_at
        self.ready = time.monotonic() + delay
        self.content = base64.b64encode(as_csv(account).encode()).decode()

    @property
    def in_progress(self):
        """Whether IAM is still generating the report."""
        return time.monotonic() < self.ready

    @property
    def expired(self):
        """Whether the report is older than its lifetime."""
        return now() - self.made_at >= LIFETIME


@handles("iam", "GenerateCredentialReport")
def generate_credential_report(call):
    """Starts a report, unless there is one or one is in progress."""
    account = call.account
    if account.faults.take_one("limit_exceeded"):
        raise AwsError(
            "LimitExceeded", "Cannot exceed quota for CredentialReports: too many requests", 409
        )
    starts = account.report is None or (account.report.expired and not account.report.in_progress)
    if starts:
        account.report = Report(account, account.report_delay, now())
        account.faults.report_pending(generate=True)
        return {
            "State": "STARTED",
            "Description": "No report exists. Starting a new report generation task",
        }
    if account.faults.report_pending(generate=True) or account.report.in_progress:
        return {"State": "INPROGRESS"}
    return {"State": "COMPLETE"}


@handles("iam", "GetCredentialReport")
def get_credential_report(call):
    """The current report. The errors have no message."""
    account = call.account
    in_progress = account.report is not None and account.report.in_progress
    if in_progress or account.faults.report_pending(generate=False):
        raise AwsError("ReportInProgress", None, 404)
    if account.faults.take_one("report_expired"):
        account.report = None
        raise AwsError("ReportExpired", None, 410)
    if account.report is None:
        raise AwsError("ReportNotPresent", None, 410)
    if account.report.expired:
        raise AwsError("ReportExpired", None, 410)
    return {
        "Content": account.report.content,
        "ReportFormat": "text/csv",
        "GeneratedTime": account.report.made_at,
    }


def as_csv(account):
    """The CSV: a header, the root user, the users, and no line break at the end.

    There is a 23rd column only if a user has more keys or certificates than the report has columns.
    """
    users = list(account.backend.users.values())
    rows = [root_row(account)] + [row(user) for user in users]
    extra = [""] + [additional(user) for user in users]
    header = HEADER
    if any(extra):
        header = [*HEADER, "additional_credentials_info"]
        rows = [[*row, info] for row, info in zip(rows, extra)]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().rstrip("\n")


def root_row(account):
    """The row of the root user."""
    created = "2019-01-01T00:00:00Z"
    fields = ["<root_account>", f"arn:{account.partition}:iam::{account.id}:root", created]
    fields += ["true", "2026-01-01T00:00:00Z", created, "not_supported", "true"]
    for slot in (0, 1):
        keys = account.root.get("keys", [])
        fields += key_fields(keys[slot]) if slot < len(keys) else NO_KEY
    for slot in (0, 1):
        certificates = account.root.get("certificates", [])
        fields += (
            ["true", format_time(certificates[slot])]
            if slot < len(certificates)
            else NO_CERTIFICATE
        )
    return fields


def row(user):
    """The row of a user."""
    fields = [user.name, user.arn, format_time(user.create_date)]
    if user.password:
        used, changed = user.password_last_used, getattr(user, "password_created", user.create_date)
        fields += [
            "true",
            format_time(used) if used else "no_information",
            format_time(changed),
            "N/A",
        ]
    else:
        fields += ["false", "N/A", "N/A", "N/A"]
    fields.append("true" if user.mfa_devices else "false")
    for slot in (0, 1):
        fields += key_fields(user.access_keys[slot]) if slot < len(user.access_keys) else NO_KEY
    certificates = list(user.signing_certificates.values())
    for slot in (0, 1):
        if slot < len(certificates):
            certificate = certificates[slot]
            active = "true" if certificate.status == "Active" else "false"
            fields += [active, format_time(certificate.upload_date)]
        else:
            fields += NO_CERTIFICATE
    return fields


def key_fields(key):
    """The five fields of an access key. `last_rotated` is the creation, whatever the status."""
    fields = ["true" if key.status == "Active" else "false", format_time(key.create_date)]
    used = key.last_used
    if used is None:
        return fields + ["N/A"] * 3
    return fields + [format_time(used.timestamp), region_shown(used), used.service]


def additional(user):
    """The text about credentials without columns."""
    parts = []
    for count, noun, action in (
        (len(user.access_keys) - 2, "access key", "ListAccessKeys"),
        (len(user.signing_certificates) - 2, "signing certificate", "ListSigningCertificates"),
    ):
        if count > 0:
            parts.append(f"{count} additional {noun}{'s' * (count > 1)}: use {action}")
    return "; ".join(parts)
