//! Access Advisor: the service a user last accessed.
//!
//! Source: "Refine permissions using last accessed information", IAM User Guide. The data is about
//! the user, not a credential, and includes denied attempts. Only the session that started a job
//! can read it. The API limits are not published, so only a few jobs run at a time.

use std::time::Duration;

use aws_sdk_iam::operation::get_service_last_accessed_details::GetServiceLastAccessedDetailsOutput;
use aws_sdk_iam::types::JobStatusType;

use super::call::{AwsError, CallLimits};
use super::pages::{IamPage, PAGE_SIZE, collect_pages};
use super::session::Session;
use super::{moment, required};
use crate::model::inventory::LastAccessed;

const GENERATE: &str = "iam:GenerateServiceLastAccessedDetails";
const GET: &str = "iam:GetServiceLastAccessedDetails";
/// The maximum number of users per account.
pub(super) const MAX_USERS: usize = 100;
pub(super) const MAX_CONCURRENT_JOBS: usize = 3;
/// The first and the longest wait while the job runs.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(3));

/// The last accessed service; `None` if there is none in the tracking period.
pub(super) async fn of_user(
    session: &Session,
    limits: &CallLimits,
    arn: &str,
) -> Result<Option<LastAccessed>, AwsError> {
    let begin = || session.iam.generate_service_last_accessed_details().arn(arn).send();
    let answer = limits.call(GENERATE, begin).await?;
    let job = required(GENERATE, "JobId", answer.job_id())?.to_owned();
    let services = collect_pages(GET, async |marker| {
        let answer = completed(session, limits, &job, marker).await?;
        let seen = answer.services_last_accessed().iter().filter_map(|service| {
            let at = service.last_authenticated().and_then(moment)?;
            let name = required(GET, "ServiceNamespace", Some(service.service_namespace()));
            Some(name.map(|name| LastAccessed { service: name.to_owned(), at }))
        });
        Ok(IamPage::new(seen.collect::<Result<_, _>>()?, answer.is_truncated(), answer.marker()))
    })
    .await?;
    // For services with the same time, the first by name, so that every run gives the same result.
    Ok(services.into_iter().max_by(|a, b| (a.at, &b.service).cmp(&(b.at, &a.service))))
}

/// Waits for the job, and returns a page of its result.
async fn completed(
    session: &Session,
    limits: &CallLimits,
    job: &str,
    marker: Option<String>,
) -> Result<GetServiceLastAccessedDetailsOutput, AwsError> {
    let (mut pause, longest) = PAUSES;
    loop {
        let request = || {
            let get = session.iam.get_service_last_accessed_details().job_id(job);
            get.max_items(PAGE_SIZE).set_marker(marker.clone()).send()
        };
        let answer = limits.call(GET, request).await?;
        match answer.job_status() {
            JobStatusType::Completed => return Ok(answer),
            JobStatusType::InProgress if limits.deadline().sleep(pause).await => {
                pause = pause.mul_f64(1.5).min(longest);
            }
            JobStatusType::InProgress => return Err(AwsError::deadline_exceeded(GET)),
            other => {
                let why = answer.error().map(|it| it.message().to_owned()).unwrap_or_default();
                return Err(AwsError::unexpected(
                    GET,
                    format!("the job has status {other}: {why}"),
                ));
            }
        }
    }
}
