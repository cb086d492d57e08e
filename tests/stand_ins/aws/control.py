"""The control endpoint for tests: creates, changes, and inspects accounts."""

import json
from datetime import timedelta

from .answers import Answer, AwsError
from .changes import change
from .clock import Clock, now
from .credential_report import Report
from .faults import Faults
from .holdings import holdings
from .policy import Policy
from .population import populate
from .truth import truth

# The role of an account's auditor.
ROLE = "audit"

# Twelve hours: longer than any test.
AUDITOR_SECONDS = 12 * 3600


def answer(registry, request):
    """Executes a command. An error of the test gets status 400 with its reason."""
    try:
        arguments = json.loads(request.body or b"{}")
        command = COMMANDS[request.path.rpartition("/")[2]]
        result = command(registry, arguments)
        return Answer(200, json.dumps(result).encode(), "application/json")
    except AwsError as error:
        reason = str(error)
    except Exception as error:  # noqa: BLE001: the test shows every error
        reason = f"{type(error).__name__}: {error}"
    return Answer(400, json.dumps({"error": reason}).encode(), "application/json")


def create_account(registry, arguments):
    """Creates and seeds an account. Returns its details and credentials of the auditor."""
    account = registry.add(
        arguments.get("partition", "aws"),
        arguments.get("days", 90),
        arguments.get("report_delay", 0.0),
        arguments.get("id"),
    )
    change(account, [{"create_role": {"name": ROLE}}])
    populate(account, arguments.get("users", 0), arguments.get("seed", 0))
    session = registry.open_session(account, ROLE, "auditor", AUDITOR_SECONDS)
    return {
        "id": account.id,
        "region": account.region,
        "role_arn": f"arn:{account.partition}:iam::{account.id}:role/{ROLE}",
        "access_key_id": session.access_key,
        "secret_access_key": session.secret,
        "session_token": session.token,
        "request_path": f"/_oidc/{account.id}?api-version=2.0",
        "request_token": account.request_token,
    }


def with_account(function):
    """A command for one account, executed while the account is in use."""

    def command(registry, arguments):
        account = registry.accounts[arguments["account"]]
        with account.use():
            return function(account, arguments.get("value"))

    return command


def set_faults(account, value):
    """Replaces the account's faults. Held calls end without taking effect."""
    faults = Faults(value)
    account.faults.release()
    account.faults = faults


def set_policy(account, value):
    """Replaces the policy of the account's auditor. Null allows everything."""
    account.policy = None if value is None else Policy(value)


def reset_log(account, _):
    """Clears the logs of calls and token requests."""
    account.log, account.oidc_log = [], []


def make_report(account, value):
    """Generates a report of the current users with a time this many hours ago."""
    account.report = Report(account, 0.0, now() - timedelta(hours=value))


def set_clock(account, value):
    """Sets the account's clock: days ahead of the machine's, or a time at which it is stopped."""
    account.clock = Clock(value)


def expire_report(account, _):
    """Removes the report."""
    account.report = None


def set_report_delay(account, value):
    """Sets the seconds that IAM takes to generate the next report."""
    account.report_delay = value


def require_external_id(account, value):
    """Makes the trust policy of the auditor's role require an external id; null for none."""
    account.external_ids[ROLE] = value


def set_session_seconds(account, value):
    """Sets the lifetime of new role credentials; null for the requested duration."""
    account.session_seconds = value


COMMANDS = {
    "account": create_account,
    "secrets": lambda registry, _: registry.secrets,
    "faults": with_account(set_faults),
    "policy": with_account(set_policy),
    "log": with_account(lambda account, _: account.log),
    "oidc-log": with_account(lambda account, _: account.oidc_log),
    "reset-log": with_account(reset_log),
    "truth": with_account(lambda account, _: truth(account)),
    "change": with_account(change),
    "make-report": with_account(make_report),
    "expire-report": with_account(expire_report),
    "report-delay": with_account(set_report_delay),
    "require-external-id": with_account(require_external_id),
    "session-seconds": with_account(set_session_seconds),
    "clock": with_account(set_clock),
    "user": with_account(holdings),
    "virtual-mfa-devices": with_account(
        lambda account, _: list(account.backend.virtual_mfa_devices)
    ),
    "held": with_account(lambda account, _: account.faults.is_holding()),
}
