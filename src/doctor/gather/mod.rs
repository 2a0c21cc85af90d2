//! Gathers the facts that the chosen checks need: a call for each, with a deadline, a few at a time.

mod account;
mod bastion;
mod machine;
mod network;
mod policy;
mod tunnel;

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::check::{Check, Gap, Known};
use super::progress::Progress;
use crate::aws::{Error, Kind};

pub use account::account;
pub use bastion::{Through, bastion};
pub use machine::machine;
pub use tunnel::{document_of, tunnel};

/// Calls at the same time: a tenth of what AWS allows in a second of the slowest of them.
const AT_ONCE: usize = 4;
/// No single fact takes longer.
const LIMIT: Duration = Duration::from_secs(20);

/// Who asks, and what for.
pub struct Gatherer {
    ids: BTreeSet<&'static str>,
    actions: BTreeSet<&'static str>,
    budget: Semaphore,
    progress: Progress,
}

impl Gatherer {
    /// For these checks.
    pub fn new(checks: &[&'static Check], progress: Progress) -> Self {
        let actions = checks.iter().flat_map(|check| check.needs);
        Self {
            ids: checks.iter().map(|check| check.id).collect(),
            actions: actions.copied().collect(),
            budget: Semaphore::new(AT_ONCE),
            progress,
        }
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
                Ok(answer) => answer.map_err(|error| gap(action, &error)),
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
