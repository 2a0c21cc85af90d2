//! The accounts that a daemon works in: that of `[aws]`, and those of bastions that have their own.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Notify;

use crate::aws::{Aws, Error, Source, Timeouts};
use crate::config::{self, Config, Via};
use crate::net::Net;

/// One way to AWS: a profile, a region, a role.
#[derive(Clone)]
pub struct Account {
    /// The calls.
    pub aws: Aws,
    /// Notified when a session is about to be started with it.
    pub starting: Arc<Notify>,
}

/// What all ways to AWS have in common.
#[derive(Clone)]
pub struct Way {
    /// Where credentials come from.
    pub source: Source,
    /// Who is on it.
    pub user: String,
    /// The way out.
    pub net: Net,
}

/// All of them, by the bastions that they are for.
pub struct Accounts {
    main: Account,
    own: BTreeMap<String, Account>,
    /// Each once.
    all: Vec<(config::Aws, Account)>,
    bastions: BTreeMap<String, String>,
}

impl Accounts {
    /// Prepares the calls; makes none. Of `earlier` ones, those that are still wanted are taken.
    pub async fn connect(
        config: &Config,
        way: &Way,
        earlier: Option<&Accounts>,
    ) -> Result<Self, Error> {
        let known = earlier.map_or(&[][..], |earlier| earlier.all.as_slice());
        let mut all: Vec<(config::Aws, Account)> = Vec::new();
        let main = account(&config.aws, way, known, &mut all).await?;
        let mut own = BTreeMap::new();
        for bastion in config.bastions.values() {
            if let Some(terms) = &bastion.aws {
                let account = account(terms, way, known, &mut all).await?;
                own.insert(bastion.name.clone(), account);
            }
        }
        let through = |tunnel: &config::Tunnel| match &tunnel.via {
            Via::Bastion(bastion) => Some((tunnel.name.clone(), bastion.clone())),
            Via::Target(_) => None,
        };
        let bastions = config.tunnels.iter().filter_map(through).collect();
        Ok(Self {
            main,
            own,
            all,
            bastions,
        })
    }

    /// That of `[aws]`.
    pub fn main(&self) -> &Account {
        &self.main
    }

    /// That of a bastion.
    pub fn of_bastion(&self, name: &str) -> &Account {
        self.own.get(name).unwrap_or(&self.main)
    }

    /// That of a bastion, if it is another than that of `[aws]`.
    pub fn own(&self, bastion: &str) -> Option<&Account> {
        self.own.get(bastion)
    }

    /// That of a tunnel.
    pub fn of_tunnel(&self, name: &str) -> &Account {
        let bastion = self.bastions.get(name);
        bastion.map_or(&self.main, |bastion| self.of_bastion(bastion))
    }

    /// Whose it is, in words.
    pub fn owner(&self, account: &Account) -> String {
        let is_it = |other: &Account| Arc::ptr_eq(&other.starting, &account.starting);
        let mut own = self.own.iter().filter(|(_, own)| is_it(own));
        match own.next() {
            Some((name, _)) if !is_it(&self.main) => format!("aws of bastion {name}"),
            _ => "aws".to_owned(),
        }
    }

    /// Each once, with the terms on which it was made.
    pub fn known(&self) -> Vec<(config::Aws, Aws)> {
        let all = self.all.iter();
        all.map(|(terms, account)| (terms.clone(), account.aws.clone()))
            .collect()
    }

    /// Each once.
    pub fn all(&self) -> impl Iterator<Item = &Account> {
        self.all.iter().map(|(_, account)| account)
    }
}

async fn account(
    terms: &config::Aws,
    way: &Way,
    known: &[(config::Aws, Account)],
    all: &mut Vec<(config::Aws, Account)>,
) -> Result<Account, Error> {
    if let Some((_, listed)) = all.iter().find(|(listed, _)| listed == terms) {
        return Ok(listed.clone());
    }
    let account = match known.iter().find(|(known, _)| known == terms) {
        Some((_, account)) => account.clone(),
        None => {
            let source = way.source.clone();
            let aws = Aws::with(terms, &way.user, &way.net, source, Timeouts::default()).await?;
            Account {
                aws,
                starting: Arc::default(),
            }
        }
    };
    all.push((terms.clone(), account.clone()));
    Ok(account)
}
