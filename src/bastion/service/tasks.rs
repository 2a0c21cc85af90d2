//! Which task of a service is used, and why there is none. Pure.

use crate::aws::{Service, Task};

/// The task to use: one that runs before one that is on its way, and of these one of the latest deployment; then the
/// oldest. Every laptop sorts the same way.
pub fn choose<'a>(service: &Service, tasks: &'a [Task]) -> Option<&'a Task> {
    let serves = |task: &&Task| {
        let comes_or_runs = matches!(
            task.last_status.as_str(),
            "PROVISIONING" | "PENDING" | "ACTIVATING" | "RUNNING"
        );
        comes_or_runs && task.desired_status == "RUNNING" && task.stopping_at.is_none()
    };
    let rank = |task: &&Task| {
        let is_up = task.last_status == "RUNNING";
        let is_latest = task.started_by == service.primary;
        (!is_up, !is_latest, task.created_at, task.arn.clone())
    };
    tasks.iter().filter(serves).min_by_key(rank)
}

/// Why the service has no task, if its latest news is a complaint; those in `known` are of before.
pub fn complaint<'a>(service: &'a Service, known: &[String]) -> Option<&'a str> {
    if let Some(failed) = &service.failed {
        return Some(match failed.is_empty() {
            true => "deployment failed: tasks failed to start",
            false => failed,
        });
    }
    let latest = service.events.first()?;
    let text = latest.message.to_ascii_lowercase();
    let is_complaint = COMPLAINTS.iter().any(|words| text.contains(words));
    let is_new = !known.contains(&latest.id);
    (is_complaint && is_new).then_some(latest.message.as_str())
}

/// What ECS says when it cannot start a task (in lower case).
const COMPLAINTS: [&str; 5] = [
    "unable to place a task",
    "unable to consistently start",
    "failed to start",
    "failed to launch",
    "unable to assume",
];

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::aws::ServiceEvent;

    fn service() -> Service {
        Service {
            primary: Some("ecs-svc/2".to_owned()),
            ..Service::default()
        }
    }

    fn task(arn: &str, deployment: u8, status: &str, created: u64) -> Task {
        Task {
            arn: arn.to_owned(),
            last_status: status.to_owned(),
            desired_status: "RUNNING".to_owned(),
            started_by: Some(format!("ecs-svc/{deployment}")),
            created_at: Some(SystemTime::UNIX_EPOCH + Duration::from_secs(created)),
            ..Task::default()
        }
    }

    fn chosen(tasks: &[Task]) -> Option<&str> {
        choose(&service(), tasks).map(|task| task.arn.as_str())
    }

    #[test]
    fn what_runs_goes_before_what_comes_and_the_latest_deployment_before_the_one_that_it_replaces()
    {
        let old = task("old", 1, "RUNNING", 1);
        let new = task("new", 2, "RUNNING", 2);
        let coming = task("coming", 2, "PENDING", 2);
        assert_eq!(chosen(&[old.clone(), new]), Some("new"));
        assert_eq!(chosen(&[old, coming.clone()]), Some("old"));
        let late = task("late", 2, "PENDING", 3);
        assert_eq!(chosen(&[late, coming]), Some("coming"));
        assert_eq!(chosen(&[]), None);
    }

    #[test]
    fn a_task_that_is_on_its_way_out_is_not_used() {
        let draining = Task {
            desired_status: "STOPPED".to_owned(),
            ..task("draining", 2, "RUNNING", 1)
        };
        let stopping = Task {
            stopping_at: Some(SystemTime::UNIX_EPOCH),
            ..task("stopping", 2, "RUNNING", 1)
        };
        let gone = task("gone", 2, "DEPROVISIONING", 1);
        assert_eq!(chosen(&[draining, stopping, gone]), None);
    }

    #[test]
    fn only_the_latest_news_counts_and_only_if_it_is_a_complaint_and_new() {
        let event = |id: &str, message: &str| ServiceEvent {
            id: id.to_owned(),
            message: message.to_owned(),
            ..ServiceEvent::default()
        };
        let complaining = "(service b) was unable to place a task. Reason: Capacity is unavailable";
        let steady = "(service b) has reached a steady state.";
        let with = |events: Vec<ServiceEvent>| Service {
            events,
            ..service()
        };
        let told = with(vec![event("2", complaining), event("1", steady)]);
        assert_eq!(complaint(&told, &[]), Some(complaining));
        assert_eq!(complaint(&told, &["2".to_owned()]), None);
        let over = with(vec![event("2", steady), event("1", complaining)]);
        assert_eq!(complaint(&over, &[]), None);
        assert_eq!(complaint(&service(), &[]), None);
    }

    #[test]
    fn a_deployment_that_the_circuit_breaker_has_given_up_is_told() {
        let failed = |why: &str| Service {
            failed: Some(why.to_owned()),
            ..service()
        };
        let told = failed("ECS deployment circuit breaker: tasks failed to start.");
        let known = ["1".to_owned()];
        assert!(complaint(&told, &known).is_some_and(|it| it.contains("circuit breaker")));
        assert!(complaint(&failed(""), &known).is_some_and(|it| it.contains("failed to start")));
    }
}
