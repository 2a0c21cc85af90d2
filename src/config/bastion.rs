//! `[bastion.NAME]`: an ECS task that may be run.

use std::{collections::BTreeMap, time::Duration};

use toml::Spanned;

use super::{
    Aws, Bastion, Mode, OnShutdown, aws, launch, network, raw,
    scope::{self, Report, Scope, Section},
    warm,
};

/// A task costs about a cent an hour; a start costs its user half a minute.
const IDLE_STOP: Duration = Duration::from_secs(15 * 60);
/// An agent of ECS Exec serves few sessions, and says nothing to those beyond.
const MAX_SESSIONS: usize = 4;
/// The quota of sessions in a container is 20, and adjustable.
const MOST_SESSIONS: i64 = 200;

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
        launch: launch::check(
            &mut scope,
            raw.capacity_provider,
            raw.platform_version,
            raw.tags,
        ),
        container: scope.text("container", raw.container),
        max_sessions_per_container: max_sessions(&mut scope, raw.max_sessions_per_container),
        idle_stop: scope.duration("idle_stop", raw.idle_stop, IDLE_STOP),
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

fn max_sessions(scope: &mut Scope, raw: Option<Spanned<i64>>) -> usize {
    let key = "max_sessions_per_container";
    let range = 1..=MOST_SESSIONS;
    scope.whole(key, raw, range).unwrap_or(MAX_SESSIONS)
}
