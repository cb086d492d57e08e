//! One table with the name, the default and the description of every setting, from which `--help`,
//! `action.yml` and the README's tables are made.

/// One setting: a flag of the command line, an input of the action, or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// The flag without its dashes.
    pub name: &'static str,
    /// What its value looks like.
    pub value: &'static str,
    /// What holds when nothing sets it, for people.
    pub default: &'static str,
    /// Whether the default is a value that could be given: others say where the value comes from.
    pub default_is_value: bool,
    /// What it is for, as one sentence.
    pub description: &'static str,
}

macro_rules! settings {
    ($($constant:ident: $name:literal $value:literal, $kind:ident $default:literal, $description:literal;)+) => {
        $(
            #[doc = $description]
            pub const $constant: Setting = Setting {
                name: $name,
                value: $value,
                default: $default,
                default_is_value: settings!(@is_value $kind),
                description: $description,
            };
        )+
    };
    // A value that could be given.
    (@is_value default) => { true };
    // Words about where the value comes from.
    (@is_value otherwise) => { false };
}

settings! {
    CREDENTIAL_REPORT: "credential-report" "FILE...", otherwise "",
        "Exported credential reports to judge, one file an account: CSV, its base64, or what `aws iam get-credential-report` prints; `-` is standard input";
    REPORT_GENERATED_AT: "report-generated-at" "RFC3339", otherwise "",
        "When IAM generated the reports that bear no date themselves";
    MAX_EVIDENCE_AGE: "max-evidence-age" "DAYS", otherwise "1 for live evidence, 7 for exported reports",
        "How old evidence may be; older evidence, or evidence of unknown age, is incomplete";
    ROLE_TO_ASSUME: "role-to-assume" "ARN", otherwise "",
        "The role to take: through the runner's OIDC token in a workflow, else from the AWS credentials that the environment has";
    ACCOUNTS: "accounts" "ACCOUNTS", otherwise "the account of the credentials",
        "The accounts to audit, separated by commas or line ends: twelve digits, or the ARN of a role to assume from the first one; exactly those";
    MEMBER_ROLE_NAME: "member-role-name" "NAME", otherwise "the first role's name",
        "The role to assume in accounts that are given by their id";
    EXTERNAL_ID: "external-id" "ID", otherwise "",
        "The external id that the roles ask for; it goes with every `sts:AssumeRole`, and `AssumeRoleWithWebIdentity` takes none";
    ALLOWED_ACCOUNT_IDS: "allowed-account-ids" "IDS", otherwise "all",
        "The only accounts that may be audited; any other is refused before anything is read";
    AWS_REGION: "aws-region" "REGION", otherwise "AWS_REGION, the profile's, or one of the role's partition",
        "The region whose endpoints are asked";
    AUDIENCE: "audience" "TEXT", otherwise "sts.amazonaws.com, or sts.amazonaws.com.cn in China",
        "For whom the OIDC token is asked";
    ROLE_SESSION_NAME: "role-session-name" "NAME", default "iam-stocktake",
        "What the sessions are called in CloudTrail";
    ROLE_DURATION_SECONDS: "role-duration-seconds" "N", default "3600",
        "How long the first role's session lasts; it is renewed in a longer run";
    NO_RECHECK: "no-recheck" "", otherwise "",
        "Fetch the credential report and nothing else: two calls; findings are not looked at again, and nothing counts as cleared";
    SSH_KEYS: "ssh-keys" "candidates|all", default "candidates",
        "Whose SSH keys are listed: of users whom the report cannot clear, or of all at one call a user";
    OWNERS: "owners" "candidates|all|none", default "candidates",
        "Whose tags are read to name an owner";
    OWNER_TAGS: "owner-tags" "KEYS", default "owner,Owner",
        "The tag keys that name a user's owner; the first that is there counts";
    LAST_ACCESSED: "last-accessed" "candidates|none", default "candidates",
        "Of whom Access Advisor is asked for the last service used: at most 100 an account, the oldest disuse first";
    TIMEOUT: "timeout" "SECONDS", default "600",
        "How long the audit of an account may take; what is missing then is reported as incomplete";
    CONCURRENCY: "concurrency" "N", default "8",
        "How many calls are made at a time in an account";
    ACCOUNT_CONCURRENCY: "account-concurrency" "N", default "8",
        "How many accounts are audited at a time";
    ALLOWLIST: "allowlist" "FILE|none", otherwise ".github/iam-allowlist.yml, if it is there",
        "The allowlist with the exemptions and the policy; `none` for no allowlist";
    STALE_AFTER_DAYS: "stale-after-days" "N", otherwise "the allowlist's, else 90",
        "Days without use after which a credential is stale";
    FORMAT: "format" "FORMAT", otherwise "table, unless --output is given",
        "What is written to standard output: table, markdown or json";
    OUTPUT: "output" "FILE", otherwise "",
        "Also write a report to this file, in the format of its ending (.md, .json or .txt); may be given several times";
    LANGUAGE: "language" "en|ja", default "en",
        "The language of the Markdown report";
    FAIL_ON: "fail-on" "any|none", default "any",
        "Which open findings of level error make the exit code 1";
    MAX_ROWS: "max-rows" "N", default "200",
        "The most rows that a table of the report shows; 0 shows all";
    TEMPLATE: "template" "FILE", otherwise "",
        "A template of your own for the Markdown report (docs/template.md)";
    QUIET: "quiet" "", otherwise "",
        "Show no progress";
    VERBOSE: "verbose" "", otherwise "",
        "Log every call to standard error, with its outcome and time";
    NOW: "now" "RFC3339", otherwise "the clock",
        "The moment by which days are counted, for reproducible output";

    REQUIRED_ALLOWLIST: "allowlist" "FILE|none", otherwise ".github/iam-allowlist.yml",
        "The allowlist with the exemptions and the policy, which must be there; `none` for no allowlist";
    AUDITS: "audits" "FILES", otherwise "",
        "Publish the audit JSON of earlier jobs instead of auditing: files, or folders that hold them";
    PUBLISH: "publish" "auto|issue|issue-per-user|pull-request|none", default "auto",
        "Where the findings go: `auto` keeps the queue's issue on the default branch and comments on pull requests; `issue-per-user` adds an issue for each user";
    ACTION_FAIL_ON: "fail-on" "LIST", otherwise "auto: new in pull requests and merge queues, else none",
        "Which open findings fail the job: `new` to the queue, `overdue`, `any` of level error, or `none`";
    REMEDY_WITHIN_DAYS: "remedy-within-days" "N", default "30",
        "How long a finding may stand before it is overdue";
    REQUIRE_QUEUE: "require-queue" "", otherwise "false",
        "Fail the gate where there is no queue yet that says what is new";
    QUEUE: "queue" "NAME", default "default",
        "The queue's name: several may share a repository";
    QUEUE_REPOSITORY: "queue-repository" "OWNER/NAME", otherwise "this repository",
        "The repository whose issues hold the queue";
    QUEUE_AUTHOR: "queue-author" "LOGIN", otherwise "the token's own account alone",
        "Trust the queue issue and the comments of this account too, such as `my-app[bot]` or `github-actions[bot]`: for a schedule and a check with different tokens, or after a change of tokens";
    GITHUB_TOKEN: "github-token" "TOKEN", otherwise "the job's token",
        "The token with which issues and comments are read and written: `issues: write`, `pull-requests: write`, `contents: read`";
    ISSUE_TITLE: "issue-title" "TEXT", otherwise "IAM credentials to remedy",
        "The title of the queue's issue when it is made; a title that people change stays";
    LABELS: "labels" "LIST", otherwise "",
        "Labels of the issues that are made, besides `iam-stocktake`";
    ASSIGNEES: "assignees" "LIST", otherwise "",
        "Who is assigned to the issues that are made";
    ASSIGN_OWNERS: "assign-owners" "", otherwise "false",
        "Assign the owner that a user's tags name to the user's issue";
    COMMENT_ON: "comment-on" "always|findings", default "always",
        "On which pull requests a comment is made; one that is there is always kept up to date";
    REPORT_DIR: "report-dir" "FOLDER", default "iam-stocktake-report",
        "The folder in the workspace into which the reports are written";
    PUBLISH_IN_PUBLIC: "publish-in-public" "", otherwise "false",
        "Name users and findings although the repository is public: everybody can read them then";
    DRY_RUN: "dry-run" "", otherwise "false",
        "Print what would be changed in the issue tracker, and change nothing";

    AUDIT: "audit" "AUDIT.json", otherwise "everybody is meant",
        "Remedy the users alone who have findings in this audit JSON; they are looked at again";
    STAGE: "stage" "notify|deactivate|delete", otherwise "as far as the allowlist's `remediation` goes",
        "The furthest stage to be planned and carried out";
    APPLY: "apply" "", otherwise "",
        "Carry the plan out; without it nothing is changed";
    PLAN: "plan" "PLAN.json", otherwise "a plan is made and carried out at once",
        "The saved plan to carry out, refused when it was changed or its facts have moved";
    PLAN_DIGEST: "plan-digest" "HEX", otherwise "",
        "The digest of the plan that was approved: another is refused";
    JOURNAL: "journal" "FILE", default "iam-stocktake-journal.jsonl",
        "The file that every step is written to before and after it is done; it is added to, and tells the next run what is left to do";
    OTHER_JOURNALS: "other-journals" "FILES", otherwise "",
        "Journals of other jobs that remediate the same accounts, separated by commas or line ends: they are read and never written, and one that is not there is taken for empty";
    UNDO: "undo" "JOURNAL", otherwise "",
        "Activate again what was deactivated by this journal; without --apply, say what that would be";
    UNDO_USER: "user" "NAME", otherwise "everybody",
        "With --undo, these users alone; may be given several times";
    REMEDY_OUTPUT: "output" "FILE", otherwise "",
        "Also write the plan to this file, in the format of its ending: .json can be carried out, .md and .txt can be read; may be given several times";
    REMEDIATE: "remediate" "none|plan|apply", default "none",
        "Instead of the audit, on the default branch of a private repository: `plan` the remedy into `report-dir`, or `apply` a plan";
}

/// The flags of `audit`, in the order in which people meet them.
pub const AUDIT_SETTINGS: [Setting; 31] = [
    CREDENTIAL_REPORT,
    REPORT_GENERATED_AT,
    MAX_EVIDENCE_AGE,
    ROLE_TO_ASSUME,
    ACCOUNTS,
    MEMBER_ROLE_NAME,
    EXTERNAL_ID,
    ALLOWED_ACCOUNT_IDS,
    AWS_REGION,
    AUDIENCE,
    ROLE_SESSION_NAME,
    ROLE_DURATION_SECONDS,
    NO_RECHECK,
    SSH_KEYS,
    OWNERS,
    OWNER_TAGS,
    LAST_ACCESSED,
    TIMEOUT,
    CONCURRENCY,
    ACCOUNT_CONCURRENCY,
    ALLOWLIST,
    STALE_AFTER_DAYS,
    FORMAT,
    OUTPUT,
    LANGUAGE,
    FAIL_ON,
    MAX_ROWS,
    TEMPLATE,
    QUIET,
    VERBOSE,
    NOW,
];

/// The inputs of the action, which are flags of the command `action` as well.
pub const INPUTS: [Setting; 46] = [
    ROLE_TO_ASSUME,
    ACCOUNTS,
    MEMBER_ROLE_NAME,
    EXTERNAL_ID,
    ALLOWED_ACCOUNT_IDS,
    AWS_REGION,
    AUDIENCE,
    ROLE_SESSION_NAME,
    ROLE_DURATION_SECONDS,
    NO_RECHECK,
    SSH_KEYS,
    OWNERS,
    OWNER_TAGS,
    LAST_ACCESSED,
    TIMEOUT,
    CONCURRENCY,
    ACCOUNT_CONCURRENCY,
    REQUIRED_ALLOWLIST,
    STALE_AFTER_DAYS,
    MAX_EVIDENCE_AGE,
    AUDITS,
    PUBLISH,
    ACTION_FAIL_ON,
    REMEDY_WITHIN_DAYS,
    REQUIRE_QUEUE,
    QUEUE,
    QUEUE_REPOSITORY,
    QUEUE_AUTHOR,
    GITHUB_TOKEN,
    ISSUE_TITLE,
    LABELS,
    ASSIGNEES,
    ASSIGN_OWNERS,
    COMMENT_ON,
    REPORT_DIR,
    TEMPLATE,
    LANGUAGE,
    MAX_ROWS,
    PUBLISH_IN_PUBLIC,
    DRY_RUN,
    REMEDIATE,
    STAGE,
    PLAN,
    PLAN_DIGEST,
    JOURNAL,
    OTHER_JOURNALS,
];

/// The flags of `remediate`, in the order in which people meet them.
pub const REMEDIATE_SETTINGS: [Setting; 31] = [
    STAGE,
    APPLY,
    PLAN,
    PLAN_DIGEST,
    JOURNAL,
    OTHER_JOURNALS,
    UNDO,
    UNDO_USER,
    AUDIT,
    ROLE_TO_ASSUME,
    ACCOUNTS,
    MEMBER_ROLE_NAME,
    EXTERNAL_ID,
    ALLOWED_ACCOUNT_IDS,
    AWS_REGION,
    AUDIENCE,
    ROLE_SESSION_NAME,
    ROLE_DURATION_SECONDS,
    OWNER_TAGS,
    TIMEOUT,
    CONCURRENCY,
    ACCOUNT_CONCURRENCY,
    REQUIRED_ALLOWLIST,
    STALE_AFTER_DAYS,
    FORMAT,
    REMEDY_OUTPUT,
    LANGUAGE,
    MAX_ROWS,
    QUIET,
    VERBOSE,
    NOW,
];

/// One output of the action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Output {
    /// Its name.
    pub name: &'static str,
    /// What it holds, as one sentence.
    pub description: &'static str,
}

/// The outputs of the action.
pub const OUTPUTS: [Output; 16] = {
    const fn output(name: &'static str, description: &'static str) -> Output {
        Output { name, description }
    }
    [
        output(
            "result",
            "`clean`, `stale`, `incomplete` or `error`; of a remedy `stale` where the plan holds changes",
        ),
        output(
            "gate",
            "`passed`, `failed` or `not-evaluated`; only findings of level error count for it",
        ),
        output("stale-count", "Open findings of level error or warning"),
        output(
            "new-count",
            "Open findings of level error or warning that were not open in the queue; the gate counts those of level error",
        ),
        output(
            "overdue-count",
            "Findings of level error or warning that have stood in the queue for longer than `remedy-within-days`",
        ),
        output("exempted-count", "Findings that an exemption covers"),
        output("expired-exemption-count", "Findings whose exemption has expired"),
        output("issue-number", "The number of the queue's issue"),
        output("issue-url", "The page of the queue's issue"),
        output("comment-url", "The comment on the pull request"),
        output("report-markdown", "The Markdown report, relative to the workspace"),
        output("report-json", "The audit JSON, relative to the workspace"),
        output("plan", "The plan of a remedy, relative to the workspace"),
        output("plan-digest", "The digest of the plan, for `plan-digest`"),
        output(
            "change-count",
            "How many changes of the plan take something away: deactivations and deletions",
        ),
        output("journal", "The journal of a remedy, relative to the workspace"),
    ]
};
