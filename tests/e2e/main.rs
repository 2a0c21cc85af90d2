//! The daemon whole, against the simulator, in one process: real sockets on ports of the system's choice, and
//! production code with nothing changed but the endpoint. One file a group of behaviours.
//!
//! Tests wait for states, each wait with a deadline. What takes a minute in earnest is skipped with the clock
//! ([`support::skip`]), not waited for.

mod support;

#[path = "../support/programs.rs"]
mod programs;

mod accounts;
mod agent;
mod api;
mod budget;
mod bytes;
mod circumstances;
mod conformance;
mod containers;
mod control;
mod databases;
mod denied;
mod doctor;
mod ending;
mod hybrid;
mod idle;
mod init;
mod local;
mod lost_launch;
mod machines;
mod mfa;
mod network;
mod nodes;
mod opening;
mod outage;
mod process;
mod program;
mod race;
mod reconnect;
mod reload;
mod restart;
mod rows;
mod schedule;
mod service;
mod shell;
mod sign_in;
mod signals;
mod silence;
mod start;
mod task_ends;
mod told;
mod trouble;
