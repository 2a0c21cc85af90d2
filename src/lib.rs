//! bastiond: private databases in AWS on localhost.
#![deny(missing_docs)]
#![forbid(unsafe_code)]

pub mod aws;
pub mod bastion;
pub mod cli;
pub mod config;
pub mod control;
pub mod cost;
pub mod ctl;
pub mod daemon;
pub mod demo;
pub mod logs;
pub mod net;
pub mod paths;
pub mod platform;
pub mod proto;
pub mod session;
pub mod settings;
pub mod shell;
pub mod signals;
pub mod sim;
pub mod sources;
pub mod start;
pub mod state;
pub mod status;
pub mod tunnel;
