//! The status of the whole, put together from what each part has published.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use jiff::Zoned;
use tokio::time::Instant;

use super::accounts::Accounts;
use super::doctor::Findings;
use super::{Daemon, Setup};
use crate::aws::{Aws, Error};
use crate::config::{Config, Prices};
use crate::cost;
use crate::state::State;
use crate::status::{self, Problem, Reason, Status};
use crate::{bastion, tunnel};

/// What a reload replaces.
pub struct Parts {
    /// In the order of the configuration.
    pub tunnels: Vec<tunnel::Handle>,
    /// By name.
    pub bastions: Vec<bastion::Handle>,
    /// The ways to AWS.
    pub accounts: Arc<Accounts>,
    /// What tasks cost.
    pub prices: Prices,
    /// Why the latest reload was refused.
    pub refused: Option<Problem>,
}

impl Parts {
    /// Before anything runs.
    pub fn new(accounts: Arc<Accounts>, config: &Config) -> Self {
        Self {
            tunnels: Vec::new(),
            bastions: Vec::new(),
            accounts,
            prices: config.prices.clone(),
            refused: None,
        }
    }
}

/// The parts of a daemon that runs. Cheap to clone.
pub type Shared = Arc<Mutex<Parts>>;

/// Reads what was published; wakes nobody and waits for nothing.
pub struct Overview {
    parts: Shared,
    state: State,
    instance: String,
    started: Instant,
    started_at: SystemTime,
    config_path: Option<String>,
    log_path: Option<String>,
    socket: String,
    /// What was wrong with the state file at the start.
    state_warning: Option<String>,
    /// What the doctor has found behind failures.
    findings: Findings,
}

impl Overview {
    /// An overview of `daemon`.
    pub fn new(
        setup: &Setup,
        daemon: &Daemon,
        state: State,
        state_warning: Option<String>,
    ) -> Self {
        let shown = |path: &std::path::PathBuf| path.display().to_string();
        Self {
            parts: Arc::clone(&daemon.parts),
            state,
            instance: format!("{:016x}", fastrand::u64(..)),
            started: Instant::now(),
            started_at: SystemTime::now(),
            config_path: setup.sources.as_ref().map(|it| shown(&it.path)),
            log_path: setup.log_path.as_ref().map(shown),
            socket: shown(&setup.paths.socket),
            state_warning,
            findings: daemon.findings.clone(),
        }
    }

    /// The status at this moment.
    pub fn status(&self) -> Status {
        let now = Instant::now();
        let parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let tunnels = parts.tunnels.iter().map(|tunnel| tunnel.status(now));
        let bastions = parts.bastions.iter();
        let bastions = bastions.map(|bastion| shown_bastion(bastion, &parts.accounts, now));
        let own = parts.refused.clone().into_iter().chain(self.own_problems());
        let mut status = Status::assemble(
            self.daemon(now),
            shown(&parts.accounts.main().aws, "aws"),
            tunnels.collect(),
            bastions.collect(),
            own.collect(),
        );
        if !status.healthy {
            status.problems.extend(self.findings.problems());
        }
        let usage = self.state.usage();
        let cost = || cost::report(&usage, &parts.prices, &Zoned::now());
        Status {
            cost: (!usage.is_empty()).then(cost),
            ..status
        }
    }

    fn daemon(&self, now: Instant) -> status::Daemon {
        status::Daemon {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            instance: self.instance.clone(),
            started_at: status::timestamp(self.started_at),
            uptime_seconds: now.duration_since(self.started).as_secs(),
            config_path: self.config_path.clone(),
            log_path: self.log_path.clone(),
            socket: self.socket.clone(),
        }
    }

    fn own_problems(&self) -> Vec<Problem> {
        let unwritable = self.state.last_error().map(|error| {
            let reason = Reason::new("state_unwritable", error.to_string());
            match error.hint() {
                Some(hint) => reason.with_hint(hint),
                None => reason,
            }
        });
        let damaged = self.state_warning.clone().map(|warning| {
            Reason::new("state_damaged", warning).with_hint(
                "look for tasks and sessions of an earlier run that nobody needs: bastiond ctl orphans",
            )
        });
        let reasons = unwritable.into_iter().chain(damaged);
        let problem = |reason| Problem::new("daemon", reason, SystemTime::now(), Duration::ZERO);
        reasons.map(problem).collect()
    }
}

fn shown_bastion(bastion: &bastion::Handle, accounts: &Accounts, now: Instant) -> status::Bastion {
    let status = bastion.status(now);
    let own = accounts.own(&status.name);
    let subject = format!("aws of bastion {}", status.name);
    status::Bastion {
        aws: own.map(|account| shown(&account.aws, &subject)),
        ..status
    }
}

/// Who we are to AWS with these credentials; `subject` is whose they are.
fn shown(aws: &Aws, subject: &str) -> status::Aws {
    let identity = aws.last_identity();
    let expiry = aws.credentials_expiry();
    let left = expiry.map(|at| at.duration_since(SystemTime::now()).unwrap_or_default());
    let problem =
        |error: Error| Problem::new(subject, error.into(), SystemTime::now(), Duration::ZERO);
    status::Aws {
        region: Some(aws.region().to_owned()),
        account: identity.as_ref().map(|identity| identity.account.clone()),
        arn: identity.map(|identity| identity.arn),
        credentials_expire_at: expiry.map(status::timestamp),
        credentials_seconds_left: left.map(|left| left.as_secs()),
        last_error: aws.credentials_error().map(problem),
    }
}
