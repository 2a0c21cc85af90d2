//! `[bastion.NAME]`: an ECS task that may be run.

use std::{collections::BTreeMap, time::Duration};

use toml::Spanned;

use super::{
    Aws, Bastion, Mode, OnShutdown, aws,
    duration::RawDuration,
    error::Complaint,
    launch, network, raw,
    scope::{self, Report, Scope, Section},
    task_overrides, warm,
};

/// A task costs about a cent an hour; a start costs its user half a minute.
const IDLE_STOP: Duration = Duration::from_secs(15 * 60);
/// An agent of ECS Exec serves few sessions, and says nothing to those beyond.
const MAX_SESSIONS: usize = 4;
/// The quota of sessions in a container is 20, and adjustable.
const MOST_SESSIONS: i64 = 200;
const LEAST_LIFETIME: Duration = Duration::from_secs(30 * 60);

pub(super) fn check(
    raw: BTreeMap<Spanned<String>, Spanned<raw::Bastion>>,
    aws: &Aws,
    report: &mut Report,
) -> BTreeMap<String, Bastion> {
    raw.into_iter()
        .map(|(name, bastion)| (name.get_ref().clone(), one(name, bastion, aws, report)))
        .collect()
}

fn one(
    name: Spanned<String>,
    raw: Spanned<raw::Bastion>,
    aws: &Aws,
    report: &mut Report,
) -> Bastion {
    if let Err(complaint) = scope::name(name.get_ref()) {
        report.add(
            name.span().start,
            &Section::top().table("bastion"),
            name.get_ref(),
            complaint,
        );
    }
    let (name, header, raw) = (name.into_inner(), raw.span(), raw.into_inner());
    let section = Section::top().table("bastion").table(&name);
    let own = raw
        .aws
        .map(|own| aws::of_bastion(own, aws, section.table("aws"), report));
    let overrides = raw
        .overrides
        .map(|overrides| task_overrides::check(overrides, &section, report));
    let overrides = overrides.unwrap_or_default();
    let launch = launch::Raw {
        capacity_provider: raw.capacity_provider,
        platform_version: raw.platform_version,
        tags: raw.tags,
        propagate_tags: raw.propagate_tags,
        group: raw.group,
    };
    let mut scope = report.scope(section);
    let cluster = scope.required(
        "cluster",
        raw.cluster,
        &header,
        "name the ECS cluster to run the task in",
    );
    let task_definition = scope.required(
        "task_definition",
        raw.task_definition,
        &header,
        "name the task definition to run",
    );
    Bastion {
        cluster,
        task_definition,
        network: network::check(
            &mut scope,
            raw.subnets,
            raw.security_groups,
            raw.assign_public_ip,
        ),
        launch: launch::check(&mut scope, launch, overrides),
        container: scope.text("container", raw.container),
        max_sessions_per_container: max_sessions(&mut scope, raw.max_sessions_per_container),
        idle_stop: scope.duration("idle_stop", raw.idle_stop, IDLE_STOP),
        max_lifetime: max_lifetime(&mut scope, raw.max_lifetime),
        mode: scope.word(
            "mode",
            raw.mode,
            &[("shared", Mode::Shared), ("user", Mode::User)],
        ),
        on_shutdown: scope.word(
            "on_shutdown",
            raw.on_shutdown,
            &[("stop", OnShutdown::Stop), ("leave", OnShutdown::Leave)],
        ),
        aws: own,
        warm: warm::check(&mut scope, raw.warm, raw.max_hours_per_day),
        name,
    }
}

/// Ten minutes before it is over the task is not used any more, and a start should be worth its while.
fn max_lifetime(scope: &mut Scope, raw: Option<Spanned<RawDuration>>) -> Option<Duration> {
    let span = raw.as_ref()?.span();
    let lifetime = scope.duration("max_lifetime", raw, LEAST_LIFETIME);
    if lifetime < LEAST_LIFETIME {
        let complaint = Complaint::new("must be 30m at least");
        scope.wrong("max_lifetime", span, complaint);
    }
    Some(lifetime)
}

fn max_sessions(scope: &mut Scope, raw: Option<Spanned<i64>>) -> usize {
    let key = "max_sessions_per_container";
    let range = 1..=MOST_SESSIONS;
    scope.whole(key, raw, range).unwrap_or(MAX_SESSIONS)
}
