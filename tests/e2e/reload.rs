//! A new configuration while the daemon runs: what has not changed does not notice.

use std::net::SocketAddr;

use bastiond::control::client::Error;
use bastiond::status::Reloaded;

use crate::support::{Daemon, House, Terms, assert_reset, connect, ping, within};

/// Another tunnel, through the same bastion.
pub fn metrics() -> String {
    another("metrics", "")
}

fn another(name: &str, lines: &str) -> String {
    format!(
        r#"
        [[tunnel]]
        name = "{name}"
        listen = "127.0.0.1:0"
        bastion = "dev"
        host = "db.internal"
        port = 5432
        {lines}
        "#
    )
}

fn terms(more: String) -> Terms {
    Terms {
        more,
        ..Terms::default()
    }
}

async fn address(daemon: &Daemon, tunnel: &str) -> SocketAddr {
    let status = daemon.status().await;
    let tunnel = status
        .tunnels
        .iter()
        .find(|it| it.name == tunnel)
        .expect("it is there");
    tunnel.listeners[0].address.parse().expect("an address")
}

async fn reload(daemon: &Daemon) -> Reloaded {
    daemon
        .client
        .reload()
        .await
        .expect("it is a good configuration")
}

#[tokio::test]
async fn what_has_not_changed_keeps_its_connections() {
    let house = House::new().await;
    let daemon = house
        .daemon(&terms(another("old", "") + &another("other", "")))
        .await;
    let mut client = daemon.served().await;
    let gone = address(&daemon, "old").await;
    let mut leaving = connect(gone).await;
    ping(&mut leaving).await;

    house.rewrite(&terms(
        another("new", "") + &another("other", "hold_timeout = \"7s\""),
    ));
    let done = reload(&daemon).await;
    assert_eq!(
        (done.added, done.removed, done.changed, done.unchanged),
        (
            vec!["new".into()],
            vec!["old".into()],
            vec!["other".into()],
            vec!["app-db".into()]
        )
    );
    ping(&mut client).await;
    assert!(
        tokio::net::TcpStream::connect(gone).await.is_err(),
        "nobody listens there"
    );
    let mut fresh = connect(address(&daemon, "new").await).await;
    ping(&mut fresh).await;
    // It had its second to finish by itself.
    assert_reset(&mut leaving).await;
    ping(&mut client).await;
    let names: Vec<String> = daemon
        .status()
        .await
        .tunnels
        .into_iter()
        .map(|it| it.name)
        .collect();
    assert_eq!(names, ["app-db", "new", "other"]);
    assert_eq!(house.world().count("RunTask"), 1, "one bastion for all");
    drop((client, fresh));
    house.close(daemon).await;
}

#[tokio::test]
async fn a_bad_file_is_refused_whole_and_the_status_says_so_until_a_good_one_comes() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    let mut client = daemon.served().await;
    house.rewrite(&Terms {
        tunnel: "keepalive = \"neve\"",
        more: metrics(),
        ..Terms::default()
    });
    let Err(Error::Refused(refusal)) = daemon.client.reload().await else {
        panic!("a bad file is refused");
    };
    assert_eq!(refusal.code, "config_wrong");
    assert!(
        refusal
            .detail
            .contains("`keepalive` in [[tunnel]] \"app-db\": `neve` is none"),
        "{}",
        refusal.detail
    );
    let status = daemon.status().await;
    assert_eq!(status.tunnels.len(), 1, "the good part of it neither");
    assert_eq!(status.problems[0].code, "config_wrong");
    ping(&mut client).await;

    house.rewrite(&terms(metrics()));
    assert_eq!(reload(&daemon).await.added, ["metrics"]);
    assert!(daemon.status().await.healthy);
    drop(client);
    house.close(daemon).await;
}

#[tokio::test]
async fn a_bastion_of_other_settings_takes_the_task_over() {
    let house = House::new().await;
    let daemon = house.daemon(&Terms::default()).await;
    let mut client = daemon.served().await;
    house.rewrite(&Terms {
        bastion: "idle_stop = \"20m\"",
        ..Terms::default()
    });
    assert_eq!(reload(&daemon).await.changed, ["app-db"]);
    let mut fresh = daemon.served().await;
    assert_reset(&mut client).await;
    ping(&mut fresh).await;
    assert_eq!(house.world().count("RunTask"), 1);
    assert_eq!(house.world().count("StopTask"), 0);
    drop(fresh);
    house.close(daemon).await;
}

#[tokio::test]
async fn the_file_is_read_again_when_it_changes_if_that_is_wished_for() {
    let wished = |more: String| Terms {
        first: "reload_on_change = true".to_owned(),
        ..terms(more)
    };
    let house = House::new().await;
    let daemon = house.daemon(&wished(String::new())).await;
    // Its first look tells the daemon how the file was.
    crate::support::pass(std::time::Duration::from_secs(3)).await;
    house.rewrite(&wished(metrics()));
    let has_both = daemon.until("the new tunnel", |status| status.tunnels.len() == 2);
    within("it is read", has_both).await;
    house.close(daemon).await;
}
