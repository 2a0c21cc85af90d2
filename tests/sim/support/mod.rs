//! What the simulator's own tests stand on: raw AWS calls, a raw client, and a destination. No production code but
//! `proto`.

pub mod api;
pub mod client;
pub mod echo;
pub mod node;

use std::{future::Future, time::Duration};

/// Nothing here takes longer than this, unless something hangs.
pub async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future)
        .await
        .expect("it comes to an end")
}
