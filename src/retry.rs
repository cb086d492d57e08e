//! Retries for calls to AWS and GitHub: which failures are retried, how long to wait, and when to stop.
//!
//! The SDKs' own retries stop after a fixed number of attempts. A run has a deadline instead: it
//! retries until then, and reports the failure that explains why evidence is missing.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

/// The wait before the second attempt. Each further wait is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// The longest wait that the server did not request.
const MAX_WAIT: Duration = Duration::from_secs(5);
/// The longest time for one attempt, including the response body.
const MAX_ATTEMPT_TIME: Duration = Duration::from_secs(15);
/// The number of attempts for [`Retry::FewTimes`]: enough for a DNS or routing problem to pass, and
/// a misspelled host name still fails within seconds.
const MAX_FEW_ATTEMPTS: u32 = 7;

/// Whether to retry after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Retry {
    /// Another attempt would fail the same way.
    Never,
    /// Retry up to [`MAX_FEW_ATTEMPTS`] attempts, as when the host cannot be reached.
    FewTimes,
    /// Retry until the deadline, as when calls are throttled.
    UntilDeadline {
        /// How long the server asks to wait. The backoff is added to it.
        wait: Duration,
    },
}

impl Retry {
    /// Retry until the deadline. The server did not say how long to wait.
    pub(crate) const UNTIL_DEADLINE: Self = Self::UntilDeadline { wait: Duration::ZERO };

    /// The wait after failed attempt number `attempt`; `None` if there is no further attempt.
    fn wait_after(self, attempt: u32) -> Option<Duration> {
        match self {
            Self::Never => None,
            Self::FewTimes => (attempt < MAX_FEW_ATTEMPTS).then(|| backoff(attempt)),
            Self::UntilDeadline { wait } => Some(wait + backoff(attempt)),
        }
    }
}

/// A failed attempt.
pub(crate) trait AttemptFailure: Sized {
    fn retry(&self) -> Retry;

    /// This failure, together with what an earlier attempt of the same call says about it.
    #[must_use]
    fn after(self, _earlier: Self) -> Self {
        self
    }
}

/// One attempt took this long without a complete response.
#[derive(Debug)]
pub(crate) struct AttemptTimedOut(pub(crate) Duration);

/// When the calls of a run must be done, and how long one attempt may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline {
    end: Instant,
    attempt_time: Duration,
}

impl Deadline {
    /// The deadline is `timeout` from now.
    pub(crate) fn new(timeout: Duration) -> Self {
        Self { end: Instant::now() + timeout, attempt_time: attempt_time(timeout) }
    }

    pub(crate) const fn end(&self) -> Instant {
        self.end
    }

    pub(crate) fn has_passed(&self) -> bool {
        Instant::now() >= self.end
    }

    /// Sleeps if the deadline is later than that. Otherwise returns false at once.
    pub(crate) async fn sleep(&self, wait: Duration) -> bool {
        if Instant::now() + wait >= self.end {
            return false;
        }
        sleep(wait).await;
        true
    }

    /// Waits for one attempt.
    ///
    /// # Errors
    /// [`AttemptTimedOut`] when the attempt takes too long or the deadline passes.
    pub(crate) async fn attempt<F: Future>(
        &self,
        request: F,
    ) -> Result<F::Output, AttemptTimedOut> {
        let started = Instant::now();
        let end = self.end.min(started + self.attempt_time);
        timeout_at(end, request).await.map_err(|_| AttemptTimedOut(started.elapsed()))
    }

    /// Makes a call until it succeeds, fails for good, or the next attempt would be too late.
    /// `attempt` gets the attempt's number, from 1.
    pub(crate) async fn retry<T, E: AttemptFailure, F: Future<Output = Result<T, E>>>(
        &self,
        attempt: impl Fn(u32) -> F,
    ) -> Result<T, E> {
        let (mut number, mut earlier) = (1, None);
        loop {
            let failure = match attempt(number).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let wait = failure.retry().wait_after(number);
            let failure = match earlier {
                Some(earlier) => failure.after(earlier),
                None => failure,
            };
            match wait {
                Some(wait) if self.sleep(wait).await => earlier = Some(failure),
                _ => return Err(failure),
            }
            number += 1;
        }
    }
}

/// How long one attempt may take, so that a few attempts fit into `timeout`.
pub(crate) fn attempt_time(timeout: Duration) -> Duration {
    MAX_ATTEMPT_TIME.min(timeout / 4)
}

/// The wait after failed attempt number `attempt`. It doubles with every attempt. Half of it is
/// random, so that calls that failed together are not retried together.
pub(crate) fn backoff(attempt: u32) -> Duration {
    let whole = FIRST_WAIT.saturating_mul(1 << attempt.saturating_sub(1).min(16));
    whole.min(MAX_WAIT).mul_f64(0.5 + fastrand::f64() / 2.0)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::collections::BTreeSet;

    use super::*;

    #[derive(Debug, PartialEq, Eq)]
    struct Failed(Retry, Vec<u32>);

    impl AttemptFailure for Failed {
        fn retry(&self) -> Retry {
            self.0
        }

        fn after(self, earlier: Self) -> Self {
            Self(self.0, [earlier.1, self.1].concat())
        }
    }

    fn block_on<F: Future>(future: F) -> F::Output {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        runtime.unwrap().block_on(future)
    }

    /// The failure of a call whose attempts all fail, within 0.5 seconds.
    fn fail(retry: impl Fn(u32) -> Retry) -> Failed {
        block_on(async {
            let deadline = Deadline::new(Duration::from_millis(500));
            let attempt = |number| {
                let failed = Failed(retry(number), vec![number]);
                async move { Err::<(), _>(failed) }
            };
            deadline.retry(attempt).await.unwrap_err()
        })
    }

    #[test]
    fn backoff_doubles_up_to_the_maximum_with_jitter() {
        for attempt in 1..40 {
            let whole = FIRST_WAIT.saturating_mul(1 << (attempt - 1).min(16)).min(MAX_WAIT);
            let wait = backoff(attempt);
            assert!(whole / 2 <= wait && wait <= whole, "{attempt}: {wait:?}");
        }
        assert!((0..20).map(|_| backoff(6)).collect::<BTreeSet<_>>().len() > 1);
    }

    #[test]
    fn few_times_is_a_limited_number_of_attempts() {
        assert!(Retry::FewTimes.wait_after(MAX_FEW_ATTEMPTS - 1).is_some());
        assert_eq!(Retry::FewTimes.wait_after(MAX_FEW_ATTEMPTS), None);
        assert_eq!(Retry::Never.wait_after(1), None);
        assert!(Retry::UNTIL_DEADLINE.wait_after(1_000).is_some());
    }

    #[test]
    fn wait_of_the_server_is_kept_in_full() {
        let wait = Duration::from_secs(30);
        let waits = (1..10).map(|attempt| Retry::UntilDeadline { wait }.wait_after(attempt));
        assert!(waits.into_iter().all(|it| it.unwrap() > wait));
    }

    #[test]
    fn attempts_end_with_a_failure_that_is_not_retried_or_with_the_deadline() {
        let until_third = |number| if number < 3 { Retry::UNTIL_DEADLINE } else { Retry::Never };
        assert_eq!(fail(until_third), Failed(Retry::Never, vec![1, 2, 3]));
        let wait = Duration::from_secs(1);
        assert_eq!(fail(|_| Retry::UntilDeadline { wait }).1, [1]);
        let attempts = fail(|_| Retry::UNTIL_DEADLINE).1.len();
        assert!((2..=4).contains(&attempts), "{attempts}");
    }

    #[test]
    fn attempt_leaves_time_for_others() {
        assert_eq!(attempt_time(Duration::from_secs(8)), Duration::from_secs(2));
        assert_eq!(attempt_time(Duration::from_secs(600)), MAX_ATTEMPT_TIME);
        block_on(async {
            let deadline = Deadline::new(Duration::from_millis(200));
            let AttemptTimedOut(after) = deadline.attempt(sleep(MAX_WAIT)).await.unwrap_err();
            assert!(after < Duration::from_millis(150) && !deadline.has_passed(), "{after:?}");
        });
    }

    #[test]
    fn answer_ends_the_attempts() {
        let calls = Cell::new(0);
        let answer = block_on(Deadline::new(Duration::from_secs(5)).retry(|number| {
            calls.set(number);
            async move {
                if number == 2 { Ok(number) } else { Err(Failed(Retry::FewTimes, Vec::new())) }
            }
        }));
        assert_eq!((answer, calls.get()), (Ok(2), 2));
    }
}
