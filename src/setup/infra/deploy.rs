//! `bastiond infra deploy`: chooses what it can, shows what it would do, does it when told to, and writes the
//! configuration.

use std::{path::Path, process::ExitCode};

use anyhow::{anyhow, bail};
use uuid::Uuid;

use super::{
    again,
    apply::{apply, leftovers},
    changes,
    check::check,
    connect, fatal,
    follow::{Outcome, follow},
    interrupt::{Behind, Interrupts},
    must_be_asked,
    place::Place,
    plan::Plan,
    progress::Progress,
    state::{Standing, foreign, is_ours, obstacle, standing},
    survey::Survey,
    template::{self, Told},
    wish::{Target, Wish},
};
use crate::{
    aws::{Aws, ResourceChange, Stack},
    cli,
    setup::{
        ask::Person,
        bastion::of_outputs,
        draft::{Account, Draft},
        init::{self, Setup},
    },
};

/// Runs it to its end.
pub(super) async fn run(options: &cli::Deploy, path: &Path) -> anyhow::Result<ExitCode> {
    let person = Person::at_the_terminal();
    check(options)?;
    if !options.dry_run {
        must_be_asked(options.yes, &person)?;
    }
    let interrupts = Interrupts::watch()?;
    let (account, aws) = connect(&options.aws, &person).await?;
    let deployment = Deployment {
        again: again("deploy", &options.stack, &account),
        options,
        person: &person,
        aws: &aws,
        interrupts: &interrupts,
    };
    let done = match deployment.settled().await? {
        Found::Nothing { remains } => deployment.make(remains).await?,
        Found::There(stack) => deployment.change(*stack).await?,
    };
    match done {
        Some((stack, database)) => deployment.configure(account, &stack, database, path).await,
        None => Ok(ExitCode::SUCCESS),
    }
}

/// What there is of the stack, once nothing is being done with it.
enum Found {
    /// No stack, or what a failed or interrupted run has left of one.
    Nothing {
        remains: Option<Stack>,
    },
    There(Box<Stack>),
}

struct Deployment<'a> {
    options: &'a cli::Deploy,
    person: &'a Person,
    aws: &'a Aws,
    interrupts: &'a Interrupts,
    /// The command that takes this up again.
    again: String,
}

/// The stack as it is now, and what it was to lead to.
type Done = Option<(Stack, Target)>;

impl Deployment<'_> {
    async fn settled(&self) -> anyhow::Result<Found> {
        let name = &self.options.stack;
        loop {
            let Some(stack) = self.aws.stack(name).await.map_err(fatal)? else {
                return Ok(Found::Nothing { remains: None });
            };
            if let Some(why) = obstacle(&stack, self.aws.region()) {
                bail!(why);
            }
            match standing(&stack.status) {
                Standing::Busy if self.options.dry_run => {
                    bail!(
                        "the stack `{name}` is {}\nhint: try again when that is over",
                        stack.status
                    )
                }
                Standing::Busy => {
                    crate::errln!("the stack `{name}` is {}: following it", stack.status);
                    self.interrupts.leaves(Behind::goes_on(&self.again)).await;
                    follow(self.aws, &stack.id, Progress::default(), &self.again).await?;
                    self.interrupts.leaves(Behind::Nothing).await;
                }
                Standing::Empty => {
                    let (_, others) = leftovers(self.aws, name).await?;
                    if others {
                        bail!(
                            "somebody else prepares a stack `{name}`, with a change set\nhint: give another --stack"
                        );
                    }
                    return Ok(Found::Nothing {
                        remains: Some(stack),
                    });
                }
                _ if !is_ours(&stack) => bail!(foreign(&stack)),
                Standing::Undone => {
                    return Ok(Found::Nothing {
                        remains: Some(stack),
                    });
                }
                _ => return Ok(Found::There(Box::new(stack))),
            }
        }
    }

    fn survey(&self) -> Survey<'_> {
        Survey {
            options: self.options,
            person: self.person,
            aws: self.aws,
        }
    }

    /// Shows the plan, which is what a dry run is for: false if that is all.
    fn show(&self, plan: &Plan) -> anyhow::Result<bool> {
        if let Some(why) = template::impossible(&plan.told) {
            bail!(why);
        }
        if self.options.dry_run {
            crate::outln!("{}", plan.text());
            crate::errln!("a dry run: nothing was changed");
            return Ok(false);
        }
        crate::errln!("\n{}\n", plan.text());
        Ok(true)
    }

    fn agrees(&self, question: &str) -> anyhow::Result<()> {
        match self.options.yes || self.person.confirms(question)? {
            true => Ok(()),
            false => bail!("nothing was changed"),
        }
    }

    async fn make(&self, remains: Option<Stack>) -> anyhow::Result<Done> {
        let (name, before) = (&self.options.stack, Told::default());
        let wish = self.survey().new_stack().await?;
        let plan = Plan {
            stack: name.clone(),
            region: self.aws.region().to_owned(),
            told: wish.told(name, &before),
            notes: notes(&wish, remains.is_some()),
            wish,
            before: None,
        };
        if !self.show(&plan)? {
            return Ok(None);
        }
        self.agrees("Make it?")?;
        if let Some(remains) = remains {
            self.remove(&remains).await?;
        }
        let (aws, interrupts) = (self.aws, self.interrupts);
        let applied = apply(aws, interrupts, name, true, &plan.told, &self.again, |_| {
            Ok(())
        });
        let stack = match applied.await? {
            Some(outcome) => made(name, outcome)?,
            None => bail!("CloudFormation finds nothing to make"),
        };
        Ok(Some((stack, plan.wish.target.unwrap_or_default())))
    }

    /// What is left of a stack that never came to be: nothing but its name. It may have become one while somebody thought
    /// about it.
    async fn remove(&self, remains: &Stack) -> anyhow::Result<()> {
        let now = match self.settled().await? {
            Found::Nothing { remains: None } => return Ok(()),
            Found::Nothing { remains: Some(now) } => now,
            Found::There(now) => *now,
        };
        if now.id != remains.id || now.status != remains.status {
            bail!(
                "the stack `{}` has changed meanwhile\nhint: run the same command again",
                now.name
            );
        }
        crate::errln!("removing what was left of the stack `{}`", remains.name);
        let token = Uuid::new_v4().to_string();
        let deleted = self.aws.delete_stack(&remains.id, &token).await;
        deleted.map_err(fatal)?;
        let outcome = follow(self.aws, &remains.id, Progress::default(), &self.again).await?;
        match &outcome.stack {
            Some(stack) if stack.status != "DELETE_COMPLETE" => {
                bail!(
                    "the stack `{}` is {}: {}",
                    stack.name,
                    stack.status,
                    outcome.why()
                )
            }
            _ => Ok(()),
        }
    }

    async fn change(&self, stack: Stack) -> anyhow::Result<Done> {
        let name = &self.options.stack;
        let known = |(key, _): &(&String, &String)| {
            template::parameters().iter().any(|it| it.name == **key)
        };
        let kept = stack.parameters.iter().filter(known);
        let before = Told(
            kept.map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
        );
        let wish = self.survey().change(&before).await?;
        let plan = Plan {
            stack: name.clone(),
            region: self.aws.region().to_owned(),
            told: wish.told(name, &before),
            notes: notes(&wish, false),
            wish,
            before: Some(before),
        };
        if !self.show(&plan)? {
            return Ok(None);
        }
        for set in leftovers(self.aws, name).await?.0 {
            self.aws
                .delete_change_set(name, &set)
                .await
                .map_err(fatal)?;
        }
        let (aws, interrupts) = (self.aws, self.interrupts);
        let agrees = |changes: &[ResourceChange]| self.agrees_to(changes);
        let applied = apply(
            aws,
            interrupts,
            name,
            false,
            &plan.told,
            &self.again,
            agrees,
        );
        let stack = match applied.await? {
            Some(outcome) => changed(name, outcome)?,
            None => {
                crate::errln!("the stack `{name}` is as it should be");
                stack
            }
        };
        Ok(Some((stack, plan.wish.target.unwrap_or_default())))
    }

    fn agrees_to(&self, changes: &[ResourceChange]) -> anyhow::Result<()> {
        match changes.is_empty() {
            true => crate::errln!("no resource is added or removed"),
            false => crate::errln!("{}", changes::shown(changes).join("\n")),
        }
        match changes::harsh(changes) {
            0 => self.agrees("Change it?"),
            1 => self.agrees("Change it? One resource does not stay"),
            several => self.agrees(&format!("Change it? {several} resources do not stay")),
        }
    }

    /// The configuration of what is there now.
    async fn configure(
        &self,
        account: Account,
        stack: &Stack,
        target: Target,
        path: &Path,
    ) -> anyhow::Result<ExitCode> {
        let bastion = of_outputs(&stack.name, &stack.outputs).map_err(|why| anyhow!(why))?;
        let by_hand = format!("bastiond init --stack {}", stack.name);
        let stays = format!("the stack is there, and no configuration was written: {by_hand}");
        self.interrupts.leaves(Behind::Stays(stays)).await;
        if init::may_write(path, self.options.force, self.person).is_err() {
            crate::errln!(
                "`{}` is left as it is; to write another: {by_hand} --config FILE",
                path.display()
            );
            return Ok(ExitCode::SUCCESS);
        }
        if target.database.is_none() && !self.person.is_there() {
            crate::errln!(
                "no configuration is written without --database: {by_hand} --database HOST"
            );
            return Ok(ExitCode::SUCCESS);
        }
        let options = cli::Init {
            // Of a database that is named by its id AWS tells the port.
            port: self
                .options
                .port
                .or(target.port.filter(|_| target.host.is_some())),
            database: target.database,
            listen: self.options.listen,
            name: self.options.name.clone(),
            ..cli::Init::default()
        };
        let setup = Setup {
            options: &options,
            person: self.person,
            aws: Some(self.aws.clone()),
        };
        let tunnels = setup.tunnels(&bastion).await?;
        let draft = Draft {
            account,
            bastion,
            tunnels,
        };
        init::finish(&draft, path)
    }
}

fn notes(wish: &Wish, has_remains: bool) -> Vec<String> {
    let place = wish.place.as_ref();
    let makes_endpoints = place.is_some_and(|it| it.endpoints.iter().any(|name| *name != "s3"));
    let is_cached =
        place.is_some_and(Place::is_isolated) && !wish.given.contains_key("ImageSource");
    let notes = [
        (
            has_remains,
            "what a failed or interrupted run has left of the stack is removed first",
        ),
        (
            makes_endpoints,
            "the endpoints' names hold in the whole VPC: whatever else in it calls these services goes\n\
             through them from then on, and their security group admits the bastion alone",
        ),
        (
            is_cached,
            "AWS says that the first pull through the cache needs a way to the internet; should it\n\
             fail, put busybox into a private repository, and give --parameter ImageSource=custom\n\
             and --parameter CustomImage=URI",
        ),
    ];
    let those = notes.into_iter().filter(|(holds, _)| *holds);
    those.map(|(_, note)| note.to_owned()).collect()
}

fn made(name: &str, outcome: Outcome) -> anyhow::Result<Stack> {
    let why = outcome.why();
    match outcome.stack {
        Some(stack) if stack.status == "CREATE_COMPLETE" => {
            crate::errln!("the stack `{name}` is made");
            Ok(stack)
        }
        Some(stack) => bail!(
            "the stack `{name}` could not be made and is {}: {why}\nhint: mend that, and run the same command again",
            stack.status
        ),
        None => bail!("the stack `{name}` was deleted meanwhile"),
    }
}

fn changed(name: &str, outcome: Outcome) -> anyhow::Result<Stack> {
    let why = outcome.why();
    match outcome.stack {
        Some(stack) if stack.status == "UPDATE_COMPLETE" => {
            crate::errln!("the stack `{name}` is changed");
            Ok(stack)
        }
        Some(stack) if stack.status == "UPDATE_ROLLBACK_COMPLETE" => bail!(
            "the stack `{name}` could not be changed and is as it was: {why}\nhint: mend that, and run the same command \
             again"
        ),
        Some(stack) => bail!("the stack `{name}` is {}: {why}", stack.status),
        None => bail!("the stack `{name}` was deleted meanwhile"),
    }
}
