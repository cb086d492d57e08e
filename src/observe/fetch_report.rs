//! Fetches the credential report, with two calls if IAM has a recent one.

use std::time::Duration;

use aws_sdk_iam::types::ReportStateType;
use tokio::time::Instant;

use super::call::{AwsError, CallLimits};
use super::credential_report;
use super::moment;
use super::session::Session;
use crate::model::inventory::{Account, User};
use crate::retry::backoff;

const GENERATE: &str = "iam:GenerateCredentialReport";
const GET: &str = "iam:GetCredentialReport";
/// The first wait while IAM generates the report. Most reports take one or two seconds.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const MAX_PAUSE: Duration = Duration::from_secs(5);
/// The wait as a share of the elapsed time: the report is seen at most this much too late.
const SHARE: f64 = 0.2;

/// Fetches the credential report, and waits while IAM generates it.
///
/// Source: "Get credential reports for your AWS account", IAM User Guide. IAM generates a new
/// report at most every four hours.
pub(super) async fn fetch(
    session: &Session,
    limits: &CallLimits,
) -> Result<Account<'static>, AwsError> {
    let started = Instant::now();
    let mut generations = 0;
    'generate: loop {
        generations += 1;
        let generated = generate(session, limits).await?;
        if generated != ReportStateType::Complete {
            wait(limits, started.elapsed()).await?;
        }
        loop {
            match get(session, limits).await {
                Err(failure) if failure.has_code("ReportInProgress") => {
                    wait(limits, started.elapsed()).await?;
                }
                Err(failure)
                    if failure.has_code("ReportNotPresent")
                        || failure.has_code("ReportExpired") =>
                {
                    if !limits.deadline().sleep(backoff(generations)).await {
                        return Err(failure);
                    }
                    continue 'generate;
                }
                outcome => return outcome,
            }
        }
    }
}

async fn generate(session: &Session, limits: &CallLimits) -> Result<ReportStateType, AwsError> {
    let answer = limits.call(GENERATE, || session.iam.generate_credential_report().send()).await?;
    Ok(answer.state().cloned().unwrap_or(ReportStateType::Started))
}

async fn get(session: &Session, limits: &CallLimits) -> Result<Account<'static>, AwsError> {
    let answer = limits.call(GET, || session.iam.get_credential_report().send()).await?;
    let unexpected = |message: String| AwsError::unexpected(GET, message);
    let content = answer.content().map(AsRef::as_ref).unwrap_or_default();
    let csv = std::str::from_utf8(content)
        .map_err(|error| unexpected(format!("the report is not UTF-8 text: {error}")))?;
    let generated_at = answer.generated_time().and_then(moment);
    let account = credential_report::parse(csv, generated_at)
        .map_err(|error| unexpected(error.to_string()))?;
    if account.id != session.account {
        let message = format!("the report belongs to account {}", account.id);
        return Err(unexpected(message));
    }
    Ok(Account {
        id: account.id,
        partition: account.partition,
        alias: None,
        evidence_source: account.evidence_source,
        report_generated_at: generated_at,
        root: account.root.map(User::into_owned),
        users: account.users.into_iter().map(User::into_owned).collect(),
        replaced_rows: Vec::new(),
        queried_users: Vec::new(),
        rechecked_users: Vec::new(),
        gaps: Vec::new(),
    })
}

/// Waits for a share of the elapsed time.
async fn wait(limits: &CallLimits, elapsed: Duration) -> Result<(), AwsError> {
    let pause = elapsed.mul_f64(SHARE).clamp(FIRST_PAUSE, MAX_PAUSE);
    if !limits.deadline().sleep(pause).await {
        let mut failure = AwsError::deadline_exceeded(GET);
        failure.message = "IAM was still generating the report when the timeout was reached \
                           (--timeout)"
            .to_owned();
        return Err(failure);
    }
    Ok(())
}
