//! Credentials for a daemon that runs for weeks: kept until shortly before they expire, renewed once for all
//! who wait, and looked for afresh after every failure, so that a login elsewhere heals without a restart.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, SharedCredentialsProvider, error::CredentialsError, future},
};
use tokio::{
    sync::{Mutex, watch},
    time::timeout,
};

/// Renewal starts so long before expiry: well ahead of the hourly resume of a session.
const AHEAD: Duration = Duration::from_secs(5 * 60);

/// A credential process may ask for a touch or a code; longer than this it hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// While the old ones still hold, a failed renewal is tried again after this.
const PATIENCE: Duration = Duration::from_secs(30);

/// The credentials in force, for the SDK and for our own signatures; cheap to clone.
#[derive(Clone)]
pub(super) struct Cached(Arc<Inner>);

struct Inner {
    /// Makes a provider anew, so that nothing of a failed look-up or an old file stays in it.
    make: Box<dyn Fn() -> SharedCredentialsProvider + Send + Sync>,
    cache: Mutex<Cache>,
    expiry: watch::Sender<Option<SystemTime>>,
}

#[derive(Default)]
struct Cache {
    credentials: Option<Credentials>,
    /// The last failure and when it ended: whoever waited for it meanwhile shares it.
    failed: Option<(Instant, Arc<CredentialsError>)>,
}

impl Cached {
    pub(super) fn new(
        make: impl Fn() -> SharedCredentialsProvider + Send + Sync + 'static,
    ) -> Self {
        let expiry = watch::Sender::new(None);
        Self(Arc::new(Inner {
            make: Box::new(make),
            cache: Mutex::default(),
            expiry,
        }))
    }

    /// When the credentials last loaded expire; `None` for lasting ones and before the first use.
    pub(super) fn expiry(&self) -> Option<SystemTime> {
        *self.0.expiry.borrow()
    }

    /// Valid credentials, renewed first where needed.
    pub(super) async fn resolve(&self) -> Result<Credentials, Arc<CredentialsError>> {
        let asked = Instant::now();
        let mut cache = self.0.cache.lock().await;
        if let Some(held) = cache.held(SystemTime::now(), Instant::now()) {
            return Ok(held);
        }
        if let Some((_, error)) = cache.failed.as_ref().filter(|(ended, _)| *ended > asked) {
            return Err(error.clone());
        }
        match self.load().await {
            Ok(fresh) => {
                self.0.expiry.send_replace(fresh.expiry());
                *cache = Cache {
                    credentials: Some(fresh.clone()),
                    failed: None,
                };
                Ok(fresh)
            }
            Err(error) => cache.fail(Arc::new(error)),
        }
    }

    /// Drops what AWS refused, so that the next use looks for others.
    pub(super) async fn forget(&self, refused_key: &str) {
        let mut cache = self.0.cache.lock().await;
        let is_it = |held: &Credentials| held.access_key_id() == refused_key;
        if cache.credentials.as_ref().is_some_and(is_it) {
            *cache = Cache::default();
        }
    }

    async fn load(&self) -> Result<Credentials, CredentialsError> {
        let provider = (self.0.make)();
        let loaded = timeout(LIMIT, provider.provide_credentials()).await;
        loaded.unwrap_or_else(|_| Err(CredentialsError::provider_timed_out(LIMIT)))
    }
}

impl Cache {
    /// What can be used now: fresh ones, or old ones whose renewal failed a moment ago.
    fn held(&self, wall: SystemTime, now: Instant) -> Option<Credentials> {
        let held = self.credentials.as_ref()?;
        let Some(expiry) = held.expiry() else {
            return Some(held.clone());
        };
        let recently = self
            .failed
            .as_ref()
            .is_some_and(|(ended, _)| now.duration_since(*ended) < PATIENCE);
        let margin = if recently { Duration::ZERO } else { AHEAD };
        (wall + margin < expiry).then(|| held.clone())
    }

    fn fail(&mut self, error: Arc<CredentialsError>) -> Result<Credentials, Arc<CredentialsError>> {
        self.failed = Some((Instant::now(), error.clone()));
        self.held(SystemTime::now(), Instant::now()).ok_or(error)
    }
}

impl ProvideCredentials for Cached {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            self.resolve()
                .await
                .map_err(CredentialsError::provider_error)
        })
    }
}

impl fmt::Debug for Cached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cached(…)")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn many_callers_share_one_renewal() {
        let (cached, calls) = scripted(|_| Ok(expiring_in(3600)));
        let all = (0..20).map(|_| cached.resolve());
        futures_util::future::join_all(all)
            .await
            .into_iter()
            .for_each(|got| drop(got.unwrap()));
        assert_eq!(calls.load(Ordering::SeqCst), 1);
        assert!(cached.expiry().is_some());
    }

    #[tokio::test]
    async fn many_callers_share_one_failure_and_the_next_call_tries_again() {
        let (cached, calls) = scripted(|n| {
            if n == 0 {
                Err(expired())
            } else {
                Ok(expiring_in(3600))
            }
        });
        let all = (0..20).map(|_| cached.resolve());
        assert!(
            futures_util::future::join_all(all)
                .await
                .iter()
                .all(Result::is_err)
        );
        assert_eq!(calls.load(Ordering::SeqCst), 1);
        assert!(cached.resolve().await.is_ok(), "a login elsewhere heals");
    }

    #[tokio::test]
    async fn renewal_starts_five_minutes_ahead() {
        let (cached, calls) = scripted(|n| Ok(expiring_in(if n == 0 { 299 } else { 3600 })));
        for _ in 0..3 {
            cached.resolve().await.unwrap();
        }
        assert_eq!(calls.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn old_credentials_serve_until_they_end_when_renewal_fails() {
        let (cached, calls) = scripted(|n| {
            if n == 0 {
                Ok(expiring_in(200))
            } else {
                Err(expired())
            }
        });
        for _ in 0..5 {
            cached.resolve().await.unwrap();
        }
        assert_eq!(
            calls.load(Ordering::SeqCst),
            2,
            "a failed renewal is not repeated at every call"
        );
    }

    #[tokio::test]
    async fn refused_credentials_are_looked_for_again() {
        let (cached, calls) = scripted(|_| Ok(expiring_in(3600)));
        let refused = cached.resolve().await.unwrap();
        cached.forget(refused.access_key_id()).await;
        cached.resolve().await.unwrap();
        assert_eq!(calls.load(Ordering::SeqCst), 2);
    }

    fn expired() -> CredentialsError {
        CredentialsError::provider_error("the SSO token has expired and cannot be refreshed")
    }

    fn expiring_in(seconds: u64) -> Credentials {
        let expiry = SystemTime::now() + Duration::from_secs(seconds);
        Credentials::new("AKID", "secret", None, Some(expiry), "test")
    }

    /// A provider that answers the n-th load by `answer(n)`, and the count of loads.
    fn scripted(
        answer: fn(usize) -> Result<Credentials, CredentialsError>,
    ) -> (Cached, Arc<AtomicUsize>) {
        let calls = Arc::new(AtomicUsize::new(0));
        let counter = calls.clone();
        let cached = Cached::new(move || {
            let counter = counter.clone();
            SharedCredentialsProvider::new(Scripted { answer, counter })
        });
        (cached, calls)
    }

    #[derive(Debug)]
    struct Scripted {
        answer: fn(usize) -> Result<Credentials, CredentialsError>,
        counter: Arc<AtomicUsize>,
    }

    impl ProvideCredentials for Scripted {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            future::ProvideCredentials::new(async {
                let n = self.counter.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                (self.answer)(n)
            })
        }
    }
}
