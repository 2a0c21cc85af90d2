//! The calls that AWS allows few of, for all of an account and region: 3 StartSession a second, and 6 each of
//! ResumeSession, TerminateSession and DescribeSessions (service quotas). A team shares them, so a daemon stays well
//! below. Every attempt takes its turn; the SDK's own, which would not, are switched off.

use std::{error::Error as StdError, time::Duration};

use aws_sdk_ssm::{
    config::{Builder, retry::RetryConfig},
    error::ProvideErrorMetadata,
};
use aws_smithy_runtime_api::{client::result::SdkError, http::Response};
use tokio::{sync::Mutex, time::Instant};

use super::{
    Aws, Timeouts,
    error::{Error, Kind},
    pace::Bucket,
};

/// Attempts at a call that nobody else repeats.
const ATTEMPTS: u32 = 3;
/// The pause before the second of them; it doubles.
const PAUSE: Duration = Duration::from_millis(250);

/// A pace for each of these calls.
pub(super) struct Paces {
    pub(super) start: Mutex<Bucket>,
    pub(super) resume: Mutex<Bucket>,
    pub(super) terminate: Mutex<Bucket>,
    pub(super) describe: Mutex<Bucket>,
}

impl Default for Paces {
    /// At most four in any second of those with a burst, and two in the long run.
    fn default() -> Self {
        let several = || Mutex::new(Bucket::new(2, Duration::from_millis(500)));
        Self {
            start: Mutex::new(Bucket::new(1, Duration::from_secs(1))),
            resume: several(),
            terminate: several(),
            describe: several(),
        }
    }
}

impl Aws {
    /// One attempt, in its turn.
    pub(super) async fn paced<T, E, F>(
        &self,
        operation: &'static str,
        pace: &Mutex<Bucket>,
        send: impl Fn(Builder) -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, SdkError<E, Response>>>,
        E: StdError + ProvideErrorMetadata + 'static,
    {
        let mut turn = pace.lock().await;
        tokio::time::sleep(turn.wait(now())).await;
        turn.take(now());
        drop(turn);
        let outcome = self.call(operation, || send(self.once())).await;
        let mut turn = pace.lock().await;
        match &outcome {
            Err(error) if error.kind == Kind::Throttled => turn.throttled(now()),
            _ => turn.taken(),
        }
        outcome
    }

    /// As often as is sensible.
    pub(super) async fn paced_patiently<T, E, F>(
        &self,
        operation: &'static str,
        pace: &Mutex<Bucket>,
        send: impl Fn(Builder) -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, SdkError<E, Response>>>,
        E: StdError + ProvideErrorMetadata + 'static,
    {
        let mut attempt = 0;
        loop {
            let outcome = self.paced(operation, pace, &send).await;
            attempt += 1;
            match &outcome {
                Err(error) if error.is_retryable() && attempt < ATTEMPTS => {}
                _ => return outcome,
            }
            let pause = PAUSE * (1 << attempt);
            tokio::time::sleep(pause.mul_f64(fastrand::f64())).await;
        }
    }

    /// No repetition by the SDK.
    fn once(&self) -> Builder {
        Builder::new().retry_config(RetryConfig::disabled())
    }

    /// The same, with all of a call's time for the one attempt.
    pub(super) fn once_and_long(&self) -> Builder {
        let limits = self.timeouts();
        let limits = Timeouts {
            attempt: limits.operation,
            ..limits
        };
        self.once().timeout_config(limits.into())
    }
}

/// The clock that the sleeps go by.
pub(super) fn now() -> std::time::Instant {
    Instant::now().into_std()
}
