//! `[bastion.NAME]`: an ECS task that may be run, or a machine in its place.

use std::{collections::BTreeMap, time::Duration};

use toml::Spanned;

use super::{
    Aws, Bastion, Mode, Network, OnShutdown, TaskAgent, aws,
    duration::RawDuration,
    error::Complaint,
    launch, machine, network, raw,
    scope::{self, Report, Scope, Section},
    service, task_overrides, warm,
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
    keys: &BTreeMap<String, Vec<Spanned<String>>>,
    aws: &Aws,
    report: &mut Report,
) -> BTreeMap<String, Bastion> {
    raw.into_iter()
        .map(|(name, bastion)| {
            let keys = keys.get(name.get_ref()).map_or(&[][..], Vec::as_slice);
            (
                name.get_ref().clone(),
                one(name, bastion, keys, aws, report),
            )
        })
        .collect()
}

fn one(
    name: Spanned<String>,
    raw: Spanned<raw::Bastion>,
    keys: &[Spanned<String>],
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
    let (name, header, mut raw) = (name.into_inner(), raw.span(), raw.into_inner());
    let section = Section::top().table("bastion").table(&name);
    let own = raw
        .aws
        .take()
        .map(|own| aws::of_bastion(own, aws, section.table("aws"), report));
    let overrides = raw
        .overrides
        .map(|overrides| task_overrides::check(overrides, &section, report));
    let overrides = overrides.unwrap_or_default();
    let launch = launch::Raw {
        capacity_provider: raw.capacity_provider,
        capacity_provider_strategy: raw.capacity_provider_strategy,
        platform_version: raw.platform_version,
        tags: raw.tags,
        propagate_tags: raw.propagate_tags,
        group: raw.group,
    };
    let mut scope = report.scope(section);
    let machine = machine::check(&mut scope, raw.instance, raw.node, keys);
    let is_named = raw.cluster.is_some();
    let cluster = match machine {
        None => scope.required(
            "cluster",
            raw.cluster,
            &header,
            "name the ECS cluster to run the task in",
        ),
        Some(_) => String::new(),
    };
    let service = match machine {
        None => {
            let cluster = is_named.then_some(cluster.as_str());
            service::check(&mut scope, raw.service, raw.scale_down, cluster, keys)
        }
        Some(_) => None,
    };
    let is_run = machine.is_none() && service.is_none();
    let (task_definition, network) = match is_run {
        true => (
            scope.required(
                "task_definition",
                raw.task_definition,
                &header,
                "name the task definition to run",
            ),
            network::check(
                &mut scope,
                raw.subnets,
                raw.security_groups,
                raw.assign_public_ip,
            ),
        ),
        // Nothing is run: whatever is about a task was refused.
        false => (String::new(), Network::default()),
    };
    let agents = [("exec", TaskAgent::Exec), ("hybrid", TaskAgent::Hybrid)];
    let agent = scope.word("agent", raw.agent, &agents);
    if agent == TaskAgent::Hybrid && service.is_none() {
        machine::refuse_of_hybrid(&mut scope, keys);
    }
    let is_of_ecs = machine.is_none() && agent == TaskAgent::Exec;
    Bastion {
        machine,
        service,
        cluster,
        task_definition,
        network,
        launch: launch::check(&mut scope, launch, overrides),
        agent,
        container: scope.text("container", raw.container),
        max_sessions_per_container: match is_of_ecs {
            true => max_sessions(&mut scope, raw.max_sessions_per_container),
            // Only the agents of ECS have a limit.
            false => MOST_SESSIONS as usize,
        },
        idle_stop: scope.duration("idle_stop", raw.idle_stop, IDLE_STOP),
        max_lifetime: max_lifetime(&mut scope, raw.max_lifetime),
        mode: scope.word(
            "mode",
            raw.mode,
            &[("shared", Mode::Shared), ("user", Mode::User)],
        ),
        on_shutdown: on_shutdown(&mut scope, raw.on_shutdown),
        aws: own,
        warm: warm::check(&mut scope, raw.warm, raw.max_hours_per_day),
        name,
    }
}

fn on_shutdown(scope: &mut Scope, raw: Option<Spanned<String>>) -> OnShutdown {
    let words = [("stop", OnShutdown::Stop), ("leave", OnShutdown::Leave)];
    scope.word("on_shutdown", raw, &words)
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
