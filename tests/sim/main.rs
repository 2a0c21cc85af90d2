//! The simulator itself, tried by raw AWS calls and a raw WebSocket client: what the end-to-end tests stand on must
//! not be wrong by the same mistake as the code under test.

mod api;
mod handshake;
mod links;
mod networks;
mod session;
mod streams;
mod support;
mod tasks;
