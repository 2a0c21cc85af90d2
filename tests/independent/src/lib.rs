//! bastiond's simulator, and the protocol it speaks, without the daemon.

#[allow(dead_code)]
#[path = "../../../src/proto/mod.rs"]
pub mod proto;
#[allow(dead_code)]
#[path = "../../../src/sim/mod.rs"]
pub mod sim;
