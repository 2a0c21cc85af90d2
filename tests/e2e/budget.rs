//! How often AWS is called: ten tunnels over one bastion, and clients that reconnect in a loop, as pools do.

use std::net::SocketAddr;
use std::time::Duration;

use bastiond::sim::{ApiFault, Cut, World};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::support::{Daemon, House, Terms, skip};

const CLIENTS: usize = 50;
const TUNNELS: usize = 10;
const SECOND: Duration = Duration::from_secs(1);

/// The most calls in any second, and in the whole minute. The account has 3 StartSession a second, 6 of the other
/// calls about sessions, 20 of the looks at tasks and 40 of RunTask; a team shares them.
const BUDGET: [(&str, usize, usize); 8] = [
    ("StartSession", 2, 62),
    ("ResumeSession", 4, 124),
    ("TerminateSession", 4, 124),
    ("DescribeSessions", 4, 124),
    ("DescribeTasks", 4, 90),
    ("ListTasks", 6, 40),
    ("GetConnectionStatus", 4, 90),
    ("RunTask", 3, 20),
];

#[tokio::test]
async fn a_healthy_account_is_asked_once_for_all() {
    let house = House::new().await;
    let daemon = ten_tunnels(&house).await;
    let served = a_minute_of_pools(&house, &daemon, |_| {}).await;
    assert!(served > CLIENTS, "{served}");
    let count = |operation| house.world().count(operation);
    assert_eq!((count("RunTask"), count("StartSession")), (1, TUNNELS));
    within_budget(house.world());
    daemon.stop().await;
    house.sweep().await;
}

#[tokio::test]
async fn sessions_that_all_lose_their_links_time_and_again_are_resumed_in_turn() {
    let house = House::new().await;
    let daemon = ten_tunnels(&house).await;
    a_minute_of_pools(&house, &daemon, |world| world.cut_links(&Cut::Bye)).await;
    assert!(house.world().count("ResumeSession") >= TUNNELS);
    within_budget(house.world());
    daemon.stop().await;
    house.sweep().await;
}

#[tokio::test]
async fn an_account_that_fails_is_not_stormed() {
    for (operation, fault) in [
        ("RunTask", ApiFault::AccessDenied),
        ("RunTask", ApiFault::Throttle),
        ("ListTasks", ApiFault::Internal),
        ("DescribeTasks", ApiFault::Throttle),
        ("StartSession", ApiFault::AccessDenied),
        ("StartSession", ApiFault::Throttle),
        ("StartSession", ApiFault::ExpiredToken),
    ] {
        let house = House::new().await;
        house.world().fail_always(operation, fault.clone());
        let daemon = ten_tunnels(&house).await;
        a_minute_of_pools(&house, &daemon, |_| {}).await;
        assert!(house.world().count(operation) > 0, "{operation}");
        within_budget(house.world());
        daemon.stop().await;
        house.sweep().await;
    }
}

async fn ten_tunnels(house: &House) -> Daemon {
    let tunnel = |n: usize| {
        format!(
            "[[tunnel]]\nname = \"t{n}\"\nlisten = \"127.0.0.1:0\"\nbastion = \"dev\"\nhost = \"db.internal\"\nport = 5432\n"
        )
    };
    let terms = Terms {
        bastion: "max_sessions_per_container = 10",
        more: (1..TUNNELS).map(tunnel).collect(),
        pace: 1.0,
        ..Terms::default()
    };
    house.daemon(&terms).await
}

/// Lets pools reconnect for a minute that takes seconds; gives how often a client was served.
async fn a_minute_of_pools(house: &House, daemon: &Daemon, each_ten: impl Fn(&World)) -> usize {
    let mut pools = JoinSet::new();
    let tunnels = daemon.status().await.tunnels;
    for n in 0..CLIENTS {
        let address = &tunnels[n % TUNNELS].listeners[0].address;
        let address: SocketAddr = address.parse().expect("an address");
        pools.spawn(pool(address));
    }
    let started = Instant::now();
    while started.elapsed() < 60 * SECOND {
        if started.elapsed().as_secs() % 10 == 9 {
            each_ten(house.world());
        }
        skip(SECOND / 4).await;
        sleep(Duration::from_millis(10)).await;
    }
    pools.shutdown().await;
    let sessions = house.world().sessions();
    sessions.iter().map(|session| session.opened).sum()
}

/// Connects, asks, and connects again at once, whatever comes of it.
async fn pool(address: SocketAddr) {
    loop {
        if let Ok(mut client) = TcpStream::connect(address).await {
            let _ = client.write_all(b"ping").await;
            let _ = client.read_exact(&mut [0; 4]).await;
            let _ = client.set_zero_linger();
        }
        sleep(Duration::from_millis(5)).await;
    }
}

fn within_budget(world: &World) {
    for (operation, a_second, a_minute) in BUDGET {
        let times: Vec<Instant> = world.calls(operation).iter().map(|call| call.at).collect();
        let in_second = |from: &Instant| {
            let until = *from + SECOND;
            times
                .iter()
                .filter(|at| (*from..until).contains(*at))
                .count()
        };
        let most = times.iter().map(in_second).max().unwrap_or(0);
        assert!(most <= a_second, "{operation}: {most} in a second");
        assert!(
            times.len() <= a_minute,
            "{operation}: {} in all",
            times.len()
        );
    }
}
