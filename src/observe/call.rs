//! Calls to AWS, with retries until a deadline.

mod error;

use std::time::Duration;

use aws_sdk_iam::config::http::HttpResponse;
use aws_sdk_iam::error::{ProvideErrorMetadata, SdkError};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};

pub(crate) use error::{AwsError, CheckedAwsError, RefreshFailed, is_transient_message};

use crate::retry::{AttemptTimedOut, Deadline};

/// The deadline of calls, and how many are made at the same time.
#[derive(Debug)]
pub(crate) struct CallLimits {
    deadline: Deadline,
    permits: Semaphore,
}

impl CallLimits {
    /// The deadline is `timeout` from now. At most `concurrency` calls are made at the same time.
    pub(crate) fn new(timeout: Duration, concurrency: usize) -> Self {
        Self { deadline: Deadline::new(timeout), permits: Semaphore::new(concurrency) }
    }

    pub(crate) const fn deadline(&self) -> &Deadline {
        &self.deadline
    }

    /// Makes a call, and retries it until the deadline.
    pub(crate) async fn call<T, E, F>(
        &self,
        action: &'static str,
        request: impl Fn() -> F,
    ) -> Result<T, AwsError>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        // The permit is kept between attempts: a throttled call is not replaced by another one.
        let _permit = self.permit(action).await?;
        self.deadline.retry(|attempt| self.attempt(action, attempt, &request)).await
    }

    /// Like [`Self::call`], with a check right before each attempt.
    ///
    /// # Errors
    /// The failure of the call, or of a check. After a failed check there is no further attempt.
    pub(crate) async fn call_checked<T, E, F, X>(
        &self,
        action: &'static str,
        check: impl AsyncFn() -> Result<(), X>,
        request: impl Fn() -> F,
    ) -> Result<T, CheckedAwsError<X>>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let attempt = async |attempt| {
            let outcome_unknown = false;
            check().await.map_err(|error| CheckedAwsError::Check { error, outcome_unknown })?;
            let _permit = self.permit(action).await.map_err(CheckedAwsError::Call)?;
            self.attempt(action, attempt, &request).await.map_err(CheckedAwsError::Call)
        };
        self.deadline.retry(attempt).await
    }

    /// Waits for one of the permits. A request is sent as soon as it is polled, so it must not be
    /// made when the deadline has passed.
    async fn permit(&self, action: &'static str) -> Result<SemaphorePermit<'_>, AwsError> {
        match timeout_at(self.deadline.end(), self.permits.acquire()).await {
            Ok(Ok(permit)) if !self.deadline.has_passed() => Ok(permit),
            _ => Err(AwsError::deadline_exceeded(action)),
        }
    }

    async fn attempt<T, E, F>(
        &self,
        action: &'static str,
        attempt: u32,
        request: impl Fn() -> F,
    ) -> Result<T, AwsError>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let started = Instant::now();
        let failure = match self.deadline.attempt(request()).await {
            Ok(Ok(answer)) => {
                let milliseconds = started.elapsed().as_millis();
                tracing::debug!(action, attempt, milliseconds, "answered");
                return Ok(answer);
            }
            Ok(Err(error)) => AwsError::from_sdk(action, &error),
            Err(AttemptTimedOut(after)) => AwsError::attempt_timed_out(action, after),
        };
        let AwsError { cause, code, message, .. } = &failure;
        if failure.is_expected() {
            let milliseconds = started.elapsed().as_millis();
            tracing::debug!(action, attempt, milliseconds, code, "answered");
            return Err(failure);
        }
        // AWS messages contain names. The log of a public job omits fields with this name.
        let aws_message = message;
        tracing::debug!(action, attempt, cause = cause.id(), code, aws_message, "failed");
        Err(failure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_call_is_made_after_the_deadline() {
        let called = std::cell::Cell::new(false);
        let request = async || {
            called.set(true);
            Ok::<_, SdkError<aws_sdk_iam::operation::list_users::ListUsersError, HttpResponse>>(())
        };
        let limits = CallLimits::new(Duration::ZERO, 1);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let failure = runtime.block_on(limits.call("iam:ListUsers", request)).unwrap_err();
        assert_eq!(failure, AwsError::deadline_exceeded("iam:ListUsers"));
        assert!(!called.get());
    }
}
