//! `bastiond shell`: a terminal in a container or on an instance, or a command there.
//!
//! `target` finds out where, `claim` keeps a bastion running meanwhile, [`run`] carries the session. What is sent
//! and what it means is `proto::shell`'s affair.

mod claim;
mod escape;
mod opening;
mod record;
mod run;
mod target;
mod terminal;
mod wrapper;

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::aws::{Aws, Task};
use crate::cli;
use crate::config::{self, Config};
use crate::net::Net;
use crate::paths::Paths;
use crate::platform;
use crate::status;
use claim::Claim;
use opening::Opening;
use record::Recording;
use run::{Ended, Plan};
use target::{Target, explained};
use wrapper::Input;

/// The session failed: none of the statuses that a command may have.
const FAILED: u8 = 255;
/// Whoever read our output has had enough: what a shell says of a program that SIGPIPE has ended.
const UNREAD: u8 = 141;
/// What a shell says of programs that a signal has ended: this and the signal's number.
const SIGNALLED: u8 = 128;
/// What is run when nothing is named.
const SHELL: &str = "/bin/sh";
/// Documents that AWS owns: a command with a terminal, and one without.
const INTERACTIVE: &str = "AWS-StartInteractiveCommand";
const NON_INTERACTIVE: &str = "AWS-StartNonInteractiveCommand";

/// Run it. What went wrong is already printed when this returns.
///
/// # Errors
/// None that a command's status could be mistaken for.
pub async fn run(
    args: cli::Shell,
    paths: &Paths,
    config: Option<Config>,
) -> anyhow::Result<ExitCode> {
    let code = match open(args, paths, config).await {
        Ok(code) => code,
        Err(error) => {
            crate::errln!("error: {error:#}");
            FAILED
        }
    };
    Ok(ExitCode::from(code))
}

async fn open(args: cli::Shell, paths: &Paths, config: Option<Config>) -> anyhow::Result<u8> {
    let net = Net::from_env().context("cannot prepare the network")?;
    let user = platform::local_user();
    let terms = config.as_ref().map_or(config::Aws::default(), |config| {
        config.aws_of(args.target.as_deref()).clone()
    });
    let aws = Aws::connect(&terms, &user, &net).await.map_err(explained)?;
    let on_terminal = terminal::is_terminal();
    let (word, cluster) = (args.target.as_deref(), args.cluster.as_deref());
    let target = target::find(word, cluster, config.as_ref(), &aws, on_terminal).await?;
    let (signals, ends) = Signals::watch()?;
    let recording = args.record.as_deref().map(record).transpose()?;
    let held = hold(target, &args, &aws, paths, &ends).await;
    if let (Err(_), Some(signal)) = (&held, signals.first()) {
        return Ok(SIGNALLED + signal);
    }
    let (claim, place) = held?;
    let request = Request::new(&args, on_terminal);
    let on_node = matches!(place, Ok(Place::Node(_)));
    // Whatever becomes of it, the claim is released.
    let session = async {
        let (opening, number) = request.opening(place?)?;
        let plan = Plan {
            aws,
            net,
            opening,
            reason: format!("bastiond shell, {user}"),
            expects_greeting: number.is_some() || !request.is_command(),
            number,
            on_terminal,
            piped: request.input == Input::Piped,
            recording,
            end: ends,
        };
        anyhow::Ok(run::run(plan).await?)
    };
    let ended = session.await;
    if let Some(claim) = claim {
        claim.release().await;
    }
    let tells_status = request.tells_status(on_node);
    Ok(status(ended?, tells_status, signals.first()))
}

fn record(path: &Path) -> anyhow::Result<Recording> {
    let recording = Recording::create(path, terminal::size());
    recording.with_context(|| format!("cannot record to `{}`", path.display()))
}

/// Where `target` is; a bastion is claimed first. An error there leaves the claim to be released.
async fn hold(
    target: Target,
    args: &cli::Shell,
    aws: &Aws,
    paths: &Paths,
    ends: &CancellationToken,
) -> anyhow::Result<(Option<Claim>, anyhow::Result<Place>)> {
    let container = args.container.clone();
    Ok(match target {
        Target::Node(node) => (None, Ok(Place::Node(node))),
        Target::Task(task) => (None, Ok(Place::Task(task, container))),
        Target::Bastion(bastion) => {
            let (claim, held) = Claim::take(&bastion, aws, paths, ends).await?;
            let place = Place::of_bastion(&bastion, &held, container, aws).await;
            (Some(claim), place)
        }
    })
}

/// Where the shell is opened.
enum Place {
    /// In a task: in this container, or in the only one.
    Task(Box<Task>, Option<String>),
    /// On an instance or a hybrid node.
    Node(String),
}

impl Place {
    /// What carries the agent of a bastion that is held.
    async fn of_bastion(
        bastion: &config::Bastion,
        held: &status::Task,
        container: Option<String>,
        aws: &Aws,
    ) -> anyhow::Result<Self> {
        let node = held.target.as_ref();
        let node = node.filter(|target| target.starts_with("i-") || target.starts_with("mi-"));
        if let Some(node) = node {
            if container.is_some() {
                anyhow::bail!("the bastion's agent is that of a machine: leave --container out");
            }
            return Ok(Self::Node(node.clone()));
        }
        let arns = [held.arn.clone()];
        let tasks = aws.describe_tasks(&bastion.cluster, &arns).await;
        let task = tasks.map_err(explained)?.into_iter().next();
        let task = task.context("the bastion's task has gone")?;
        let container = container.or_else(|| bastion.container.clone());
        Ok(Self::Task(Box::new(task), container))
    }
}

/// What is asked for, as far as it does not depend on where.
struct Request<'a> {
    args: &'a cli::Shell,
    input: Input,
    number: String,
}

impl<'a> Request<'a> {
    fn new(args: &'a cli::Shell, on_terminal: bool) -> Self {
        let input = match on_terminal {
            true => Input::Terminal,
            false if stdin_is_empty() => Input::Empty,
            false => Input::Piped,
        };
        Self {
            args,
            input,
            number: uuid::Uuid::new_v4().simple().to_string(),
        }
    }

    fn is_command(&self) -> bool {
        !self.args.command.is_empty() || self.args.document.is_some()
    }

    /// Whether a status is told if all goes well.
    fn tells_status(&self, on_node: bool) -> bool {
        let plain = self.args.raw || self.args.document.is_some();
        let preferred_shell = on_node && !self.is_command() && self.input == Input::Terminal;
        !plain && !preferred_shell
    }

    /// The call that starts the session, and the number in the marks of its command.
    fn opening(&self, place: Place) -> anyhow::Result<(Opening, Option<String>)> {
        match place {
            Place::Node(node) => Ok(self.on_node(&node)),
            Place::Task(task, container) => self.in_task(&task, container.as_deref()),
        }
    }

    /// The command line, and the number in its marks.
    fn command(&self) -> (String, Option<String>) {
        let words = match self.args.command.is_empty() {
            true => vec![SHELL.to_owned()],
            false => self.args.command.clone(),
        };
        match self.args.raw {
            true => (shell_words::join(&words), None),
            false => {
                let line = wrapper::wrapped(&words, self.input, &self.number);
                (line, Some(self.number.clone()))
            }
        }
    }

    fn in_task(
        &self,
        task: &Task,
        container: Option<&str>,
    ) -> anyhow::Result<(Opening, Option<String>)> {
        let (command, number) = self.command();
        let opening = Opening::Exec {
            cluster: task.cluster_name.clone(),
            task: task.arn.clone(),
            container: Some(task.container(container)?.name.clone()),
            command,
            target: task.target(container)?,
        };
        Ok((opening, number))
    }

    /// Without a terminal and without input, the document that tells the two outputs apart and the status itself.
    fn on_node(&self, node: &str) -> (Opening, Option<String>) {
        let document = |name: Option<&str>, parameters: &[(&str, &str)]| Opening::Document {
            target: node.to_owned(),
            document: name.map(str::to_owned),
            parameters: parameters
                .iter()
                .map(|(name, value)| ((*name).to_owned(), vec![(*value).to_owned()]))
                .collect::<BTreeMap<_, _>>(),
        };
        if let Some(name) = &self.args.document {
            let given = self.args.parameter.iter();
            let parameters: Vec<_> = given.map(|(n, v)| (n.as_str(), v.as_str())).collect();
            return (document(Some(name), &parameters), None);
        }
        if !self.is_command() && self.input == Input::Terminal {
            return (document(None, &[]), None);
        }
        if self.input == Input::Empty && !self.args.raw {
            let words = match self.args.command.is_empty() {
                true => vec![SHELL.to_owned()],
                false => self.args.command.clone(),
            };
            let command = shell_words::join(words);
            let parameters = [
                ("command", command.as_str()),
                ("separateOutputStream", "true"),
            ];
            return (document(Some(NON_INTERACTIVE), &parameters), None);
        }
        let (command, number) = self.command();
        (
            document(Some(INTERACTIVE), &[("command", &command)]),
            number,
        )
    }
}

/// Whether there is nothing to read: `</dev/null`, or no standard input at all.
fn stdin_is_empty() -> bool {
    let Ok(stdin) = std::io::stdin().as_fd().try_clone_to_owned() else {
        return true;
    };
    let device = std::fs::File::from(stdin).metadata().map(|it| it.rdev());
    let null = std::fs::metadata("/dev/null").map(|it| it.rdev());
    !std::io::stdin().is_terminal() && device.is_ok_and(|it| null.is_ok_and(|null| null == it))
}

/// The exit code; what went wrong is said.
fn status(ended: Ended, tells_status: bool, signal: Option<u8>) -> u8 {
    if let Some(status) = ended.status {
        // As a shell would: the lowest byte.
        return (status & 0xff) as u8;
    }
    if ended.unread {
        return UNREAD;
    }
    if let Some(signal) = signal {
        return SIGNALLED + signal;
    }
    let ended_well = !tells_status && ended.closed.as_deref() == Some("");
    match ended.reason {
        _ if ended_well => 0,
        None => FAILED,
        Some(reason) => {
            crate::errln!("error: {}", reason.message);
            if let Some(hint) = reason.hint {
                crate::errln!("hint: {hint}");
            }
            FAILED
        }
    }
}

/// The signals that end a session in order.
struct Signals {
    first: watch::Receiver<Option<u8>>,
    _watching: AbortOnDropHandle<()>,
}

impl Signals {
    /// Watch for them; the token is cancelled by the first.
    fn watch() -> std::io::Result<(Self, CancellationToken)> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hangup = signal(SignalKind::hangup())?;
        let (sender, first) = watch::channel(None);
        let cancel = CancellationToken::new();
        let ends = cancel.clone();
        let watching = tokio::spawn(async move {
            let number = tokio::select! {
                _ = interrupt.recv() => SignalKind::interrupt(),
                _ = terminate.recv() => SignalKind::terminate(),
                _ = hangup.recv() => SignalKind::hangup(),
            };
            sender.send_replace(u8::try_from(number.as_raw_value()).ok());
            cancel.cancel();
        });
        let _watching = AbortOnDropHandle::new(watching);
        Ok((Self { first, _watching }, ends))
    }

    fn first(&self) -> Option<u8> {
        *self.first.borrow()
    }
}
