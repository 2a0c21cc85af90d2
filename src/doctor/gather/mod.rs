//! Gathers the facts that the chosen checks need: a call for each, with a deadline, a few at a time.

mod account;
mod bastion;
mod far;
mod machine;
mod network;
pub mod node;
mod policy;
mod trial;
mod tunnel;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::check::{Check, Gap, Known};
use super::progress::Progress;
use crate::aws::{Error, Kind, Why};

pub use account::account;
pub use bastion::{Through, bastion};
pub use far::{far_of, far_rules};
pub use machine::machine;
pub use trial::{Way, trial};
pub use tunnel::{document_of, tunnel};

/// Calls at the same time: a tenth of what AWS allows in a second of the slowest of them.
const AT_ONCE: usize = 4;
/// No single fact takes longer.
const LIMIT: Duration = Duration::from_secs(20);

/// What may deny an action that every policy of ours allows.
const FENCES: [Why; 3] = [
    Why::OrganizationPolicy,
    Why::PermissionsBoundary,
    Why::SessionPolicy,
];

/// Who asks, and what for.
pub struct Gatherer {
    ids: BTreeSet<&'static str>,
    actions: BTreeSet<&'static str>,
    budget: Arc<Semaphore>,
    progress: Progress,
    trials: Arc<Trials>,
    /// What was denied by one of [`FENCES`].
    fences: Mutex<Vec<(String, Why)>>,
}

/// Sessions that are opened to see how far they come. They are ended though nobody waits any more for what they tell.
pub struct Trials {
    tracker: TaskTracker,
    cancel: CancellationToken,
    /// Who says nothing for so long does not get the packets.
    silence: Duration,
}

impl Trials {
    /// None so far.
    pub fn new(silence: Duration) -> Arc<Self> {
        Arc::new(Self {
            tracker: TaskTracker::new(),
            cancel: CancellationToken::new(),
            silence,
        })
    }

    /// End those under way, and wait until all have ended.
    pub async fn end(&self) {
        self.cancel.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }
}

impl Gatherer {
    /// For these checks.
    pub fn new(checks: &[&'static Check], progress: Progress, trials: Arc<Trials>) -> Self {
        let actions = checks.iter().flat_map(|check| check.needs);
        Self {
            ids: checks.iter().map(|check| check.id).collect(),
            actions: actions.copied().collect(),
            budget: Arc::new(Semaphore::new(AT_ONCE)),
            progress,
            trials,
            fences: Mutex::default(),
        }
    }

    /// One for another account, within the same budget.
    pub fn fork(&self) -> Self {
        Self {
            ids: self.ids.clone(),
            actions: self.actions.clone(),
            budget: Arc::clone(&self.budget),
            progress: self.progress.clone(),
            trials: Arc::clone(&self.trials),
            fences: Mutex::default(),
        }
    }

    /// What was denied so far by what no policy of ours can mend.
    pub fn fences(&self) -> Vec<(String, Why)> {
        let fences = self.fences.lock();
        fences.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What a failed call leaves unknown; what denies it is remembered.
    fn failed(&self, action: &str, error: &Error) -> Gap {
        if let Kind::Denied(denied) = &error.kind
            && FENCES.contains(&denied.why)
        {
            let action = denied.action.as_deref().unwrap_or(action);
            let fences = self.fences.lock();
            let mut fences = fences.unwrap_or_else(PoisonError::into_inner);
            fences.push((action.to_owned(), denied.why));
        }
        gap(action, error)
    }

    /// Whether one of these checks is chosen.
    pub fn wants(&self, ids: &[&str]) -> bool {
        ids.iter().any(|id| self.ids.contains(id))
    }

    /// Asks for what takes `action`, if a chosen check needs that. Boxed, for a call's future is large and many are
    /// under way.
    pub fn ask<'a, T: Send + 'a>(
        &'a self,
        action: &'static str,
        asked: impl Future<Output = Result<T, Error>> + Send + 'a,
    ) -> BoxFuture<'a, Known<T>> {
        if !self.actions.contains(action) {
            return Box::pin(async { Err(Gap::Unasked) });
        }
        Box::pin(async move {
            let _turn = self.budget.acquire().await;
            let _shown = self.progress.on(action);
            match timeout(LIMIT, asked).await {
                Ok(answer) => answer.map_err(|error| self.failed(action, &error)),
                Err(_) => Err(Gap::Failed(format!("{action} within {LIMIT:?}"))),
            }
        })
    }

    /// The same for what is no call of AWS with an action of its own.
    pub async fn look<T>(&self, what: &'static str, looked: impl Future<Output = T>) -> Option<T> {
        let _turn = self.budget.acquire().await;
        let _shown = self.progress.on(what);
        timeout(LIMIT, looked).await.ok()
    }
}

/// What a failed call leaves unknown.
pub fn gap(action: &str, error: &Error) -> Gap {
    match &error.kind {
        Kind::Denied(denied) => {
            let named = denied.action.clone();
            Gap::Denied(named.unwrap_or_else(|| action.to_owned()))
        }
        Kind::Login(_) => Gap::Needs("credentials (C01, C02)"),
        Kind::Unreachable | Kind::Timeout => Gap::Needs("AWS to be reached (L05, L06)"),
        _ => Gap::Failed(error.to_string()),
    }
}
