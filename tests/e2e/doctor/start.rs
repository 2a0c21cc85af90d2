//! `--start`: every phase has its time and a judgement, and nothing runs afterwards that did not before.

use std::time::Duration;

use bastiond::doctor::{Finding, Level, Progress, Report, examine};
use bastiond::sim::{Failure, Plan, Timing};
use bastiond::status::BastionState;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Command;

use super::{account, examined, fired, left_running, request};
use crate::process::PROGRAM;
use crate::support::{House, Terms, ping, until, within};

const PHASES: [&str; 8] = ["P01", "P02", "P03", "P04", "P05", "P06", "P07", "P08"];

async fn started(house: &House) -> Report {
    let text = house.config(&Terms::default());
    examined(house, &text, |request| request.start = true).await
}

fn of<'a>(report: &'a Report, id: &str) -> &'a Finding {
    let found = report.findings.iter().find(|it| it.id == id);
    found.unwrap_or_else(|| panic!("{id}: {report:#?}"))
}

/// Nothing runs, and no session is open.
fn nothing_is_left(house: &House) {
    let world = house.world();
    let statuses = world.task_statuses();
    let runs = |status: &&&str| {
        !["STOPPED", "STOPPING", "DEPROVISIONING", "DEACTIVATING"].contains(*status)
    };
    assert_eq!(statuses.iter().filter(runs).count(), 0, "{statuses:?}");
    assert_eq!(world.active_sessions().len(), 0);
}

#[tokio::test]
async fn each_phase_is_timed_and_what_was_started_is_ended() {
    let house = House::with(account()).await;
    let report = started(&house).await;
    assert_eq!(fired(&report), Vec::<&str>::new(), "{report:#?}");
    for id in PHASES {
        assert_eq!(of(&report, id).level, Level::Ok, "{:?}", of(&report, id));
    }
    for id in ["P01", "P06", "P07", "P08"] {
        let evidence = &of(&report, id).evidence;
        assert!(evidence.ends_with(" s"), "{id}: {evidence}");
    }
    // While it ran, the checks of a running task had one to look at.
    assert!(
        of(&report, "R01").evidence.contains("task "),
        "{:?}",
        of(&report, "R01")
    );
    assert!(
        of(&report, "R03").evidence.contains("by agent"),
        "{:?}",
        of(&report, "R03")
    );
    assert_eq!(
        (
            house.world().count("RunTask"),
            house.world().count("StopTask")
        ),
        (1, 1)
    );
    nothing_is_left(&house);
    house.sweep().await;
}

#[tokio::test]
async fn what_ran_before_goes_on_running() {
    let house = House::with(account()).await;
    left_running(&house).await;
    let report = started(&house).await;
    assert_eq!(of(&report, "P03").evidence, "it ran already");
    assert_eq!(of(&report, "P08").level, Level::Ok);
    assert!(house.world().task_statuses().contains(&"RUNNING"));
    assert_eq!(
        (
            house.world().count("RunTask"),
            house.world().count("StopTask")
        ),
        (1, 0)
    );
    house.sweep().await;
}

#[tokio::test]
async fn a_daemon_starts_what_is_its_own_and_ends_it_again() {
    let house = House::with(account()).await;
    let daemon = house.daemon(&Terms::default()).await;
    let report = started(&house).await;
    assert_eq!(fired(&report), Vec::<&str>::new(), "{report:#?}");
    assert_ne!(of(&report, "P01").evidence, "it ran already");
    daemon
        .until("it is ended", |status| {
            status.bastions[0].state == BastionState::Stopped
        })
        .await;
    nothing_is_left(&house);
    // What it has seen by now is the usual.
    let report = started(&house).await;
    let evidence = &of(&report, "P01").evidence;
    assert!(evidence.contains("usually"), "{evidence}");
    house.close(daemon).await;
}

#[tokio::test]
async fn a_daemon_at_work_is_not_disturbed() {
    let house = House::with(account()).await;
    let daemon = house.daemon(&Terms::default()).await;
    let mut client = daemon.served().await;
    let report = started(&house).await;
    assert_eq!(of(&report, "P01").evidence, "it ran already");
    ping(&mut client).await;
    assert_eq!(house.world().count("StopTask"), 0);
    house.close(daemon).await;
}

#[tokio::test]
async fn a_start_that_fails_fails_in_its_phase() {
    let house = House::with(account()).await;
    let reason = "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref \
                  public.ecr.aws/x: not found";
    let plan = Plan {
        failure: Some(Failure::to_start(Duration::from_millis(6), reason)),
        ..Plan::default()
    };
    house.plan_tasks(8, &plan);
    let report = started(&house).await;
    let failed: Vec<_> = PHASES
        .iter()
        .filter(|id| of(&report, id).level == Level::Fail)
        .collect();
    assert_eq!(failed.len(), 1, "{report:#?}");
    let failed = of(&report, failed[0]);
    assert!(
        failed.evidence.contains("CannotPullContainerError"),
        "{failed:?}"
    );
    assert!(failed.fix.is_some(), "{failed:?}");
    assert_eq!(of(&report, "P08").level, Level::Skip);
    nothing_is_left(&house);
    house.sweep().await;
}

/// A task that takes its time to be provided.
fn slow() -> Plan {
    let timing = Timing {
        provisioning: Duration::from_secs(600),
        ..Timing::fast()
    };
    Plan {
        timing: Some(timing),
        ..Plan::default()
    }
}

#[tokio::test]
async fn an_interruption_ends_the_task_that_is_on_its_way() {
    let house = House::with(account()).await;
    house.world().plan_next_task(slow());
    let text = house.config(&Terms::default());
    let mut request = request(&house, &text);
    request.start = true;
    let looked = examine(&request, Progress::quiet());
    let interrupt = async {
        until(house.world(), "the task is asked for", |world| {
            world.count("RunTask") == 1
        })
        .await;
        request.end.cancel();
    };
    let (looked, ()) = within("it ends", async { tokio::join!(looked, interrupt) }).await;
    assert_eq!(looked.expect_err("no report").to_string(), "interrupted");
    assert_eq!(house.world().count("StopTask"), 1);
    nothing_is_left(&house);
    house.sweep().await;
}

#[tokio::test]
async fn control_c_ends_it_and_the_program_says_130() {
    let house = House::with(account()).await;
    house.world().plan_next_task(slow());
    let paths = house.paths();
    std::fs::write(&paths.config, house.config(&Terms::default())).expect("written");
    let mut child = Command::new(PROGRAM)
        .args(["doctor", "--start"])
        .env_clear()
        .env("HOME", house.folder.path())
        .env("BASTIOND_CONFIG", &paths.config)
        .env("BASTIOND_SOCKET", &paths.socket)
        .env("BASTIOND_STATE_DIR", &paths.state)
        .env("AWS_ACCESS_KEY_ID", "AKIATESTTESTTESTTEST")
        .env("AWS_SECRET_ACCESS_KEY", "a-secret-access-key")
        .kill_on_drop(true)
        .spawn()
        .expect("it starts");
    until(house.world(), "the task is asked for", |world| {
        world.count("RunTask") == 1
    })
    .await;
    let pid = child
        .id()
        .and_then(|id| i32::try_from(id).ok())
        .and_then(Pid::from_raw);
    kill_process(pid.expect("it runs"), Signal::INT).expect("it is told");
    let status = within("it ends", child.wait()).await.expect("a status");
    assert_eq!(status.code(), Some(130));
    assert_eq!(house.world().count("StopTask"), 1);
    nothing_is_left(&house);
    house.sweep().await;
}
