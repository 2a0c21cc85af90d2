//! Which of the tasks that run already may be used, and which first.
//!
//! Pure. Every laptop sorts the same way, so all converge on one task without talking to each other.

use std::collections::BTreeMap;
use std::time::SystemTime;

use super::launch::Wanted;
use crate::aws::Task;

/// The task to use, if any will do: one whose agent runs, then the oldest, then the lowest ARN.
pub fn choose<'a>(tasks: &'a [Task], wanted: &Wanted, now: SystemTime) -> Option<&'a Task> {
    let usable = |task: &&Task| is_acceptable(task, wanted) && !is_worn(task, wanted, now);
    let usable = tasks.iter().filter(usable);
    usable.min_by_key(|task| rank(task))
}

/// Every task that was run for this, and is not on its way out; the one to use first.
pub fn in_order(mut tasks: Vec<Task>, wanted: &Wanted) -> Vec<Task> {
    tasks.retain(|task| task.desired_status == "RUNNING" && has_tags(&task.tags, &wanted.tags));
    tasks.sort_by(|one, other| {
        let key = |task| (!is_acceptable(task, wanted), rank(task));
        key(one).cmp(&key(other))
    });
    tasks
}

fn rank(task: &Task) -> (bool, Option<SystemTime>, &str) {
    let ready = task.last_status == "RUNNING" && has_running_agent(task);
    (!ready, task.created_at, task.arn.as_str())
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

/// It would be replaced soon.
fn is_worn(task: &Task, wanted: &Wanted, now: SystemTime) -> bool {
    let age = |created| now.duration_since(created).ok();
    let age = task.created_at.and_then(age).unwrap_or_default();
    wanted.max_age.is_some_and(|most| age >= most)
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
    use std::time::Duration;

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
            max_age: None,
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
        choose(tasks, &wanted(), SystemTime::UNIX_EPOCH).map(|task| task.arn.as_str())
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
    fn a_task_that_has_to_be_replaced_soon_is_not_used() {
        let wanted = Wanted {
            max_age: Some(Duration::from_secs(3600)),
            ..wanted()
        };
        let at = |second| SystemTime::UNIX_EPOCH + Duration::from_secs(second);
        let tasks = [task("old", 1), task("young", 2)];
        let chosen = |second| choose(&tasks, &wanted, at(second)).map(|it| it.arn.as_str());
        assert_eq!(chosen(3600), Some("old"));
        assert_eq!(chosen(3601), Some("young"));
        assert_eq!(chosen(3602), None);
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
