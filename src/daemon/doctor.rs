//! A start that fails is looked into by itself: the few checks of the doctor that may tell why, once for a failure and
//! a cool-down. What they find stands in the status for as long as the failure does.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, timeout};

use super::Daemon;
use crate::doctor::{self, Finding, Level, Progress, Request};
use crate::status::{Problem, Reason};
use crate::tunnel;

/// The same failure is not looked into again before.
const COOL_DOWN: Duration = Duration::from_secs(10 * 60);
/// All the checks together.
const LIMIT: Duration = Duration::from_secs(60);

/// What may be behind a task that does not start: it cannot pull its image, or has no place.
const NO_TASK: &[&str] = &[
    "T02", "T03", "T09", "T10", "T11", "N01", "N02", "N03", "N04", "N05", "N07", "N08", "N09",
    "I03", "Q01",
];
/// What may be behind an agent that does not connect.
const NO_AGENT: &[&str] = &[
    "T03", "T05", "T07", "T08", "N02", "N03", "N05", "N07", "N08", "N09", "I02", "I06",
];
/// What may be behind a database that is not reached.
const NO_DATABASE: &[&str] = &["N02", "N05", "N06", "N07", "D01", "D02"];

/// The checks for a failure, by its word.
fn checks(code: &str) -> &'static [&'static str] {
    match code {
        "task_stopped" | "task_start_failed" => NO_TASK,
        "target_not_connected" => NO_AGENT,
        "connect_timed_out" | "no_answer" | "host_not_resolved" => NO_DATABASE,
        _ => &[],
    }
}

/// What was found, by tunnel; shared with the status.
#[derive(Clone, Default)]
pub struct Findings(Arc<Mutex<BTreeMap<String, Vec<Finding>>>>);

impl Findings {
    /// As problems of the status, each once.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems: Vec<Problem> = Vec::new();
        for finding in self.all().values().flatten() {
            let problem = problem(finding);
            let is_known = |it: &Problem| it.code == problem.code && it.subject == problem.subject;
            if !problems.iter().any(is_known) {
                problems.push(problem);
            }
        }
        problems
    }

    fn put(&self, tunnel: &str, findings: Vec<Finding>) {
        self.all().insert(tunnel.to_owned(), findings);
    }

    fn clear(&self) {
        self.all().clear();
    }

    fn take(&self, tunnel: &str) {
        self.all().remove(tunnel);
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Vec<Finding>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn problem(finding: &Finding) -> Problem {
    let code = format!("doctor_{}", finding.id.to_lowercase());
    let message = format!("doctor {}: {}", finding.id, finding.evidence);
    let reason = Reason::new(code, message);
    let reason = match &finding.fix {
        Some(fix) => reason.with_hint(fix),
        None => reason,
    };
    Problem::new(&finding.subject, reason, SystemTime::now(), Duration::ZERO)
}

impl Daemon {
    /// One for each tunnel that looks into its failures, and into those of its bastion.
    pub(super) fn start_doctors(&mut self) {
        self.findings.clear();
        for tunnel in &self.tunnels {
            let watch = Watch {
                tunnel: tunnel.clone(),
                findings: self.findings.clone(),
                request: self.request(tunnel.name()),
                last: None,
            };
            let end = self.end_tunnels.child_token();
            self.helpers.spawn(async move {
                let _ = end.run_until_cancelled(watch.run()).await;
            });
        }
    }

    fn request(&self, tunnel: &str) -> Request {
        Request {
            config: Ok(self.config.clone()),
            paths: self.paths.clone(),
            source: self.way.source.clone(),
            lookup: |name| std::env::var(name).ok(),
            known: self.accounts.known(),
            only: Vec::new(),
            tunnel: Some(tunnel.to_owned()),
            silence: doctor::SILENCE,
            start: false,
            pace: 1.0,
            end: self.end_tunnels.child_token(),
        }
    }
}

struct Watch {
    tunnel: tunnel::Handle,
    findings: Findings,
    request: Request,
    /// The failure that was looked into last, and when.
    last: Option<(String, Instant)>,
}

impl Watch {
    async fn run(mut self) {
        loop {
            match self.failure() {
                None => self.findings.take(self.tunnel.name()),
                Some(code) if self.is_new(&code) => self.look(code).await,
                Some(_) => {}
            }
            if !self.tunnel.changed_with_its_bastion().await {
                return;
            }
        }
    }

    /// The word of what is wrong, if the doctor may know more.
    fn failure(&self) -> Option<String> {
        let now = Instant::now();
        let bastion = self
            .tunnel
            .bastion()
            .and_then(|it| it.status(now).last_error);
        let problem = bastion.or_else(|| self.tunnel.status(now).last_error);
        let code = problem.map(|problem| problem.code);
        code.filter(|code| !checks(code).is_empty())
    }

    fn is_new(&self, code: &str) -> bool {
        self.last
            .as_ref()
            .is_none_or(|(last, at)| last != code || at.elapsed() >= COOL_DOWN)
    }

    async fn look(&mut self, code: String) {
        let only = checks(&code).iter();
        self.request.only = only.map(|id| (*id).to_owned()).collect();
        self.last = Some((code, Instant::now()));
        let looked = Box::pin(doctor::examine(&self.request, Progress::quiet()));
        let Ok(Ok(report)) = timeout(LIMIT, looked).await else {
            tracing::debug!("the doctor has nothing to say");
            return;
        };
        let found = report.findings.into_iter();
        let found: Vec<_> = found.filter(|it| it.level >= Level::Warn).collect();
        for Finding {
            id, evidence, fix, ..
        } in &found
        {
            let fix = fix.as_deref().unwrap_or_default();
            tracing::warn!(check = id, evidence, fix, "the doctor has found");
        }
        // What has passed meanwhile needs no explanation.
        if self.failure().is_some() {
            self.findings.put(self.tunnel.name(), found);
        }
    }
}
