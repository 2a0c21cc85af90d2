//! A true PostgreSQL and its own clients through the whole tunnel.
//!
//! They need PostgreSQL's programs; see `programs`.

#[path = "../support/programs.rs"]
mod programs;
mod server;
mod tunnel;
#[cfg(target_os = "linux")]
mod walkthrough;

use std::{fmt::Write as _, net::SocketAddr, path::Path, time::Duration};

use bastiond::sim::{Cut, Script};
use sha2::{Digest, Sha256};
use tokio::time::{sleep, timeout};

use server::{Server, is_installed};
use tunnel::{LIMIT, Tunnel, client, finish, psql, said};

#[tokio::test(flavor = "multi_thread")]
async fn psql_starts_the_bastion_and_gets_its_answer() {
    if !is_installed() {
        return;
    }
    let server = Server::start();
    let tunnel = Tunnel::to(server.address, Script::fast()).await;
    assert_eq!(tunnel.world().count("RunTask"), 0);
    assert_eq!(
        said(psql(tunnel.address, &["select 6 * 7", "select 'ä'"])).await,
        "42\nä\n"
    );
    assert_eq!(tunnel.world().count("RunTask"), 1);
    tunnel.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pgbench_runs_ten_clients_in_one_session() {
    if !is_installed() {
        return;
    }
    let server = Server::start();
    let tunnel = Tunnel::to(server.address, Script::fast()).await;
    let mut fill = client("pgbench", tunnel.address);
    fill.args(["-i", "-q"]);
    said(fill).await;

    let mut bench = client("pgbench", tunnel.address);
    bench.args(["-S", "-n", "-c", "10", "-j", "2", "-t", "200"]);
    let report = said(bench).await;
    assert!(report.contains("processed: 2000/2000"), "{report}");
    assert!(
        report.contains("number of failed transactions: 0 "),
        "{report}"
    );
    assert_eq!(tunnel.world().count("StartSession"), 1);
    tunnel.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_megabytes_are_copied_each_way() {
    if !is_installed() {
        return;
    }
    let server = Server::start();
    let tunnel = Tunnel::to(server.address, Script::fast()).await;
    let folder = tempfile::tempdir().unwrap();
    let [original, stored, returned] =
        ["original", "stored", "returned"].map(|name| folder.path().join(name));
    std::fs::write(&original, lines(50_000_000)).unwrap();

    said(psql(server.address, &["create table copied (line text)"])).await;
    copy(tunnel.address, "from", &original).await;
    copy(server.address, "to", &stored).await;
    assert_eq!(hash(&stored), hash(&original), "what went up");
    copy(tunnel.address, "to", &returned).await;
    assert_eq!(hash(&returned), hash(&original), "what came down");
    tunnel.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_survives_a_websocket_drop() {
    if !is_installed() {
        return;
    }
    let server = Server::start();
    let tunnel = Tunnel::to(server.address, Script::fast()).await;
    let backend = "select pg_backend_pid()";
    let sleeping = psql(
        tunnel.address,
        &[backend, "select 'slept' from pg_sleep(2)", backend],
    );
    let answer = tokio::spawn(said(sleeping));
    until_asleep(server.address).await;
    tunnel.world().cut_links(&Cut::Reset);

    let answer = answer.await.unwrap();
    let [before, slept, after] = *answer.lines().collect::<Vec<_>>() else {
        panic!("three answers, not {answer:?}");
    };
    assert_eq!((slept, before), ("slept", after));
    assert_eq!(tunnel.world().count("ResumeSession"), 1);
    assert_eq!(tunnel.world().count("StartSession"), 1);
    tunnel.end().await;
}

/// Every transaction changes three balances by one amount and writes it down, so the sums say whether one was lost,
/// halved or done twice. `BASTIOND_CHAOS=5m` makes it longer.
#[tokio::test(flavor = "multi_thread")]
async fn transactions_go_on_through_a_websocket_drop_every_second_and_the_books_balance() {
    if !is_installed() {
        return;
    }
    let length = std::env::var("BASTIOND_CHAOS").map_or(DROPPING, |text| {
        humantime::parse_duration(&text).expect("a length of time")
    });
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let server = Server::start();
    let tunnel = Tunnel::to(server.address, Script::fast()).await;
    let mut fill = client("pgbench", server.address);
    fill.args(["-i", "-q"]);
    said(fill).await;

    let mut bench = client("pgbench", tunnel.address);
    let seconds = length.as_secs().to_string();
    bench.args(["-n", "-c", "4", "-j", "2", "-T", &seconds]);
    let drops = async {
        let mut rng = fastrand::Rng::with_seed(seed);
        loop {
            sleep(Duration::from_millis(rng.u64(600..1800))).await;
            tunnel.world().cut_links(&cut(&mut rng));
        }
    };
    let report = tokio::select! {
        output = timeout(length + LIMIT, bench.output()) => output,
        () = drops => unreachable!("links are dropped without end"),
    };
    let report = report.expect("it ends in time").expect("it runs");
    let words = String::from_utf8_lossy(&report.stdout);
    let errors = String::from_utf8_lossy(&report.stderr);
    assert!(report.status.success(), "{errors}");
    assert!(
        words.contains("number of failed transactions: 0 "),
        "{words}"
    );
    assert!(!errors.contains("error"), "{errors}");
    balance(server.address, &words).await;
    let world = tunnel.world();
    assert!(world.count("ResumeSession") as u64 >= length.as_secs() / 10);
    assert_eq!(world.count("StartSession"), 1);
    println!("{words}{} resumes", world.count("ResumeSession"));
    tunnel.end().await;
}

/// What `cargo test` gives it.
const DROPPING: Duration = Duration::from_secs(20);

fn cut(rng: &mut fastrand::Rng) -> Cut {
    match rng.u32(..5) {
        0 => Cut::Bye,
        1 => Cut::Close(1001, "going away".into()),
        2 => Cut::Close(1011, String::new()),
        3 => Cut::Drop,
        _ => Cut::Reset,
    }
}

/// The sums agree, and there are as many transactions as were told to have been done.
async fn balance(server: SocketAddr, report: &str) {
    let sums = "select (select sum(abalance) from pgbench_accounts), (select sum(bbalance) from pgbench_branches), \
                (select sum(tbalance) from pgbench_tellers), (select sum(delta) from pgbench_history), \
                (select count(*) from pgbench_history)";
    let sums = said(psql(server, &[sums])).await;
    let [accounts, branches, tellers, history, count] = *sums.trim().split('|').collect::<Vec<_>>()
    else {
        panic!("five sums, not {sums:?}");
    };
    assert_eq!(
        (accounts, branches, tellers),
        (history, history, history),
        "{sums}"
    );
    let done = "number of transactions actually processed: ";
    let done = report.lines().find_map(|line| line.strip_prefix(done));
    assert_eq!(done, Some(count), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_its_task_was_killed_the_next_connection_is_served_by_a_new_one() {
    if !is_installed() {
        return;
    }
    let server = Server::start();
    let tunnel = Tunnel::to(server.address, Script::fast()).await;
    let asleep = tokio::spawn(finish(psql(tunnel.address, &["select pg_sleep(600)"])));
    until_asleep(server.address).await;
    let task = tunnel.world().tasks()[0].arn.clone();
    tunnel
        .world()
        .stop_task(&task, "UserInitiated", "killed by a test");

    let cut_off = asleep.await.unwrap();
    assert!(!cut_off.status.success(), "its connection ends");
    assert_eq!(
        said(psql(tunnel.address, &["select 'served'"])).await,
        "served\n"
    );
    assert_eq!(tunnel.world().count("RunTask"), 2);
    tunnel.end().await;
}

/// Until a query through the tunnel is under way at the server.
async fn until_asleep(server: SocketAddr) {
    let count = "select count(*) from pg_stat_activity where wait_event = 'PgSleep'";
    let asleep = async {
        while said(psql(server, &[count])).await != "1\n" {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(LIMIT, asleep).await.expect("the query is sent");
}

async fn copy(database: SocketAddr, direction: &str, file: &Path) {
    let file = file.display();
    let command = format!("\\copy copied {direction} '{file}'");
    said(psql(database, &[&command])).await;
}

/// Lines of random text, `length` bytes of them.
fn lines(length: usize) -> String {
    let mut rng = fastrand::Rng::with_seed(15);
    let mut text = String::with_capacity(length);
    while text.len() + 100 <= length {
        let [a, b, c] = [rng.u128(..), rng.u128(..), rng.u128(..)];
        writeln!(text, "{a:032x}{b:032x}{c:032x}").expect("memory can be written");
    }
    text
}

fn hash(file: &Path) -> Vec<u8> {
    Sha256::digest(std::fs::read(file).unwrap()).to_vec()
}
