//! Starts the bastions, the tunnels and what looks after them.

use std::sync::Arc;

use super::accounts::Account;
use super::{Daemon, credentials, identity, observe};
use crate::config::Via;
use crate::{bastion, tunnel};

impl Daemon {
    /// Start the bastions of the configuration that are `wanted`.
    pub(super) fn start_bastions(&mut self, wanted: impl Fn(&str) -> bool) {
        let recorded = self.state.contents().tasks;
        let bastions = self.config.bastions.values();
        for bastion in bastions.filter(|bastion| wanted(&bastion.name)) {
            let mut fitting = recorded
                .iter()
                .filter(|task| bastion::is_wanted(task, bastion));
            let adopt = fitting.next().map(|task| task.arn.clone());
            let (tasks, end) = (&mut self.bastion_tasks, self.end_bastions.child_token());
            let shared = bastion::Shared {
                aws: self.accounts.of_bastion(&bastion.name).aws.clone(),
                ..self.for_bastions.clone()
            };
            let handle = bastion::spawn(tasks, bastion.clone(), adopt, shared, end.clone());
            let observer = observe::bastion(handle.clone(), self.events.clone());
            self.observers.spawn(observer);
            handle.keep(self.state.kept(&bastion.name));
            self.ends.insert(bastion.name.clone(), end);
            self.bastions.insert(bastion.name.clone(), handle);
        }
    }

    /// Start the tunnels of the configuration that are `wanted`, and put all in its order.
    pub(super) fn start_tunnels(&mut self, wanted: impl Fn(&str) -> bool) {
        let tunnels = self.config.tunnels.iter();
        for tunnel in tunnels.filter(|tunnel| wanted(&tunnel.name)) {
            let bastion = match &tunnel.via {
                Via::Bastion(name) => self.bastions.get(name).cloned(),
                Via::Target(_) => None,
            };
            let (tasks, end) = (&mut self.tunnel_tasks, self.end_tunnels.clone());
            let Account { aws, starting } = self.accounts.of_tunnel(&tunnel.name).clone();
            let shared = tunnel::Shared {
                aws,
                starting,
                ..self.for_tunnels.clone()
            };
            let handle = tunnel::spawn(tasks, tunnel.clone(), bastion, shared, end);
            let observer = observe::tunnel(handle.clone(), self.events.clone());
            self.observers.spawn(observer);
            self.tunnels.push(handle);
        }
        let names = self
            .config
            .tunnels
            .iter()
            .map(|tunnel| tunnel.name.as_str());
        let names: Vec<&str> = names.collect();
        let place = |handle: &tunnel::Handle| names.iter().position(|name| *name == handle.name());
        self.tunnels.sort_by_key(place);
    }

    /// What looks after each account.
    pub(super) fn start_helpers(&mut self) {
        self.start_doctors();
        for account in self.accounts.all() {
            let Account { aws, starting } = account;
            let is_of_it = |tunnel: &&tunnel::Handle| {
                Arc::ptr_eq(&self.accounts.of_tunnel(tunnel.name()).starting, starting)
            };
            let tunnels = self.tunnels.iter().filter(is_of_it).cloned().collect();
            let end = self.end_tunnels.child_token();
            let asking = identity::spawn(aws.clone(), starting.clone(), end.clone());
            let renewing = credentials::spawn(aws.clone(), tunnels, end.clone());
            let (owner, events) = (self.accounts.owner(account), self.events.clone());
            let telling = observe::credentials(aws.clone(), owner, events, end);
            self.helpers.spawn(async move {
                let _ = tokio::join!(asking, renewing, telling);
            });
        }
    }
}
