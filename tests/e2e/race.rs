//! Several laptops and one bastion: they share a task without talking to each other.

use bastiond::sim::World;
use bastiond::status::BastionState;
use futures_util::future::join_all;
use tokio::net::TcpStream;

use crate::support::{Daemon, House, Terms, connect, ping, until};

const LAPTOPS: usize = 8;

/// A daemon, and a client that has had an answer through it.
struct Laptop {
    daemon: Daemon,
    client: TcpStream,
}

/// They start, and their users connect, all in the same moment.
async fn laptops(house: &House, terms: &Terms) -> Vec<Laptop> {
    let started = (0..LAPTOPS).map(|at| async move {
        let daemon = house.daemon_in(terms, &format!("laptop-{at}")).await;
        let address = daemon.tunnel().await.listeners[0].address.clone();
        let mut client = connect(address.parse().expect("an address")).await;
        ping(&mut client).await;
        Laptop { daemon, client }
    });
    join_all(started).await
}

fn running(world: &World) -> usize {
    let statuses = world.task_statuses();
    statuses
        .iter()
        .filter(|status| **status == "RUNNING")
        .count()
}

#[tokio::test]
async fn eight_laptops_at_once_share_one_task_and_only_the_last_to_leave_stops_it() {
    let house = House::new().await;
    let mut laptops = laptops(&house, &Terms::default()).await;
    until(house.world(), "one task is left", |world| {
        running(world) == 1
    })
    .await;
    for laptop in &mut laptops {
        ping(&mut laptop.client).await;
        assert_eq!(laptop.daemon.bastion().await.state, BastionState::Ready);
    }
    while laptops.len() > 1 {
        let leaving = laptops.remove(0);
        drop(leaving.client);
        leaving.daemon.stop().await;
        for laptop in &mut laptops {
            ping(&mut laptop.client).await;
        }
        assert_eq!(running(house.world()), 1, "{} are left", laptops.len());
    }
    let last = laptops.remove(0);
    drop(last.client);
    last.daemon.stop().await;
    until(house.world(), "no task is left", |world| {
        running(world) == 0
    })
    .await;
    house.sweep().await;
}
