//! The door: configuration, control socket, command line.

mod cli;
mod commands;
mod config_example;
mod config_mistakes;
mod control_requests;
mod control_socket;
mod control_streams;
mod infra;
#[cfg(target_os = "linux")]
mod service;
mod settings;
mod support;
mod user;
