//! The protocol's behaviours, in virtual time: one client against frames made by hand ([`solo`]), and pairs of sessions
//! over a line that does what it likes ([`pair`]).

mod agent;
mod codec;
mod ending;
mod flow;
mod handshake;
mod keepalive;
mod mux;
mod pair;
mod random;
mod reconnect;
mod reliability;
mod solo;
