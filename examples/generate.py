#!/usr/bin/env python3
"""Writes the example credential reports; `generate.py DIR` writes them elsewhere.

    python3 examples/generate.py

The reports have the format that IAM uses in 2026: the root row first, dates that end in Z, booleans in
lower case, LF, no newline at the end. They are dated NOW, from which all ages below are counted. The
program uses no clock and no random numbers, so it always gives the same bytes.
"""

import csv
import io
import sys
import zlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path

NOW = datetime(2026, 6, 30, 12, tzinfo=timezone.utc)
ACCOUNT = "111122223333"
INCOMPLETE_ACCOUNT = "444455556666"

NONE = "N/A"
# The value for a password that was never used.
NEVER = "no_information"

COLUMNS = [
    "user",
    "arn",
    "user_creation_time",
    "password_enabled",
    "password_last_used",
    "password_last_changed",
    "password_next_rotation",
    "mfa_active",
    "access_key_1_active",
    "access_key_1_last_rotated",
    "access_key_1_last_used_date",
    "access_key_1_last_used_region",
    "access_key_1_last_used_service",
    "access_key_2_active",
    "access_key_2_last_rotated",
    "access_key_2_last_used_date",
    "access_key_2_last_used_region",
    "access_key_2_last_used_service",
    "cert_1_active",
    "cert_1_last_rotated",
    "cert_2_active",
    "cert_2_last_rotated",
    "additional_credentials_info",
]


def stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def ago(days: int, what: str) -> str:
    """Returns a time `days` days before NOW; the time of day depends only on `what`.

    It lies at least `days` and less than `days + 1` whole days before NOW.
    """
    return stamp(NOW - timedelta(days=days, seconds=zlib.crc32(what.encode()) % 86_400))


# An age in days, or a literal date or other value.
Age = int | str


@dataclass
class Password:
    used: Age
    changed: Age


@dataclass
class Key:
    created: Age
    used: Age = NONE
    region: str = "eu-central-1"
    service: str = "s3"
    active: bool = True


@dataclass
class Certificate:
    created: Age
    active: bool = True


@dataclass
class User:
    name: str
    created: Age
    password: Password | None = None
    mfa: bool = False
    # By slot. Slot 1 is not always the older key.
    keys: list[Key | None] = field(default_factory=list)
    certificates: list[Certificate] = field(default_factory=list)
    path: str = "/"
    more: str = NONE

    def fields(self, account: str) -> list[str]:
        row = [
            self.name,
            f"arn:aws:iam::{account}:user{self.path}{self.name}",
            self.date(self.created, "created"),
        ]
        if self.password is None:
            row += ["false", NONE, NONE, NONE]
        else:
            used = self.date(self.password.used, "password used")
            changed = self.date(self.password.changed, "password changed")
            row += ["true", used, changed, NONE]
        return row + [str(self.mfa).lower()] + self.slots()

    def slots(self) -> list[str]:
        row: list[str] = []
        for slot in range(2):
            key = self.keys[slot] if slot < len(self.keys) else None
            row += self.key(key, f"key {slot + 1}") if key else ["false"] + [NONE] * 4
        for slot in range(2):
            if slot < len(self.certificates):
                certificate = self.certificates[slot]
                created = self.date(certificate.created, f"certificate {slot + 1}")
                row += [str(certificate.active).lower(), created]
            else:
                row += ["false", NONE]
        return row + [self.more]

    def key(self, key: Key, what: str) -> list[str]:
        never = key.used == NONE
        return [
            str(key.active).lower(),
            self.date(key.created, f"{what} created"),
            self.date(key.used, f"{what} used"),
            NONE if never else key.region,
            NONE if never else key.service,
        ]

    def date(self, age: Age, what: str) -> str:
        if isinstance(age, str):
            return age
        # A credential with the age of the user was created together with it, never before.
        return ago(age, f"{self.name} {'created' if age == self.created else what}")


def root(account: str, created: int, keys: list[Key | None]) -> list[str]:
    # IAM writes `not_supported` in columns that do not apply to the root user.
    slots = User("<root_account>", created, keys=keys).slots()
    return [
        "<root_account>",
        f"arn:aws:iam::{account}:root",
        ago(created, "root created"),
        "true",
        ago(203, "root used"),
        ago(created - 2, "root changed"),
        "not_supported",
        "true",
    ] + slots


EXACTLY_90_DAYS = stamp(NOW - timedelta(days=90))
A_SECOND_SHORT_OF_90_DAYS = stamp(NOW - timedelta(days=90) + timedelta(seconds=1))

USERS = [
    # People who sign in, most of them with MFA.
    User("anna.keller", 1_311, Password(used=0, changed=212), mfa=True, path="/people/"),
    User("benoit.dubois", 988, Password(used=3, changed=61), mfa=True, path="/people/"),
    User("chen.wei", 745, Password(used=1, changed=745), mfa=True, path="/people/"),
    User("dana.okafor", 402, Password(used=12, changed=30), path="/people/"),
    User(
        "elif.yilmaz",
        1_102,
        Password(used=5, changed=95),
        mfa=True,
        keys=[Key(44, used=2, service="sts", region="us-east-1")],
        path="/people/",
    ),
    User(
        "giulia.rossi",
        633,
        Password(used=A_SECOND_SHORT_OF_90_DAYS, changed=300),
        mfa=True,
        path="/people/",
    ),
    User("hiroshi.tanaka", 15, Password(used=NEVER, changed=15), path="/people/"),
    User(
        "ingrid.larsen",
        860,
        Password(used=8, changed=120),
        mfa=True,
        keys=[None, Key(71, used=9, service="ec2")],
        path="/people/",
    ),
    User("kwame.mensah", 511, Password(used=0, changed=20), mfa=True, path="/people/"),
    User("liam.oconnor", 156, Password(used=14, changed=156), mfa=True, path="/people/"),
    User("sofia.petrova", 1_044, Password(used=1, changed=366), mfa=True, path="/people/"),
    User("a+b=c@example.com", 290, Password(used=33, changed=290), mfa=True),
    User("@octocat", 377, Password(used=6, changed=180), mfa=True, path="/contractors/"),
    # People with unused passwords.
    User("felix.brandt", 1_630, Password(used=412, changed=700), path="/people/"),
    User("jane.miller", 947, Password(used=121, changed=310), mfa=True, path="/people/"),
    User("lucia.fernandez", 233, Password(used=NEVER, changed=233), path="/people/"),
    User("mats.lindqvist", 1_205, Password(used=EXACTLY_90_DAYS, changed=411), path="/people/"),
    User("smith,john", 564, Password(used=198, changed=377), path="/contractors/"),
    # The password was reset recently, and not used since.
    User("nadia.haddad", 802, Password(used=266, changed=4), mfa=True, path="/people/"),
    # One credential is used, the other is not.
    User(
        "oscar.nilsen",
        1_020,
        Password(used=2, changed=77),
        mfa=True,
        keys=[Key(640, used=355, service="ec2")],
        path="/people/",
    ),
    User(
        "priya.sharma",
        700,
        Password(used=240, changed=700),
        keys=[None, Key(52, used=0, service="athena")],
        path="/people/",
    ),
    # Break-glass users.
    User("break-glass-admin", 1_500, Password(used=NEVER, changed=150), mfa=True, path="/admin/"),
    # Machines, most of them healthy.
    User("ci-deploy", 1_190, keys=[Key(29, used=0, service="ecr")], path="/ci/"),
    User("ci-charts", 198, keys=[None, Key(8, used=0, service="ecr")], path="/ci/"),
    User("ci-docs", 540, keys=[Key(66, used=1)], path="/ci/"),
    User(
        "ci-release",
        480,
        keys=[Key(480, used=101, service="codeartifact"), Key(12, used=0, service="codeartifact")],
        path="/ci/",
    ),
    User("ci-legacy-jenkins", 2_010, keys=[None, Key(2_010, used=148, service="ec2")], path="/ci/"),
    User("ci-mobile", 350, keys=[Key(350)], path="/ci/"),
    User(
        "ci-terraform",
        1_333,
        keys=[Key(612, used=0, service="iam", region="us-east-1")],
        path="/ci/",
    ),
    User("Backup-Robot", 1_710, keys=[Key(505, used=EXACTLY_90_DAYS)], path="/ops/"),
    User("metrics-exporter", 410, keys=[Key(37, used=0, service="monitoring")], path="/ops/"),
    User("log-shipper", 655, keys=[Key(80, used=0, service="logs")], path="/ops/"),
    User(
        "data-sync",
        1_450,
        keys=[Key(1_450, used=530), Key(900, used=377, service="redshift")],
        path="/ops/",
    ),
    # Terraform created both keys in the same second.
    User(
        "partner-feed",
        420,
        keys=[
            Key("2025-05-06T08:00:00Z", service="sqs"),
            Key("2025-05-06T08:00:00Z", used=131, service="sqs"),
        ],
        path="/vendors/",
    ),
    User(
        "ses-smtp-billing",
        870,
        keys=[Key(870, used=99, region="eu-west-1", service="ses")],
        path="/ses/",
    ),
    User(
        "ses-smtp-newsletter",
        510,
        keys=[Key(58, used=1, region="eu-west-1", service="ses")],
        path="/ses/",
    ),
    User("vendor-audit", 390, Password(used=144, changed=390), mfa=True, path="/vendors/"),
    User("vendor-scanner", 270, keys=[Key(270, used=0, service="ec2")], path="/vendors/"),
    # Inactive credentials.
    User(
        "ci-old-runner",
        1_600,
        keys=[Key(1_600, used=430, active=False), Key(19, used=0, service="ecr")],
        path="/ci/",
    ),
    User("quentin.moreau", 320, keys=[Key(45, used=41, active=False)], path="/people/"),
    # Signing certificates, which have no last-used date.
    User("soap-gateway", 2_640, certificates=[Certificate(2_640)], path="/ops/"),
    User(
        "soap-gateway-next",
        40,
        certificates=[Certificate(40), Certificate(400, active=False)],
        path="/ops/",
    ),
    # No credentials in the report.
    User("rosa.jimenez", 128, path="/people/"),
    # Paths can contain any printable ASCII character.
    User("tool-runner", 210, keys=[Key(210, used=170)], path="/`id`/"),
    User("team.table", 350, Password(used=160, changed=350), path="/a|b|c/"),
    User("web-preview", 333, keys=[Key(333, used=93)], path='/<img/src="x">/'),
]

INCOMPLETE_USERS = [
    User("amir.rahimi", 610, Password(used=2, changed=88), mfa=True, path="/people/"),
    # A spreadsheet program changed the date format.
    User("clara.weiss", 475, Password(used="3/14/2026 9:26", changed=200), path="/people/"),
    # More keys than the report has columns.
    User(
        "deploy-fleet",
        1_240,
        keys=[Key(60, used=0, service="ecr"), Key(35, used=0, service="ecr")],
        path="/ci/",
        more="More than two access keys exist for this user",
    ),
    User("drill-restore", 520, keys=[Key(520, used=187, service="rds")], path="/ops/"),
    User("ewa.nowak", 730, Password(used=300, changed=730), path="/people/"),
]


def report(rows: list[list[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([COLUMNS, *rows])
    return text.getvalue().removesuffix("\n").encode()


def main() -> None:
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    root_key = Key(2_700, used=1_012, region="us-east-1", service="s3")
    reports = {
        "credential-report.csv": [root(ACCOUNT, 2_800, [root_key])]
        + [user.fields(ACCOUNT) for user in USERS],
        "credential-report-incomplete.csv": [root(INCOMPLETE_ACCOUNT, 1_300, [])]
        + [user.fields(INCOMPLETE_ACCOUNT) for user in INCOMPLETE_USERS],
    }
    for name, rows in reports.items():
        (directory / name).write_bytes(report(rows))


if __name__ == "__main__":
    main()
