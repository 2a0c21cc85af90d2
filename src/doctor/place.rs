//! An account, with the bastions and tunnels that are in it.

use futures_util::future::join_all;

use super::Request;
use super::facts::{Account, Bastion, Tunnel};
use super::gather::{self, Gatherer};
use crate::aws::{Aws, Error, Timeouts};
use crate::config::{self, Config, Remote, TaskAgent, Via};
use crate::net::Net;
use crate::platform;
use crate::status::Status;

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
    pub async fn look(&self, gatherer: &Gatherer, net: &Net, daemon: Option<&Status>) -> Seen {
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
            };
        };
        let open = match &account.identity {
            Ok(identity) => Ok(identity),
            Err(error) => Err(gather::gap("sts:GetCallerIdentity", error)),
        };
        let bastions = self.bastions.iter().filter(|it| is_looked_at(it));
        let bastions = bastions.map(|it| {
            let through = gather::Through {
                documents: self.documents(&it.name),
                ports: self.ports(&it.name),
            };
            let seen = gather::bastion(gatherer, it, aws, through, open.clone());
            Box::pin(seen)
        });
        let tunnels = self.tunnels.iter();
        let tunnels = tunnels.map(|it| {
            Box::pin(gather::tunnel(
                gatherer,
                it,
                aws,
                daemon,
                open.clone().map(|_| ()),
            ))
        });
        let (bastions, tunnels) = tokio::join!(join_all(bastions), join_all(tunnels));
        Seen {
            subject: self.subject.clone(),
            account,
            bastions,
            tunnels,
        }
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
