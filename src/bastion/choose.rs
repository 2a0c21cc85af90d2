//! Which of the tasks that run already may be used, and which first.
//!
//! Pure. Every laptop sorts the same way, so all converge on one task without talking to each other.

use std::collections::BTreeMap;

use super::launch::Wanted;
use crate::aws::Task;

/// The task to use, if any will do: one whose agent runs, then the oldest, then the lowest ARN.
pub fn choose<'a>(tasks: &'a [Task], wanted: &Wanted) -> Option<&'a Task> {
    tasks
        .iter()
        .filter(|task| is_acceptable(task, wanted))
        .min_by_key(|task| {
            let ready = task.last_status == "RUNNING" && has_running_agent(task);
            (!ready, task.created_at, task.arn.as_str())
        })
}

fn is_acceptable(task: &Task, wanted: &Wanted) -> bool {
    let comes_or_runs = matches!(
        task.last_status.as_str(),
        "PROVISIONING" | "PENDING" | "ACTIVATING" | "RUNNING"
    );
    comes_or_runs
        && task.desired_status == "RUNNING"
        && (task.enable_execute_command || !wanted.exec)
        && task.stopping_at.is_none()
        && task.connectivity.as_deref() != Some("DISCONNECTED")
        && !has_stopped_agent(task)
        && has_tags(&task.tags, &wanted.tags)
}

/// Tags say for whom the task was run and with which parameters. The version of the daemon that
/// ran it is no reason to run another.
fn has_tags(tags: &BTreeMap<String, String>, wanted: &BTreeMap<String, String>) -> bool {
    wanted
        .iter()
        .filter(|(key, _)| key.as_str() != super::launch::VERSION_TAG)
        .all(|(key, value)| tags.get(key) == Some(value))
}

fn has_running_agent(task: &Task) -> bool {
    task.containers
        .iter()
        .any(|c| c.exec_agent.as_ref().is_some_and(|a| a.status == "RUNNING"))
}

fn has_stopped_agent(task: &Task) -> bool {
    let agents: Vec<_> = task
        .containers
        .iter()
        .filter_map(|c| c.exec_agent.as_ref())
        .collect();
    !agents.is_empty() && agents.iter().all(|agent| agent.status == "STOPPED")
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::aws::{AgentStatus, Container};

    fn wanted() -> Wanted {
        let tags = [
            ("bastiond:mode", "shared"),
            ("bastiond:params", "abc"),
            ("bastiond:version", "2"),
        ];
        Wanted {
            exec: true,
            tags: tags.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
        }
    }

    fn task(arn: &str, created: u64) -> Task {
        let mut tags = wanted().tags;
        tags.insert("bastiond:version".to_owned(), "1".to_owned());
        Task {
            arn: arn.to_owned(),
            last_status: "RUNNING".to_owned(),
            desired_status: "RUNNING".to_owned(),
            enable_execute_command: true,
            created_at: Some(SystemTime::UNIX_EPOCH + Duration::from_secs(created)),
            containers: vec![agent("RUNNING")],
            tags,
            ..Task::default()
        }
    }

    fn agent(status: &str) -> Container {
        let agent = AgentStatus {
            status: status.to_owned(),
            reason: None,
        };
        Container {
            exec_agent: Some(agent),
            ..Container::default()
        }
    }

    fn chosen(tasks: &[Task]) -> Option<&str> {
        choose(tasks, &wanted()).map(|task| task.arn.as_str())
    }

    #[test]
    fn a_task_of_another_version_of_the_daemon_is_used() {
        assert_eq!(chosen(&[task("a", 1)]), Some("a"));
    }

    #[test]
    fn a_running_agent_goes_before_age_and_age_before_the_name() {
        let pending = Task {
            containers: vec![agent("PENDING")],
            ..task("a", 1)
        };
        assert_eq!(chosen(&[pending, task("c", 3), task("b", 2)]), Some("b"));
        assert_eq!(chosen(&[task("c", 2), task("b", 2)]), Some("b"));
    }

    #[test]
    fn what_stops_or_serves_others_is_not_used() {
        let unfit: [fn(&mut Task); 7] = [
            |task| task.desired_status = "STOPPED".to_owned(),
            |task| task.last_status = "DEPROVISIONING".to_owned(),
            |task| task.enable_execute_command = false,
            |task| task.stopping_at = Some(SystemTime::UNIX_EPOCH),
            |task| task.connectivity = Some("DISCONNECTED".to_owned()),
            |task| task.containers = vec![agent("STOPPED")],
            |task| {
                drop(
                    task.tags
                        .insert("bastiond:params".to_owned(), "other".to_owned()),
                )
            },
        ];
        for (row, spoil) in unfit.iter().enumerate() {
            let mut task = task("a", 1);
            spoil(&mut task);
            assert_eq!(chosen(&[task]), None, "row {row}");
        }
    }
}
