//! Trouble on demand: the part of [`World`] that changes things.

use serde_json::json;
use tokio::time::Instant;

use crate::proto::AgentProfile;

use super::{
    ecs,
    faults::{ApiFault, Command, Cut, Faults},
    run_task,
    script::{Failure, Plan},
    session::ToAgent,
    timeline::Ending,
    world::World,
};

impl World {
    /// The next `times` calls of `operation` meet `fault`, after those already queued.
    pub fn fail_next(&self, operation: &str, times: usize, fault: ApiFault) {
        self.core.change(|state| {
            let faults = state.api_faults.entry(operation.to_owned()).or_default();
            faults.next.extend(std::iter::repeat_n(fault, times));
        });
    }

    /// Every call of `operation` meets `fault` until [`heal`](Self::heal).
    pub fn fail_always(&self, operation: &str, fault: ApiFault) {
        self.core.change(|state| {
            let faults = state.api_faults.entry(operation.to_owned()).or_default();
            faults.standing = Some(fault);
        });
    }

    /// Takes back every fault of `operation`.
    pub fn heal(&self, operation: &str) {
        self.core.change(|state| state.api_faults.remove(operation));
    }

    /// Takes back what was to happen to the next calls, tasks and WebSocket requests.
    pub fn clear_surprises(&self) {
        self.core.change(|state| {
            state.api_faults.clear();
            state.plans.clear();
            state.refuse_upgrades.clear();
        });
    }

    /// The credentials with this access key id are over: every call signed by them is answered so.
    pub fn expire_key(&self, access_key_id: &str) {
        self.core
            .change(|state| state.expired_keys.push(access_key_id.to_owned()));
    }

    /// Those are good again.
    pub fn accept_key(&self, access_key_id: &str) {
        self.core
            .change(|state| state.expired_keys.retain(|key| key != access_key_id));
    }

    /// Somebody else runs a task of this family, with ECS Exec, in the first cluster; gives its id.
    ///
    /// # Panics
    /// Without such a cluster or family.
    #[must_use]
    pub fn run_task(&self, family: &str) -> String {
        let cluster = self.core.script.clusters.first().expect("a cluster");
        let body = json!({
            "taskDefinition": family,
            "enableExecuteCommand": true,
            "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-0a1b2c3d"]}},
        });
        let answer = run_task::perform(&self.core, cluster, &body).expect("it is run");
        let arn = &answer["tasks"][0]["taskArn"];
        ecs::last_part(arn.as_str().unwrap_or_default()).to_owned()
    }

    /// Whether the task's agent has its connection.
    #[must_use]
    pub fn is_connected(&self, task: &str) -> bool {
        let state = self.core.state();
        let mut tasks = state.tasks.iter();
        let task = tasks.find(|known| known.id == task);
        task.is_some_and(|task| task.course.at(Instant::now()).connected)
    }

    /// What is different about the next task that RunTask makes; several calls make a queue.
    pub fn plan_next_task(&self, plan: Plan) {
        self.core.change(|state| state.plans.push_back(plan));
    }

    /// Ends a task as if AWS or a person had: `code` as in `UserInitiated` or `InfrastructureHealth`. A task that
    /// is ending already keeps its end.
    pub fn stop_task(&self, arn: &str, code: &str, reason: &str) {
        let ending = Ending {
            at: Instant::now(),
            notice: std::time::Duration::ZERO,
            code: code.into(),
            reason: reason.into(),
            exit_code: Some(143),
            container_reason: None,
        };
        self.core.change(|state| {
            if let Some(task) = state.tasks.iter_mut().find(|task| task.arn == arn) {
                task.end(ending);
            }
        });
    }

    /// Ends a task in this way, `failure.after` from now.
    pub fn end_task(&self, arn: &str, failure: Failure) {
        self.core.change(|state| {
            if let Some(task) = state.tasks.iter_mut().find(|task| task.arn == arn) {
                task.end(failure.ending(Instant::now()));
            }
        });
    }

    /// Conditions from now on, for every session and those to come.
    pub fn set_faults(&self, faults: Faults) {
        self.core.change(|state| {
            for entry in &state.sessions {
                entry.faults.send_replace(faults.clone());
            }
            state.faults = faults;
        });
    }

    /// Conditions from now on, for one session only.
    pub fn set_faults_of(&self, session: &str, faults: Faults) {
        let state = self.core.state();
        if let Some(entry) = state
            .sessions
            .iter()
            .find(|entry| entry.public.id == session)
        {
            entry.faults.send_replace(faults);
        }
    }

    /// Sessions started from now on have this agent.
    pub fn set_agent(&self, agent: AgentProfile) {
        self.core.change(|state| state.agent = agent);
    }

    /// The next `times` WebSocket requests are answered with this status.
    pub fn refuse_upgrades(&self, times: usize, status: u16) {
        self.core.change(|state| {
            let statuses = std::iter::repeat_n(status, times);
            state.refuse_upgrades.extend(statuses);
        });
    }

    /// Makes something happen to one session. Nothing happens to an ended one.
    pub fn command(&self, session: &str, command: Command) {
        let state = self.core.state();
        if let Some(entry) = state
            .sessions
            .iter()
            .find(|entry| entry.public.id == session)
        {
            // A full queue or a gone agent means the session is past being commanded.
            let _ = entry.agent.try_send(ToAgent::Command(command));
        }
    }

    /// Ends the link of every active session in this way.
    pub fn cut_links(&self, cut: &Cut) {
        for session in self.active_sessions() {
            self.command(&session.id, Command::Cut(cut.clone()));
        }
    }

    /// The service ends every active session with this text.
    pub fn end_sessions(&self, output: Option<&str>) {
        for session in self.active_sessions() {
            let output = output.map(str::to_owned);
            self.command(&session.id, Command::End(output));
        }
    }
}
