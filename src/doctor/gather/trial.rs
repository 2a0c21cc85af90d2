//! A session of a tunnel, opened to see how far it comes: to the agent, and to the database's port. It is ended again,
//! whoever still waits for what it tells.

use std::future::poll_fn;
use std::time::{Duration, SystemTime};

use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::MaybeTlsStream;
use tokio_util::sync::CancellationToken;

use super::Gatherer;
use crate::aws::{Aws, Error, Kind, Opened};
use crate::config;
use crate::doctor::check::{Gap, Known};
use crate::doctor::facts::{Step, Stuck, Trial};
use crate::net::Net;
use crate::platform;
use crate::proto::{Event, Options, Session};
use crate::session::{Socket, Wire, dial, trouble};
use crate::status::Reason;
use crate::tunnel::reason;
use crate::tunnel::remote::Place;

/// What the agent is given to acknowledge the end.
const TERMINATE_PATIENCE: Duration = Duration::from_secs(1);
/// What telling AWS about the end may take.
const TERMINATE_LIMIT: Duration = Duration::from_secs(5);

/// Where a trial begins and ends.
#[derive(Clone)]
pub struct Way {
    /// What StartSession is given.
    pub target: String,
    /// The network interface there.
    pub interface: Option<String>,
    /// The tunnel's host and port.
    pub place: Place,
    /// The same in words.
    pub remote: String,
}

/// Opens the session, has the agent connect once, and ends it.
pub async fn trial(
    gatherer: &Gatherer,
    config: &config::Tunnel,
    aws: &Aws,
    net: &Net,
    way: Way,
) -> Known<Trial> {
    let _turn = gatherer.budget.acquire().await;
    let _shown = gatherer.progress.on("a session");
    let attempt = Attempt {
        aws: aws.clone(),
        net: net.clone(),
        document: config.document.clone(),
        silence: gatherer.trials.silence,
        cancel: gatherer.trials.cancel.clone(),
        trial: Trial {
            remote: way.remote.clone(),
            port: way.place.port,
            interface: way.interface.clone(),
            agent: None,
            steps: Vec::new(),
            stuck: None,
        },
        way,
        since: Instant::now(),
    };
    // A task of its own, for a session that was started has to be ended.
    match gatherer.trials.tracker.spawn(attempt.make()).await {
        Ok(Ok(trial)) => Ok(trial),
        Ok(Err(error)) => Err(gatherer.failed("ssm:StartSession", &error)),
        Err(_) => Err(Gap::Failed("bastiond itself failed".to_owned())),
    }
}

struct Attempt {
    aws: Aws,
    net: Net,
    document: Option<String>,
    silence: Duration,
    cancel: CancellationToken,
    way: Way,
    trial: Trial,
    /// When the step at hand began.
    since: Instant,
}

impl Attempt {
    /// An error is one that leaves open how a session would fare.
    async fn make(mut self) -> Result<Trial, Error> {
        let opened = match self.start().await {
            Ok(opened) => opened,
            Err(error) if matches!(error.kind, Kind::Denied(_) | Kind::Login(_)) => {
                return Err(error);
            }
            Err(error) => {
                self.trial.stuck = Some(Stuck::Session(trouble(error).reason));
                return Ok(self.trial);
            }
        };
        match dial(&self.aws, &self.net, &opened).await {
            Ok(socket) => {
                self.step(Step::Session);
                self.converse(socket, &opened).await;
            }
            Err(trouble) => self.trial.stuck = Some(Stuck::Session(trouble.reason)),
        }
        let terminating = self.aws.terminate_session(&opened.id);
        if !matches!(timeout(TERMINATE_LIMIT, terminating).await, Ok(Ok(()))) {
            tracing::warn!(session = %opened.id, "cannot end the session");
        }
        Ok(self.trial)
    }

    async fn start(&self) -> Result<Opened, Error> {
        let reason = format!("bastiond doctor of {}", platform::local_user());
        let (aws, target) = (&self.aws, &self.way.target);
        let Place { host, port } = &self.way.place;
        let host = host.as_deref();
        match &self.document {
            None => aws.start_session(target, host, *port, &reason).await,
            Some(document) => {
                aws.start_session_by(document, target, host, *port, &reason)
                    .await
            }
        }
    }

    fn step(&mut self, step: Step) {
        let now = Instant::now();
        self.trial.steps.push((step, now - self.since));
        self.since = now;
    }

    async fn converse(&mut self, socket: Socket, opened: &Opened) {
        let mut options = Options::client(fastrand::u64(..), SystemTime::now());
        options.remote_host = self.way.place.host.is_some();
        let now = Instant::now().into_std();
        let mut session = Session::new(options, now);
        let mut wire = Wire::new(socket, session.open_frame(opened.token.expose()));
        session.handle_connected(now);
        self.trial.stuck = self.carry(&mut session, &mut wire).await.err();
        session.terminate(Instant::now().into_std());
        let words = poll_fn(|cx| wire.poll_last_words(&mut session, cx));
        let _ = timeout(TERMINATE_PATIENCE, words).await;
        wire.close().await;
    }

    /// Until the agent has connected, or cannot.
    async fn carry(
        &mut self,
        session: &mut Session,
        wire: &mut Wire<MaybeTlsStream<TcpStream>>,
    ) -> Result<(), Stuck> {
        loop {
            if self.follow(session)? {
                return Ok(());
            }
            let silent_at = self.trial.agent.as_ref().map(|_| self.since + self.silence);
            let due = session.poll_timeout().map(Instant::from_std);
            let due = due.into_iter().chain(silent_at);
            let due = due.fold(wire.next_due(true), Instant::min);
            tokio::select! {
                carried = poll_fn(|cx| wire.poll(session, true, cx)) => {
                    if let Err(why) = carried {
                        // The last message before the loss may tell why.
                        let is_there = self.follow(session)?;
                        let lost = || self.broken(Reason::new("link_lost", why));
                        return is_there.then_some(()).ok_or_else(lost);
                    }
                }
                () = sleep_until(due) => self.timeout(session, wire, silent_at)?,
                () = self.cancel.cancelled() => {
                    return Err(self.broken(Reason::new("interrupted", "it was interrupted")));
                }
            }
        }
    }

    fn timeout(
        &self,
        session: &mut Session,
        wire: &mut Wire<MaybeTlsStream<TcpStream>>,
        silent_at: Option<Instant>,
    ) -> Result<(), Stuck> {
        let now = Instant::now();
        session.handle_timeout(now.into_std());
        if silent_at.is_some_and(|at| at <= now) {
            return Err(Stuck::Silence(self.silence));
        }
        match wire.lost(true, now) {
            Some(why) => Err(self.broken(Reason::new("link_lost", why))),
            None => Ok(()),
        }
    }

    /// Whether the database was reached.
    fn follow(&mut self, session: &mut Session) -> Result<bool, Stuck> {
        while let Some(event) = session.poll_event() {
            match event {
                Event::Ready { agent_version, .. } => {
                    self.step(Step::Handshake);
                    self.trial.agent = Some(agent_version);
                    self.knock(session);
                }
                Event::Answered(_) | Event::Readable(_) | Event::Finished(_) => {
                    self.step(Step::Connect);
                    return Ok(true);
                }
                Event::Refused(_) => {
                    let waited = self.since.elapsed();
                    return Err(Stuck::Connect(reason::refused(&self.trial.remote, waited)));
                }
                Event::Closed { output } => {
                    return Err(self.broken(reason::closed(&output, &self.trial.remote)));
                }
                Event::Failed(failure) => return Err(self.broken(reason::failed(&failure))),
                Event::Unresponsive => {
                    let why = "the agent acknowledges nothing";
                    return Err(self.broken(Reason::new("session_unresponsive", why)));
                }
                Event::Opened(_) | Event::TerminateRequested => {}
            }
        }
        Ok(false)
    }

    /// The agent dials for one stream after the other, and says nothing of a dial that succeeds. So there are two: when it
    /// says anything of the second, which is finished at once, the first has been dialled, and if that was refused it has
    /// said so before.
    fn knock(&self, session: &mut Session) {
        session.open();
        let second = session.open();
        session.finish(second);
    }

    fn broken(&self, reason: Reason) -> Stuck {
        match self.trial.agent {
            Some(_) => Stuck::Connect(reason),
            None => Stuck::Handshake(reason),
        }
    }
}
