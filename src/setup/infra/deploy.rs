//! `bastiond infra deploy`: chooses what it can, shows what it would do, does it when told to, and writes the
//! configuration. Each step begins with what is there, so that it can be run again after any interruption.

use std::{collections::BTreeMap, path::Path, process::ExitCode, time::Duration};

use anyhow::{anyhow, bail};
use tokio::time::sleep;

use super::{
    TEMPLATE, account_of, connect,
    follow::{Seen, follow},
    place::{self, Vpc},
    plan::Plan,
};
use crate::{
    aws::{Aws, Filter, Stack},
    cli,
    config::Remote,
    setup::{
        account::{fatal, say},
        answer,
        ask::Person,
        bastion::of_outputs,
        database,
        draft::{Account, Draft},
        init::{self, Setup},
    },
};

/// Change sets are made within seconds.
const CHANGE_SET_LOOKS: u32 = 150;
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// Runs it to its end.
pub(super) async fn run(options: cli::Deploy, path: &Path) -> anyhow::Result<ExitCode> {
    let person = Person::at_the_terminal();
    let mut account = account_of(&options.aws);
    let aws = connect(&mut account, &person).await?;
    let deployment = Deployment {
        options: &options,
        person: &person,
        aws: &aws,
    };
    let before = deployment.settled().await?;
    let (parameters, database, port) = match &before {
        Some(stack) => {
            eprintln!(
                "the stack `{}` is there already: what it was made with stays",
                stack.name
            );
            (
                stack.parameters.clone(),
                options.database.clone(),
                options.port,
            )
        }
        None => {
            let (plan, port) = deployment.plan().await?;
            eprintln!("\n{}\n", plan.text(aws.region()));
            (plan.parameters(), Some(plan.database), port)
        }
    };
    if options.dry_run {
        eprintln!("a dry run: nothing was changed");
        return Ok(ExitCode::SUCCESS);
    }
    if !options.yes && !person.is_there() {
        bail!("there is no terminal to ask at\nhint: --yes");
    }
    if !options.yes && !person.confirms("Do it?")? {
        bail!("nothing was changed");
    }
    let stack = deployment.apply(before.is_none(), &parameters).await?;
    let init = cli::Init {
        database,
        port,
        listen: options.listen,
        name: options.name.clone(),
        ..cli::Init::default()
    };
    deployment.configure(account, &stack, &init, path).await
}

struct Deployment<'a> {
    options: &'a cli::Deploy,
    person: &'a Person,
    aws: &'a Aws,
}

impl Deployment<'_> {
    /// The stack as it is once nothing is being done with it; none if there is nothing to build upon.
    async fn settled(&self) -> anyhow::Result<Option<Stack>> {
        let name = &self.options.stack;
        let mut stack = self.aws.stack(name).await.map_err(fatal)?;
        if let Some(busy) = stack.as_ref().filter(|stack| stack.is_busy()) {
            eprintln!("the stack `{name}` is {}: following it", busy.status);
            stack = follow(self.aws, name, Seen::default()).await?;
        }
        let Some(stack) = stack.filter(|stack| !stack.is_empty()) else {
            return Ok(None);
        };
        match stack.status.as_str() {
            "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "UPDATE_ROLLBACK_COMPLETE" => Ok(Some(stack)),
            status => bail!(
                "the stack `{name}` is {status}: {}\nhint: bastiond infra delete --stack {name}, and deploy again",
                stack.reason.as_deref().unwrap_or("AWS does not say why")
            ),
        }
    }

    /// A new stack for the database, and the database's port where AWS does not tell it.
    async fn plan(&self) -> anyhow::Result<(Plan, Option<u16>)> {
        let options = self.options;
        let (host, known) = match &options.database {
            Some(host) => (host.clone(), options.port),
            None => self.chosen_database().await?,
        };
        let remote = init::remote(&host, known)?;
        let mut plan = Plan {
            stack: options.stack.clone(),
            database: host.clone(),
            ..Plan::default()
        };
        let mut zone = None;
        match remote {
            Remote::Database { selector, port } => match self.aws.home(&selector).await {
                Ok(home) => {
                    plan.vpc = home.vpc;
                    plan.security_group =
                        home.security_groups.into_iter().next().unwrap_or_default();
                    plan.port = port.or(home.port).unwrap_or_default();
                    zone = home.zone;
                }
                Err(error) => say(&format!("cannot see the network of `{host}`"), &error),
            },
            Remote::Host { name, port } => (plan.host, plan.port) = (Some(name), port),
            Remote::Target { .. } => bail!("a database has a host"),
        }
        self.complete(&mut plan)?;
        let filter = [Filter::new("vpc-id", [&plan.vpc])];
        let (subnets, tables, endpoints) = (
            self.aws.subnets(&filter).await.map_err(fatal)?,
            self.aws.route_tables(&filter).await.map_err(fatal)?,
            self.aws.vpc_endpoints(&filter).await.map_err(fatal)?,
        );
        let vpc = Vpc {
            subnets: &subnets,
            tables: &tables,
            endpoints: &endpoints,
            region: self.aws.region(),
            zone: zone.as_deref(),
        };
        let place =
            place::choose(vpc, &options.subnet).map_err(|why| anyhow!("{why}\nhint: --subnet"))?;
        Ok((plan.at(place), known))
    }

    async fn chosen_database(&self) -> anyhow::Result<(String, Option<u16>)> {
        let all = self.aws.databases().await;
        for error in &all.failed {
            say("cannot list all databases", error);
        }
        let lines: Vec<String> = all.databases.iter().map(database::shown).collect();
        if lines.is_empty() {
            let host = self
                .person
                .ask("Host of the database", None, "--database", answer::word)?;
            let port = self
                .person
                .ask("Its port", Some("5432"), "--port", answer::port)?;
            return Ok((host, Some(port)));
        }
        let chosen = self.person.chooses("Database", "--database", &lines)?;
        Ok((all.databases[chosen].selector.to_string(), None))
    }

    /// What could not be found out: from the flags, which go before, or asked for.
    fn complete(&self, plan: &mut Plan) -> anyhow::Result<()> {
        let (options, person) = (self.options, self.person);
        if let Some(vpc) = &options.vpc {
            plan.vpc.clone_from(vpc);
        }
        if plan.vpc.is_empty() {
            plan.vpc = person.ask("VPC of the database", None, "--vpc", answer::word)?;
        }
        if let Some(group) = &options.security_group {
            plan.security_group.clone_from(group);
        }
        if plan.security_group.is_empty() {
            let question = "Security group of the database";
            plan.security_group = person.ask(question, None, "--security-group", answer::word)?;
        }
        if plan.port == 0 {
            plan.port = person.ask("Port of the database", Some("5432"), "--port", answer::port)?;
        }
        Ok(())
    }

    /// Makes or changes the stack, and follows it to its end.
    async fn apply(
        &self,
        is_new: bool,
        parameters: &BTreeMap<String, String>,
    ) -> anyhow::Result<Stack> {
        let (aws, name) = (self.aws, &self.options.stack);
        let set = format!("bastiond-{}", uuid::Uuid::new_v4().simple());
        let made = aws
            .create_change_set(name, &set, is_new, TEMPLATE, parameters)
            .await;
        made.map_err(fatal)?;
        let seen = Seen::until_now(aws, name).await;
        if self.is_ready(&set).await? {
            aws.execute_change_set(name, &set).await.map_err(fatal)?;
            eprintln!(
                "CloudFormation works on the stack `{name}`; it goes on though this is interrupted"
            );
        } else {
            eprintln!("the stack `{name}` is as it should be");
        }
        let Some(stack) = follow(aws, name, seen).await? else {
            bail!("the stack `{name}` was deleted meanwhile");
        };
        match stack.status.as_str() {
            "CREATE_COMPLETE" | "UPDATE_COMPLETE" => Ok(stack),
            _ if !is_new && stack.status == "UPDATE_ROLLBACK_COMPLETE" => {
                bail!("the stack `{name}` could not be changed, and is as it was; above is why")
            }
            status => bail!(
                "the stack `{name}` could not be made: it is {status}; above is why\nhint: bastiond infra delete --stack \
                 {name}, and deploy again"
            ),
        }
    }

    /// Waits for the change set; false when it would change nothing.
    async fn is_ready(&self, set: &str) -> anyhow::Result<bool> {
        let name = &self.options.stack;
        for _ in 0..CHANGE_SET_LOOKS {
            let change_set = self.aws.change_set(name, set).await.map_err(fatal)?;
            match change_set.status.as_str() {
                "CREATE_COMPLETE" => return Ok(true),
                "FAILED" if change_set.is_needless() => {
                    // It would be in the way of nothing; it is only untidy.
                    let _ = self.aws.delete_change_set(name, set).await;
                    return Ok(false);
                }
                "FAILED" => {
                    let _ = self.aws.delete_change_set(name, set).await;
                    bail!(
                        "CloudFormation does not take it: {}",
                        change_set
                            .reason
                            .as_deref()
                            .unwrap_or("it does not say why")
                    );
                }
                _ => sleep(LOOK_AGAIN).await,
            }
        }
        bail!("the change set `{set}` is not ready after minutes\nhint: run the same command again")
    }

    /// The configuration of what is there now.
    async fn configure(
        &self,
        account: Account,
        stack: &Stack,
        init: &cli::Init,
        path: &Path,
    ) -> anyhow::Result<ExitCode> {
        let bastion = of_outputs(&stack.name, &stack.outputs).map_err(|why| anyhow!(why))?;
        if init::may_write(path, self.options.force, self.person).is_err() {
            let shown = path.display();
            eprintln!(
                "`{shown}` is left as it is; what it needs is told by: bastiond init --stack {} --config FILE",
                stack.name
            );
            return Ok(ExitCode::SUCCESS);
        }
        let setup = Setup {
            options: init,
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
