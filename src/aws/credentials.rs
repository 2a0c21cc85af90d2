//! Credentials for a daemon that runs for weeks: kept until shortly before they expire, renewed once for all
//! who wait, and looked for afresh after every failure, so that a login elsewhere heals without a restart.

use std::{
    fmt,
    sync::{Arc, Mutex as Lock, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, SharedCredentialsProvider, error::CredentialsError, future},
};
use tokio::{
    sync::{Mutex, watch},
    task::spawn_blocking,
    time::timeout,
};

use super::{
    error::Error,
    signin::{Files, Stamp},
};

/// Renewal starts so long before expiry: well ahead of the hourly resume of a session.
const AHEAD: Duration = Duration::from_secs(5 * 60);

/// A credential process may ask for a touch or a code; longer than this it hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// While the old ones still hold, a failed renewal is tried again after this.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often renewing ahead is tried.
const AGAIN: Duration = Duration::from_secs(60);

/// The credentials in force, for the SDK and for our own signatures; cheap to clone.
#[derive(Clone)]
pub(super) struct Cached(Arc<Inner>);

struct Inner {
    /// Makes a provider anew, so that nothing of a failed look-up or an old file stays in it.
    make: Box<dyn Fn() -> SharedCredentialsProvider + Send + Sync>,
    cache: Mutex<Cache>,
    expiry: watch::Sender<Option<SystemTime>>,
    /// Counts the times that other credentials may have become available.
    renewed: watch::Sender<u64>,
    trouble: watch::Sender<Trouble>,
    files: Files,
    /// How the files looked when credentials were last looked for.
    seen: Lock<Stamp>,
}

/// What is wrong with the credentials.
#[derive(Clone, Debug, Default)]
pub(super) struct Trouble {
    /// None could be loaded; old ones may still hold.
    pub(super) load: Option<Arc<CredentialsError>>,
    /// AWS refused those in hand.
    pub(super) refused: Option<Error>,
}

#[derive(Default)]
struct Cache {
    credentials: Option<Credentials>,
    /// The last failure and when it ended: whoever waited for it meanwhile shares it.
    failed: Option<(Instant, Arc<CredentialsError>)>,
    /// The key that AWS refused last.
    refused: Option<String>,
}

impl Cached {
    pub(super) fn new(
        files: Files,
        make: impl Fn() -> SharedCredentialsProvider + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Inner {
            make: Box::new(make),
            cache: Mutex::default(),
            expiry: watch::Sender::new(None),
            renewed: watch::Sender::new(0),
            trouble: watch::Sender::default(),
            files,
            seen: Lock::default(),
        }))
    }

    /// Changes when other credentials may have become available.
    pub(super) fn renewed(&self) -> watch::Receiver<u64> {
        self.0.renewed.subscribe()
    }

    /// What is wrong with them.
    pub(super) fn trouble(&self) -> watch::Receiver<Trouble> {
        self.0.trouble.subscribe()
    }

    /// AWS refused the credentials, or took them.
    pub(super) fn note(&self, refused: Option<&Error>) {
        self.0.trouble.send_if_modified(|trouble| {
            let changes = trouble.refused.is_some() || refused.is_some();
            trouble.refused = refused.cloned();
            changes
        });
    }

    /// Looks for credentials again if the files have changed since it was last done.
    pub(super) async fn look_for_sign_in(&self) {
        let files = self.0.files.clone();
        let Ok(stamp) = spawn_blocking(move || files.stamp()).await else {
            return;
        };
        if *self.seen() == stamp {
            return;
        }
        *self.seen() = stamp;
        tracing::info!("the files of the AWS CLI have changed: looking for credentials there");
        self.0.cache.lock().await.credentials = None;
        let _ = self.resolve().await;
    }

    /// Renews credentials that are about to expire, and waits for the time when that is due again.
    pub(super) async fn renew_ahead(&self, wanted: impl Fn() -> bool) {
        let mut expiry = self.0.expiry.subscribe();
        loop {
            let due = (*expiry.borrow_and_update()).and_then(|at| at.checked_sub(AHEAD));
            let wait = async {
                match due {
                    Some(at) => {
                        let left = at.duration_since(SystemTime::now()).unwrap_or_default();
                        tokio::time::sleep(left).await;
                    }
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = wait => {}
                Ok(()) = expiry.changed() => continue,
            }
            if wanted() {
                // Those who need them are told why not; credentials that never last long are no reason to hurry.
                let _ = self.resolve().await;
                tokio::time::sleep(AGAIN).await;
            } else {
                // Whoever uses them next renews them.
                let _ = expiry.changed().await;
            }
        }
    }

    fn seen(&self) -> MutexGuard<'_, Stamp> {
        self.0.seen.lock().unwrap_or_else(PoisonError::into_inner)
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
        match self.refresh(&mut cache).await {
            Ok(fresh) => Ok(fresh),
            Err(error) => cache.fail(error),
        }
    }

    /// Other credentials, whatever those in hand are good for.
    pub(super) async fn renew(&self) -> Result<(), Arc<CredentialsError>> {
        let mut cache = self.0.cache.lock().await;
        self.refresh(&mut cache).await.map(drop)
    }

    async fn refresh(&self, cache: &mut Cache) -> Result<Credentials, Arc<CredentialsError>> {
        match self.load().await {
            Ok(fresh) => {
                let refused = cache.refused.take();
                let is_other = |key: &String| key != fresh.access_key_id();
                self.loaded(refused.as_ref().is_some_and(is_other));
                self.0.expiry.send_replace(fresh.expiry());
                *cache = Cache {
                    credentials: Some(fresh.clone()),
                    failed: None,
                    refused: refused.filter(|key| !is_other(key)),
                };
                Ok(fresh)
            }
            Err(error) => {
                let error = Arc::new(error);
                let load = Some(error.clone());
                self.0.trouble.send_modify(|trouble| trouble.load = load);
                Err(error)
            }
        }
    }

    /// Whoever waits for credentials, or for other ones, need not wait any longer.
    fn loaded(&self, are_others: bool) {
        let mends = |trouble: &mut Trouble| {
            let mends = trouble.load.take().is_some() || are_others;
            if mends {
                trouble.refused = None;
            }
            mends
        };
        if self.0.trouble.send_if_modified(mends) {
            self.0.renewed.send_modify(|count| *count += 1);
        }
    }

    /// Drops what AWS refused, so that the next use looks for others.
    pub(super) async fn forget(&self, refused_key: &str) {
        let mut cache = self.0.cache.lock().await;
        let is_it = |held: &Credentials| held.access_key_id() == refused_key;
        if cache.credentials.as_ref().is_some_and(is_it) {
            *cache = Cache {
                refused: Some(refused_key.to_owned()),
                ..Cache::default()
            };
        }
    }

    async fn load(&self) -> Result<Credentials, CredentialsError> {
        let files = self.0.files.clone();
        if let Ok(stamp) = spawn_blocking(move || files.stamp()).await {
            *self.seen() = stamp;
        }
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
mod tests;
