//! An account, with the bastions and tunnels that are in it.

use futures_util::future::join_all;

use super::Request;
use super::check::Gap;
use super::facts::{Account, Bastion, Far, Node, Tunnel};
use super::gather::{self, Gatherer};
use super::start::{Run, Starter};
use super::way;
use crate::aws::{Aws, Error, Identity, Timeouts};
use crate::config::{self, Config, Remote, TaskAgent, Via};
use crate::net::Net;
use crate::platform;
use crate::status::Status;

/// Checks for which a session is opened.
const TRYING: &[&str] = &["R03", "N10", "P06", "P07", "P08"];

/// See the module.
pub struct Place {
    subject: String,
    config: config::Aws,
    aws: Result<Aws, Error>,
    bastions: Vec<config::Bastion>,
    tunnels: Vec<config::Tunnel>,
}

/// The same, looked at.
pub struct Seen {
    /// What to call it.
    pub subject: String,
    /// The way there.
    pub account: Account,
    /// Its bastions.
    pub bastions: Vec<Bastion>,
    /// Its tunnels.
    pub tunnels: Vec<Tunnel>,
    /// Machines in the place of tasks, of its bastions and tunnels.
    pub nodes: Vec<Node>,
}

impl Seen {
    /// Opens a session of each tunnel, to see how far it comes.
    async fn try_sessions(&mut self, gatherer: &Gatherer, aws: &Aws, net: &Net) {
        let tried = self.tunnels.iter().map(|it| {
            let way = way::of(it, &self.bastions, &self.nodes);
            async move {
                match way? {
                    Some(way) => gather::trial(gatherer, &it.config, aws, net, way)
                        .await
                        .map(Some),
                    None => Ok(None),
                }
            }
        });
        let tried = join_all(tried).await;
        for (tunnel, trial) in self.tunnels.iter_mut().zip(tried) {
            tunnel.trial = trial;
        }
    }
}

/// The accounts of what is asked for; each once.
pub async fn all(request: &Request, config: &Config, net: &Net) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    let is_asked = |tunnel: &&config::Tunnel| {
        let name = request.tunnel.as_ref();
        name.is_none_or(|name| tunnel.name == *name)
    };
    let tunnels: Vec<_> = config.tunnels.iter().filter(is_asked).collect();
    let bastion = |tunnel: &config::Tunnel| match &tunnel.via {
        Via::Bastion(name) => Some(name.clone()),
        Via::Target(_) => None,
    };
    for tunnel in &tunnels {
        let terms = config.aws_of(bastion(tunnel).as_deref());
        let place = place(&mut places, terms, request, net).await;
        place.tunnels.push((*tunnel).clone());
    }
    for (name, terms) in &config.bastions {
        let is_used = tunnels.iter().any(|it| bastion(it).as_ref() == Some(name));
        if is_used || request.tunnel.is_none() {
            let place = place(&mut places, config.aws_of(Some(name)), request, net).await;
            place.bastions.push(terms.clone());
        }
    }
    if places.len() > 1 {
        for place in &mut places {
            let names: Vec<_> = place.bastions.iter().map(|it| it.name.as_str()).collect();
            place.subject = format!("AWS of {}", names.join(", "));
        }
    }
    places
}

/// The one of `terms`, made if it is the first of it.
async fn place<'a>(
    places: &'a mut Vec<Place>,
    terms: &config::Aws,
    request: &Request,
    net: &Net,
) -> &'a mut Place {
    let index = places.iter().position(|place| place.config == *terms);
    let index = match index {
        Some(index) => index,
        None => {
            let mut known = request.known.iter();
            let known = known.find(|(known, _)| known == terms);
            let aws = match known {
                Some((_, aws)) => Ok(aws.clone()),
                None => {
                    let (user, source) = (platform::local_user(), request.source.clone());
                    Aws::with(terms, &user, net, source, Timeouts::default()).await
                }
            };
            places.push(Place {
                subject: "AWS".to_owned(),
                config: terms.clone(),
                aws,
                bastions: Vec::new(),
                tunnels: Vec::new(),
            });
            places.len() - 1
        }
    };
    &mut places[index]
}

impl Place {
    /// The account first: what it refuses need not be asked.
    pub async fn look(
        &self,
        gatherer: &Gatherer,
        net: &Net,
        daemon: Option<&Status>,
        runs: &[Run],
    ) -> Seen {
        let aws = self.aws.as_ref();
        let account = gather::account(
            gatherer,
            &self.config,
            aws.map_err(Clone::clone),
            net,
            self.arns(),
        );
        let account = Box::pin(account).await;
        let Ok(aws) = aws else {
            return Seen {
                subject: self.subject.clone(),
                account,
                bastions: Vec::new(),
                tunnels: Vec::new(),
                nodes: Vec::new(),
            };
        };
        let open = match &account.identity {
            Ok(identity) => Ok(identity),
            Err(error) => Err(gather::gap("sts:GetCallerIdentity", error)),
        };
        let (bastions, tunnels, nodes) = tokio::join!(
            self.tasks(gatherer, aws, &open),
            self.ways_in(gatherer, aws, daemon, &open),
            Box::pin(self.nodes(gatherer, aws, open.clone().map(|_| ())))
        );
        let mut seen = Seen {
            subject: self.subject.clone(),
            account,
            bastions,
            tunnels,
            nodes,
        };
        self.look_further(gatherer, aws, &mut seen).await;
        if gatherer.wants(TRYING) && seen.account.identity.is_ok() {
            seen.try_sessions(gatherer, aws, net).await;
        }
        for bastion in &mut seen.bastions {
            bastion.fences = gatherer.fences();
            let mut runs = runs.iter();
            let run = runs.find(|it| it.bastion == bastion.config.name);
            bastion.start = run.map(|run| run.start.clone());
        }
        seen
    }

    /// Its bastions that are tasks.
    async fn tasks(
        &self,
        gatherer: &Gatherer,
        aws: &Aws,
        account: &Result<&Identity, Gap>,
    ) -> Vec<Bastion> {
        let bastions = self.bastions.iter().filter(|it| is_looked_at(it));
        let seen = bastions.map(|it| {
            let through = gather::Through {
                documents: self.documents(&it.name),
                ports: self.ports(&it.name),
            };
            Box::pin(gather::bastion(gatherer, it, aws, through, account.clone()))
        });
        join_all(seen).await
    }

    /// Its tunnels.
    async fn ways_in(
        &self,
        gatherer: &Gatherer,
        aws: &Aws,
        daemon: Option<&Status>,
        account: &Result<&Identity, Gap>,
    ) -> Vec<Tunnel> {
        let account = account.clone().map(|_| ());
        let seen = self.tunnels.iter().map(|it| {
            let account = account.clone();
            Box::pin(gather::tunnel(gatherer, it, aws, daemon, account))
        });
        join_all(seen).await
    }

    /// What is at the far end of its bastions, as its tunnels tell.
    async fn look_further(&self, gatherer: &Gatherer, aws: &Aws, seen: &mut Seen) {
        for bastion in &mut seen.bastions {
            bastion.far = self.far(&bastion.config.name, &seen.tunnels);
            let homes = bastion.far.iter().filter_map(|it| it.home.as_ref().ok());
            bastion.network.far_rules = gather::far_rules(gatherer, aws, homes).await;
        }
    }

    /// The machines of its bastions, and those that tunnels lead to.
    async fn nodes(&self, gatherer: &Gatherer, aws: &Aws, account: Result<(), Gap>) -> Vec<Node> {
        let of_bastions = self.bastions.iter();
        let of_bastions =
            of_bastions.map(|it| gather::node::of_bastion(gatherer, it, aws, account.clone()));
        let of_tunnels = self.tunnels.iter();
        let of_tunnels =
            of_tunnels.map(|it| gather::node::of_tunnel(gatherer, it, aws, account.clone()));
        let (of_bastions, of_tunnels) = tokio::join!(join_all(of_bastions), join_all(of_tunnels));
        of_bastions
            .into_iter()
            .chain(of_tunnels)
            .flatten()
            .collect()
    }

    /// Starts the bastions that tunnels go through.
    pub async fn start(&self, starter: &Starter<'_>) -> Vec<Run> {
        let Ok(aws) = &self.aws else {
            return Vec::new();
        };
        let bastions = self.bastions.iter().filter(|it| is_looked_at(it));
        let starts = bastions.filter_map(|it| {
            let tunnel = self.through(&it.name).next()?;
            Some(Box::pin(starter.start(it, &tunnel.name, aws)))
        });
        join_all(starts).await
    }

    /// Where the tunnels through a bastion lead.
    fn far(&self, bastion: &str, tunnels: &[Tunnel]) -> Vec<Far> {
        let via = Via::Bastion(bastion.to_owned());
        let through = tunnels.iter().filter(|it| it.config.via == via);
        let far = through.map(|it| Far {
            tunnel: it.config.name.clone(),
            port: match &it.config.remote {
                Remote::Host { port, .. } | Remote::Target { port } => Some(*port),
                Remote::Database { port, .. } => {
                    let told = it.home.as_ref().ok().and_then(|home| home.port);
                    port.or(told)
                }
            },
            home: it.home.clone(),
        });
        far.collect()
    }

    /// The session documents of the tunnels through a bastion.
    fn documents(&self, bastion: &str) -> Vec<String> {
        let mut documents: Vec<_> = self.through(bastion).map(gather::document_of).collect();
        documents.sort();
        documents.dedup();
        documents
    }

    /// The ports that the tunnels through it lead to, as far as they are configured.
    fn ports(&self, bastion: &str) -> Vec<u16> {
        let port = |it: &config::Tunnel| match &it.remote {
            Remote::Host { port, .. } => Some(*port),
            Remote::Database { port, .. } => *port,
            Remote::Target { .. } => None,
        };
        self.through(bastion).filter_map(port).collect()
    }

    fn through(&self, bastion: &str) -> impl Iterator<Item = &config::Tunnel> {
        let via = Via::Bastion(bastion.to_owned());
        self.tunnels.iter().filter(move |it| it.via == via)
    }

    /// The ARNs that tell where its things are.
    fn arns(&self) -> Vec<String> {
        let names = self.bastions.iter();
        let names = names.flat_map(|it| [&it.cluster, &it.task_definition]);
        names
            .filter(|name| name.starts_with("arn:"))
            .cloned()
            .collect()
    }
}

/// The checks of a bastion are about a task that is run, with the agent of ECS Exec.
fn is_looked_at(bastion: &config::Bastion) -> bool {
    let is_run = bastion.machine.is_none() && bastion.service.is_none();
    is_run && bastion.agent == TaskAgent::Exec
}
