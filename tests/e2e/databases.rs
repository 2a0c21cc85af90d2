//! Databases that are named by their ids: where the sessions lead, and what is said when they cannot.

use bastiond::sim::{ApiFault, DbCluster, Destination, Dial, Faults, Script};
use bastiond::status::TunnelState;

use crate::support::{Database, House, Terms, assert_reset, echo, hang_up};

/// A house whose account has the cluster `app`; every name leads to its database.
async fn house() -> House {
    let database = Database::serve(echo).await;
    let cluster = DbCluster {
        id: "app".into(),
        engine: "aurora-postgresql".into(),
        endpoint: "app.cluster-x".into(),
        port: 5433,
        ..DbCluster::default()
    };
    let script = Script {
        db_clusters: vec![cluster],
        destination: Destination::Everything(database.address),
        ..Script::fast()
    };
    House::wholly(script, database).await
}

fn terms() -> Terms {
    Terms {
        host: Some("rds-cluster:app"),
        port: "",
        ..Terms::default()
    }
}

#[tokio::test]
async fn a_session_leads_to_the_endpoint_of_the_database_that_was_named() {
    let house = house().await;
    let daemon = house.daemon(&terms()).await;
    assert_eq!(daemon.tunnel().await.remote, "rds-cluster:app");
    assert_eq!(house.world().count("DescribeDBClusters"), 0);
    let _client = daemon.served().await;
    let session = house.world().sessions().remove(0);
    assert_eq!(
        (session.host.as_str(), session.port),
        ("app.cluster-x", 5433)
    );
    let shown = daemon.is(TunnelState::Ready).await.remote;
    assert_eq!(shown, "app.cluster-x:5433 (rds-cluster:app)");
    house.close(daemon).await;
}

#[tokio::test]
async fn after_a_fail_over_the_next_session_leads_to_the_new_writer() {
    let house = house().await;
    let daemon = house.daemon(&terms()).await;
    hang_up(daemon.served().await);
    house.world().move_writer("app", "app-2.cluster-x");
    house.world().set_faults(Faults {
        dial: Dial::Refuse,
        ..Faults::default()
    });
    assert_reset(&mut daemon.connect().await).await;
    assert_reset(&mut daemon.connect().await).await;
    daemon
        .until("the session is left", |status| {
            status.tunnels[0].sessions.is_empty()
        })
        .await;
    house.world().set_faults(Faults::default());
    let _client = daemon.served().await;
    let hosts: Vec<String> = house
        .world()
        .sessions()
        .into_iter()
        .map(|s| s.host)
        .collect();
    assert_eq!(hosts, ["app.cluster-x", "app-2.cluster-x"]);
    let shown = daemon.is(TunnelState::Ready).await.remote;
    assert_eq!(shown, "app-2.cluster-x:5433 (rds-cluster:app)");
    house.close(daemon).await;
}

#[tokio::test]
async fn a_database_that_is_not_there_or_not_to_be_seen_is_told_before_a_session_is_started() {
    let house = house().await;
    let mistyped = Terms {
        host: Some("rds-cluster:apq"),
        ..terms()
    };
    let daemon = house.daemon(&mistyped).await;
    assert_reset(&mut daemon.connect().await).await;
    let problem = daemon.problem("not_found").await;
    assert_eq!(
        problem.hint.as_deref(),
        Some("did you mean `rds-cluster:app`?")
    );
    let world = house.world();
    world.fail_always("DescribeDBClusters", ApiFault::AccessDenied);
    let error = daemon.client.up("app-db").await.expect_err("refused");
    assert!(
        error.to_string().contains("rds:DescribeDBClusters"),
        "{error}"
    );
    assert_eq!(world.count("StartSession"), 0);
    house.close(daemon).await;
}

#[tokio::test]
async fn a_tunnel_that_goes_down_does_not_wait_for_the_look_up() {
    let house = house().await;
    house
        .world()
        .fail_always("DescribeDBClusters", ApiFault::Hang);
    let daemon = house.daemon(&terms()).await;
    let mut client = daemon.connect().await;
    daemon
        .until("the look-up is under way", |_| {
            house.world().count("DescribeDBClusters") == 1
        })
        .await;
    let began = std::time::Instant::now();
    daemon.client.down("app-db").await.expect("it is down");
    assert!(began.elapsed() < std::time::Duration::from_secs(8));
    assert_reset(&mut client).await;
    house.close(daemon).await;
}
