//! `service` of a bastion: an ECS service of which the task is, in the place of one that is run.

use toml::Spanned;

use super::{
    ScaleDown, Service, error::Complaint, machine::refuse_others, scope::Scope, scope::one_word,
};

/// The longest name of a service (ECS API model).
const LONGEST_NAME: usize = 255;
/// The keys that go with it.
pub(super) const OF_SERVICE: &[&str] = &[
    "service",
    "scale_down",
    "cluster",
    "container",
    "max_sessions_per_container",
    "idle_stop",
    "on_shutdown",
    "warm",
    "max_hours_per_day",
    "aws",
];
/// Those that mean nothing without it.
pub(super) const OF_SERVICE_ALONE: &[&str] = &["scale_down"];

/// Reads it, if it is there; `keys` are all that the bastion has.
pub(super) fn check(
    scope: &mut Scope,
    service: Option<Spanned<String>>,
    scale_down: Option<Spanned<String>>,
    cluster: Option<&str>,
    keys: &[Spanned<String>],
) -> Option<Service> {
    let Some(service) = service else {
        if !scope.was_cut("service") {
            refuse_alone(scope, keys);
        }
        return None;
    };
    refuse_others(scope, keys, OF_SERVICE, "service", why_not);
    let name = scope.checked("service", Some(service), |text| named(text, cluster));
    let words = [("if-last", ScaleDown::IfLast), ("never", ScaleDown::Never)];
    Some(Service {
        name: name.unwrap_or_default(),
        scale_down: scope.word("scale_down", scale_down, &words),
    })
}

fn refuse_alone(scope: &mut Scope, keys: &[Spanned<String>]) {
    for key in keys {
        if OF_SERVICE_ALONE.contains(&key.get_ref().as_str()) {
            let complaint = Complaint::new("goes with `service` only");
            let hint = "leave it out: a task that is run is stopped, and no service has a count";
            scope.wrong(key.get_ref(), key.span(), complaint.hint(hint));
        }
    }
}

fn why_not(key: &str) -> &'static str {
    match key {
        "agent" => "leave it out: a service goes with the agent of ECS Exec",
        "mode" => "leave it out: a service is everybody's",
        "max_lifetime" => "leave it out: a service has its tasks replaced by a deployment",
        "instance" | "node" => "leave one of them out: the agent is in a task of the service",
        _ => "leave it out: the service says how and where its tasks are run",
    }
}

/// A name, or an ARN: the old form has no cluster, the new one that of the bastion.
fn named(text: &str, cluster: Option<&str>) -> Result<(), Complaint> {
    one_word(text)?;
    let (of, name) = match text.split_once(":service/") {
        Some((head, rest)) if head.starts_with("arn:") => match rest.split_once('/') {
            Some((of, name)) => (Some(of), name),
            None => (None, rest),
        },
        _ => (None, text),
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(fits) {
        let complaint = Complaint::new(format!("`{text}` is no service"));
        return Err(complaint.hint("write its name, or its ARN: arn:…:service/CLUSTER/NAME"));
    }
    let own = cluster.map(|cluster| cluster.rsplit('/').next().unwrap_or(cluster));
    match (of, own) {
        (Some(of), Some(own)) if of != own => {
            let complaint = Complaint::new(format!("the service is of cluster `{of}`"));
            Err(complaint.hint(format!("write `cluster = \"{of}\"`, or the service's name")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    fn read(lines: &str) -> Result<Service, String> {
        let text = format!(
            "[bastion.dev]\n{lines}\n[[tunnel]]\nname = 'db'\nhost = 'db.internal'\nport = 5432\n"
        );
        let read = Config::parse(&text).map_err(|error| error.to_string());
        read.map(|it| it.bastions["dev"].service.clone().expect("a service"))
    }

    #[test]
    fn a_service_is_named_and_lowered_by_the_last_unless_it_says_never() {
        let arn = "arn:aws:ecs:eu-west-1:123456789012:service/backend/bas_tion-1";
        for name in ["bas_tion-1", arn] {
            let service = read(&format!("cluster = 'backend'\nservice = '{name}'")).unwrap();
            let wanted = Service {
                name: name.to_owned(),
                scale_down: ScaleDown::IfLast,
            };
            assert_eq!(service, wanted);
            assert_eq!(service.short(), "bas_tion-1");
        }
        let never = "cluster = 'c'\nservice = 's'\nscale_down = 'never'";
        assert_eq!(read(never).unwrap().scale_down, ScaleDown::Never);
        let all = "cluster = 'c'\nservice = 's'\ncontainer = 'x'\nidle_stop = '1h'\non_shutdown = 'leave'\n\
                   warm = 'Mon 09:00-10:00'\nmax_hours_per_day = 3\nmax_sessions_per_container = 2";
        assert!(read(all).is_ok());
    }

    #[test]
    fn what_names_no_service_is_refused_with_what_to_write() {
        let arn = "arn:aws:ecs:eu-west-1:123456789012:service";
        for (service, said) in [
            (String::new(), "must not be empty"),
            ("a b".to_owned(), "spaces"),
            ("bast\u{ed}on".to_owned(), "write its name"),
            ("backend/bastion".to_owned(), "write its name"),
            (format!("{arn}/"), "write its name"),
            (format!("{arn}/other/bastion"), "cluster = \"other\""),
        ] {
            let lines = format!("cluster = 'backend'\nservice = '{service}'");
            let error = read(&lines).unwrap_err();
            assert!(error.contains(said), "{service}: {error}");
        }
        let error = read("service = 's'").unwrap_err();
        assert!(
            error.contains("cluster") && error.contains("missing"),
            "{error}"
        );
        let error = read("cluster = 'c'\nservice = 's'\nscale_down = 'nevr'").unwrap_err();
        assert!(error.contains("`never`"), "{error}");
    }

    #[test]
    fn what_only_a_task_that_is_run_has_does_not_go_with_a_service() {
        let lines = "cluster = 'c'\nservice = 's'\ntask_definition = 't'\nsubnets = ['subnet-1']\nmode = 'user'\n\
                     agent = 'hybrid'\nmax_lifetime = '1h'\ntags = { a = 'b' }\nnode = 'office'";
        let error = read(&lines.replace("\nnode = 'office'", "")).unwrap_err();
        for (line, key, why) in [
            (4, "task_definition", "says how and where"),
            (5, "subnets", "says how and where"),
            (6, "mode", "everybody's"),
            (7, "agent", "ECS Exec"),
            (8, "max_lifetime", "deployment"),
            (9, "tags", "says how and where"),
        ] {
            let said = "does not go with `service`";
            let at = |text: &str| text.contains(&format!("{line}")) && text.contains(key);
            assert!(
                error.lines().any(|text| at(text) && text.contains(said)) && error.contains(why),
                "{key}: {error}"
            );
        }
        let error = read("instance = 'jump'\nservice = 's'\nscale_down = 'never'").unwrap_err();
        assert!(error.contains("does not go with `instance`"), "{error}");
        let error = read("cluster = 'c'\ntask_definition = 't'\nscale_down = 'never'").unwrap_err();
        assert!(error.contains("goes with `service` only"), "{error}");
    }
}
