//! `ctl list`: a short line a tunnel.

use super::{Failure, exit_of, print, print_json, text, width::columns};
use crate::{
    control::client::Client,
    exit::Exit,
    status::{ListenerState, Status},
};

pub(super) async fn list(client: &Client, json: bool) -> Result<Exit, Failure> {
    let status = client.status().await?;
    match json {
        true => print_json(&status.tunnels),
        false => print(&render(&status)),
    }
    Ok(exit_of(&status))
}

fn render(status: &Status) -> String {
    let mut rows = vec![["TUNNEL", "LOCAL", "REMOTE", "STATE"].map(str::to_owned)];
    rows.extend(status.tunnels.iter().map(|tunnel| {
        let mut places = tunnel.places(ListenerState::Listening);
        places.extend(tunnel.places(ListenerState::Busy));
        let cells = [
            tunnel.name.clone(),
            places.join(","),
            tunnel.remote.clone(),
            text::phase(tunnel),
        ];
        cells.map(|cell| text::printable(&cell))
    }));
    columns(&rows, [false; 4])
}
