//! What the word on the command line means: a bastion, an instance, or a task among those that run.

use std::io::{self, BufRead as _, Write as _};

use anyhow::bail;

use crate::aws::{Aws, Task};
use crate::config::{self, Config};

/// Something that a shell can be opened in.
#[derive(Clone, Debug)]
pub enum Target {
    /// A bastion of the configuration.
    Bastion(Box<config::Bastion>),
    /// A task that runs.
    Task(Box<Task>),
    /// An instance, or a hybrid node.
    Node(String),
}

/// Find it. On a terminal a person is asked where several fit.
pub async fn find(
    word: Option<&str>,
    cluster: Option<&str>,
    config: Option<&Config>,
    aws: &Aws,
    on_terminal: bool,
) -> anyhow::Result<Target> {
    let bastions: Vec<_> = config.map_or(Vec::new(), |it| it.bastions.values().collect());
    if let Some(node) = word.filter(|word| word.starts_with("i-") || word.starts_with("mi-")) {
        return Ok(Target::Node(node.to_owned()));
    }
    let named =
        |bastion: &&&config::Bastion| cluster.is_none() && Some(bastion.name.as_str()) == word;
    if let Some(bastion) = bastions.iter().find(named) {
        return Ok(Target::Bastion(Box::new((*bastion).clone())));
    }
    if word.is_none() && cluster.is_none() {
        let names: Vec<_> = bastions.iter().map(|it| it.name.clone()).collect();
        let chosen = choose("bastion", &names, on_terminal)?;
        return Ok(Target::Bastion(Box::new(bastions[chosen].clone())));
    }
    let Some(cluster) = cluster.or_else(|| only_cluster(&bastions)) else {
        let word = word.unwrap_or_default();
        bail!(
            "there is no bastion `{word}`, and no cluster to look for a task in\nhint: name it with --cluster"
        );
    };
    let tasks = fitting(
        aws.tasks_with_agents(cluster).await.map_err(explained)?,
        word,
    );
    if tasks.is_empty() {
        let which = word.map_or(String::new(), |word| format!(" `{word}`"));
        bail!(
            "no task{which} with ECS Exec runs in cluster `{cluster}`\n\
             hint: only tasks that were started with enableExecuteCommand can be entered"
        );
    }
    let names: Vec<_> = tasks.iter().map(shown).collect();
    let chosen = choose("task", &names, on_terminal)?;
    Ok(Target::Task(Box::new(tasks[chosen].clone())))
}

/// A failed call with its advice.
pub fn explained(error: crate::aws::Error) -> anyhow::Error {
    match error.hint() {
        Some(hint) => anyhow::anyhow!("{error}\nhint: {hint}"),
        None => error.into(),
    }
}

fn only_cluster<'a>(bastions: &[&'a config::Bastion]) -> Option<&'a str> {
    let mut of_tasks = bastions.iter().filter(|it| it.machine.is_none());
    let first = of_tasks.next()?;
    let same = of_tasks.all(|other| other.cluster == first.cluster);
    same.then_some(first.cluster.as_str())
}

/// The tasks that the word means: by id or ARN, else by service or family, else by how one of these begins.
fn fitting(tasks: Vec<Task>, word: Option<&str>) -> Vec<Task> {
    let Some(word) = word else { return tasks };
    let exact = |task: &Task| {
        let names = [task.arn.as_str(), &task.id, service(task), family(task)];
        names.contains(&word)
    };
    let begins = |task: &Task| {
        let names = [task.id.as_str(), service(task), family(task)];
        names.iter().any(|name| name.starts_with(word))
    };
    let of = |fits: &dyn Fn(&Task) -> bool| -> Vec<Task> {
        tasks.iter().filter(|task| fits(task)).cloned().collect()
    };
    match of(&exact) {
        none if none.is_empty() => of(&begins),
        some => some,
    }
}

fn service(task: &Task) -> &str {
    let group = task.group.as_deref().unwrap_or_default();
    group.strip_prefix("service:").unwrap_or_default()
}

fn family(task: &Task) -> &str {
    let definition = task.task_definition.as_deref().unwrap_or_default();
    let name = definition.rsplit('/').next().unwrap_or_default();
    name.split(':').next().unwrap_or_default()
}

fn shown(task: &Task) -> String {
    let containers: Vec<_> = task.containers.iter().map(|it| it.name.as_str()).collect();
    format!("{}  {}  ({})", task.id, family(task), containers.join(", "))
}

/// The only one, or the one that a person chooses.
fn choose(kind: &str, names: &[String], on_terminal: bool) -> anyhow::Result<usize> {
    match names.len() {
        0 => bail!("no {kind} is configured\nhint: name a task with --cluster, or an instance"),
        1 => return Ok(0),
        _ if !on_terminal => bail!("several {kind}s fit, name one:\n  {}", names.join("\n  ")),
        _ => {}
    }
    let mut talk = io::stderr().lock();
    for (at, name) in names.iter().enumerate() {
        writeln!(talk, "{:>3}  {name}", at + 1)?;
    }
    loop {
        write!(talk, "which {kind}? ")?;
        talk.flush()?;
        let mut line = String::new();
        if io::stdin().lock().read_line(&mut line)? == 0 {
            bail!("no {kind} was chosen");
        }
        match line.trim().parse::<usize>() {
            Ok(number) if (1..=names.len()).contains(&number) => return Ok(number - 1),
            _ => writeln!(talk, "a number from 1 to {}", names.len())?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(id: &str, family: &str, group: &str) -> Task {
        Task {
            arn: format!("arn:aws:ecs:r:1:task/c/{id}"),
            id: id.to_owned(),
            task_definition: Some(format!("arn:aws:ecs:r:1:task-definition/{family}:7")),
            group: Some(group.to_owned()),
            ..Task::default()
        }
    }

    #[test]
    fn a_task_is_meant_by_its_id_service_or_family_or_how_these_begin() {
        let tasks = vec![
            task("aa11", "api", "service:shop-api"),
            task("ab22", "api-worker", "family:api-worker"),
            task("cc33", "job", "family:job"),
        ];
        let found = |word| -> Vec<String> {
            let tasks = fitting(tasks.clone(), word);
            tasks.into_iter().map(|task| task.id).collect()
        };
        assert_eq!(found(Some("api")), ["aa11"], "whole before part");
        assert_eq!(found(Some("api-")), ["ab22"]);
        assert_eq!(found(Some("shop-api")), ["aa11"]);
        assert_eq!(found(Some("a")), ["aa11", "ab22"]);
        assert_eq!(found(Some("arn:aws:ecs:r:1:task/c/cc33")), ["cc33"]);
        assert_eq!(found(Some("nothing")), [""; 0]);
        assert_eq!(found(None).len(), 3);
    }

    #[test]
    fn without_a_terminal_several_are_listed_and_none_is_taken() {
        let names = ["dev".to_owned(), "prod".to_owned()];
        let said = choose("bastion", &names, false).unwrap_err().to_string();
        assert_eq!(said, "several bastions fit, name one:\n  dev\n  prod");
        assert_eq!(choose("bastion", &names[..1], false).unwrap(), 0);
    }
}
