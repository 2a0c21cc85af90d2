//! `[bastion.NAME]`: an ECS task that may be run, or a machine in its place.

use std::{collections::BTreeMap, ops::Range, time::Duration};

use toml::Spanned;

use super::{
    Aws, Bastion, Mode, OnShutdown, TaskAgent, aws,
    error::Complaint,
    launch, machine, raw,
    scope::{self, Report, Scope, Section},
    warm,
};

/// A task costs about a cent an hour; a start costs its user half a minute.
const IDLE_STOP: Duration = Duration::from_secs(15 * 60);
/// An agent of ECS Exec serves few sessions, and says nothing to those beyond.
const MAX_SESSIONS: usize = 4;
/// The quota of sessions in a container is 20, and adjustable.
const MOST_SESSIONS: i64 = 200;
/// Bounds of `awsvpcConfiguration` (ECS API model).
const MOST_SUBNETS: usize = 16;
const MOST_SECURITY_GROUPS: usize = 5;

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
    let mut scope = report.scope(section);
    let machine = machine::check(&mut scope, raw.instance, raw.node, keys);
    let (cluster, task_definition, subnets) = match machine {
        None => (
            scope.required(
                "cluster",
                raw.cluster,
                &header,
                "name the ECS cluster to run the task in",
            ),
            scope.required(
                "task_definition",
                raw.task_definition,
                &header,
                "name the task definition to run",
            ),
            subnets(&mut scope, raw.subnets, &header),
        ),
        // Nothing is run: whatever is about a task was refused.
        Some(_) => (String::new(), String::new(), Vec::new()),
    };
    let agents = [("exec", TaskAgent::Exec), ("hybrid", TaskAgent::Hybrid)];
    let agent = scope.word("agent", raw.agent, &agents);
    if agent == TaskAgent::Hybrid {
        machine::refuse_of_hybrid(&mut scope, keys);
    }
    let is_of_ecs = machine.is_none() && agent == TaskAgent::Exec;
    Bastion {
        machine,
        cluster,
        task_definition,
        subnets,
        security_groups: ids(
            &mut scope,
            "security_groups",
            "sg-",
            MOST_SECURITY_GROUPS,
            raw.security_groups,
        ),
        assign_public_ip: raw.assign_public_ip.unwrap_or(false),
        launch: launch::check(
            &mut scope,
            raw.capacity_provider,
            raw.platform_version,
            raw.tags,
        ),
        agent,
        container: scope.text("container", raw.container),
        max_sessions_per_container: match is_of_ecs {
            true => max_sessions(&mut scope, raw.max_sessions_per_container),
            // Only the agents of ECS have a limit.
            false => MOST_SESSIONS as usize,
        },
        idle_stop: scope.duration("idle_stop", raw.idle_stop, IDLE_STOP),
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

fn max_sessions(scope: &mut Scope, raw: Option<Spanned<i64>>) -> usize {
    let key = "max_sessions_per_container";
    let range = 1..=MOST_SESSIONS;
    scope.whole(key, raw, range).unwrap_or(MAX_SESSIONS)
}

fn subnets(
    scope: &mut Scope,
    raw: Option<Spanned<Vec<Spanned<String>>>>,
    header: &Range<usize>,
) -> Vec<String> {
    match &raw {
        None => scope.missing(
            "subnets",
            header.clone(),
            "name one subnet that can reach the database",
        ),
        Some(list) if list.get_ref().is_empty() => {
            scope.wrong(
                "subnets",
                list.span(),
                Complaint::new("must name at least one subnet"),
            );
        }
        Some(_) => {}
    }
    ids(scope, "subnets", "subnet-", MOST_SUBNETS, raw)
}

fn ids(
    scope: &mut Scope,
    key: &str,
    prefix: &str,
    most: usize,
    raw: Option<Spanned<Vec<Spanned<String>>>>,
) -> Vec<String> {
    let Some(raw) = raw else { return Vec::new() };
    if raw.get_ref().len() > most {
        scope.wrong(
            key,
            raw.span(),
            Complaint::new(format!(
                "{} are too many: ECS takes {most}",
                raw.get_ref().len()
            )),
        );
    }
    let well_formed = |id: &str| match id.strip_prefix(prefix) {
        Some(rest) if !rest.is_empty() && rest.chars().all(|c| c.is_ascii_alphanumeric()) => Ok(()),
        _ => Err(Complaint::new(format!(
            "`{id}` is not an id that begins with `{prefix}`"
        ))),
    };
    raw.into_inner()
        .into_iter()
        .filter_map(|id| scope.checked(key, Some(id), well_formed))
        .collect()
}
