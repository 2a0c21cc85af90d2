//! `[bastion.NAME]`: an ECS task that may be run, or a machine in its place.

use std::{collections::BTreeMap, ops::Range, time::Duration};

use toml::Spanned;

use super::{
    Aws, Bastion, Machine, Mode, Network, OnShutdown, Service, TaskAgent, aws,
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
    check_name(&name, report);
    let (name, header, mut raw) = (name.into_inner(), raw.span(), raw.into_inner());
    let section = Section::top().table("bastion").table(&name);
    let own = raw.aws.take();
    let own = own.map(|own| aws::of_bastion(own, aws, section.table("aws"), report));
    let overrides = raw.overrides.take();
    let overrides = overrides.map(|it| task_overrides::check(it, &section, report));
    let mut scope = report.scope(section);
    let carrier = Carrier::check(&mut scope, &mut raw, &header, keys);
    let agent = agent(&mut scope, raw.agent.take(), &carrier, keys);
    Bastion {
        launch: launch::check(&mut scope, &mut raw, overrides.unwrap_or_default()),
        agent,
        container: scope.text("container", raw.container),
        max_sessions_per_container: match carrier.machine.is_none() && agent == TaskAgent::Exec {
            true => max_sessions(&mut scope, raw.max_sessions_per_container),
            // Only the agents of ECS have a limit.
            false => MOST_SESSIONS as usize,
        },
        idle_stop: scope.duration("idle_stop", raw.idle_stop, IDLE_STOP),
        max_lifetime: max_lifetime(&mut scope, raw.max_lifetime),
        mode: mode(&mut scope, raw.mode),
        on_shutdown: on_shutdown(&mut scope, raw.on_shutdown),
        aws: own,
        warm: warm::check(&mut scope, raw.warm, raw.max_hours_per_day),
        name,
        machine: carrier.machine,
        service: carrier.service,
        cluster: carrier.cluster,
        task_definition: carrier.task_definition,
        network: carrier.network,
    }
}

fn check_name(name: &Spanned<String>, report: &mut Report) {
    if let Err(complaint) = scope::name(name.get_ref()) {
        let section = Section::top().table("bastion");
        report.add(name.span().start, &section, name.get_ref(), complaint);
    }
}

/// What carries the agent: a machine, a task of a service, or one that is run.
#[derive(Default)]
struct Carrier {
    machine: Option<Machine>,
    service: Option<Service>,
    cluster: String,
    task_definition: String,
    network: Network,
}

impl Carrier {
    /// What does not go with the kind of carrier is refused by its own check, and left at its default.
    fn check(
        scope: &mut Scope,
        raw: &mut raw::Bastion,
        header: &Range<usize>,
        keys: &[Spanned<String>],
    ) -> Self {
        let machine = machine::check(scope, raw.instance.take(), raw.node.take(), keys);
        if machine.is_some() {
            return Self {
                machine,
                ..Self::default()
            };
        }
        let is_named = raw.cluster.is_some();
        let why = "name the ECS cluster to run the task in";
        let cluster = scope.required("cluster", raw.cluster.take(), header, why);
        let named = is_named.then_some(cluster.as_str());
        let (service, scale_down) = (raw.service.take(), raw.scale_down.take());
        let service = service::check(scope, service, scale_down, named, keys);
        if service.is_some() {
            return Self {
                service,
                cluster,
                ..Self::default()
            };
        }
        Self::to_run(scope, raw, header, cluster)
    }

    /// A task in `cluster`.
    fn to_run(
        scope: &mut Scope,
        raw: &mut raw::Bastion,
        header: &Range<usize>,
        cluster: String,
    ) -> Self {
        let definition = raw.task_definition.take();
        let why = "name the task definition to run";
        let (subnets, groups) = (raw.subnets.take(), raw.security_groups.take());
        Self {
            cluster,
            task_definition: scope.required("task_definition", definition, header, why),
            network: network::check(scope, subnets, groups, raw.assign_public_ip),
            ..Self::default()
        }
    }
}

fn agent(
    scope: &mut Scope,
    raw: Option<Spanned<String>>,
    carrier: &Carrier,
    keys: &[Spanned<String>],
) -> TaskAgent {
    let words = [("exec", TaskAgent::Exec), ("hybrid", TaskAgent::Hybrid)];
    let agent = scope.word("agent", raw, &words);
    if agent == TaskAgent::Hybrid && carrier.service.is_none() {
        machine::refuse_of_hybrid(scope, keys);
    }
    agent
}

fn mode(scope: &mut Scope, raw: Option<Spanned<String>>) -> Mode {
    let words = [("shared", Mode::Shared), ("user", Mode::User)];
    scope.word("mode", raw, &words)
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
