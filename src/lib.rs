//! bastiond: private databases in AWS on localhost.
#![deny(missing_docs)]
// They panic when nobody reads: see `output`.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))]
// One small file there calls launchd and says why.
#![cfg_attr(not(target_os = "macos"), forbid(unsafe_code))]
#![cfg_attr(target_os = "macos", deny(unsafe_code))]

pub mod aws;
pub mod bastion;
pub mod cli;
pub mod config;
pub mod control;
pub mod cost;
pub mod ctl;
pub mod daemon;
pub mod demo;
pub mod doctor;
#[cfg(test)]
mod errors_page;
pub mod events;
pub mod exit;
pub mod logs;
pub mod manual;
pub mod net;
pub mod output;
pub mod paths;
pub mod platform;
pub mod proto;
pub mod service;
pub mod session;
pub mod settings;
pub mod setup;
pub mod shell;
pub mod signals;
pub mod sim;
pub mod sockets;
pub mod sources;
pub mod start;
pub mod state;
pub mod status;
pub mod tunnel;
