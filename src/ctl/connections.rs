//! `ctl connections`.

use super::{
    Failure, print, print_json,
    text::printable,
    units::{age, size},
    width::columns,
};
use crate::{
    control::client::Client,
    exit::Exit,
    status::{Connection, Connections},
};

pub(super) async fn list(
    client: &Client,
    tunnel: Option<&str>,
    json: bool,
) -> Result<Exit, Failure> {
    let connections = client.connections(tunnel).await?;
    match json {
        true => print_json(&connections),
        false => print(&render(&connections)),
    }
    Ok(Exit::Ok)
}

fn render(all: &Connections) -> String {
    if all.connections.is_empty() {
        return "there are no connections\n".to_owned();
    }
    let headings = ["TUNNEL", "FROM", "PROGRAM", "SESS", "AGE", "SENT", "RECV"];
    let mut rows = vec![headings.map(str::to_owned)];
    rows.extend(all.connections.iter().map(row));
    columns(&rows, [false, false, false, true, true, true, true])
}

fn row(connection: &Connection) -> [String; 7] {
    let program = match (&connection.program, connection.pid) {
        (Some(program), Some(pid)) => format!("{program} (pid {pid})"),
        (None, Some(pid)) => format!("pid {pid}"),
        (_, None) => "-".to_owned(),
    };
    let session = connection
        .session
        .map_or("waits".to_owned(), |key| key.to_string());
    [
        connection.tunnel.clone(),
        connection.peer.clone(),
        program,
        session,
        age(connection.age_seconds),
        size(connection.bytes_sent),
        size(connection.bytes_received),
    ]
    .map(|cell| printable(&cell))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn each_connection_is_told_with_who_made_it() {
        let one = Connection {
            id: 1,
            tunnel: "app-db".into(),
            session: Some(2),
            local: "127.0.0.1:55432".into(),
            peer: "127.0.0.1:50122".into(),
            pid: Some(4711),
            program: Some("DBeaver".into()),
            accepted_at: datetime!(2026-11-22 18:00 UTC),
            age_seconds: 75,
            bytes_sent: 1200,
            bytes_received: 35_651_584,
        };
        let other = Connection {
            id: 2,
            tunnel: "顧客".into(),
            session: None,
            pid: None,
            program: None,
            age_seconds: 3,
            bytes_sent: 0,
            bytes_received: 0,
            ..one.clone()
        };
        assert_eq!(
            render(&Connections::from(vec![one, other])),
            "\
TUNNEL  FROM             PROGRAM              SESS  AGE  SENT  RECV
app-db  127.0.0.1:50122  DBeaver (pid 4711)      2   1m  1.1K   34M
顧客    127.0.0.1:50122  -                   waits   3s     0     0
"
        );
        assert_eq!(
            render(&Connections::from(vec![])),
            "there are no connections\n"
        );
    }
}
