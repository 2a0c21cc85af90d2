//! On instances and hybrid nodes: the session documents of SSM.

use bastiond::sim::{ManagedNode, Script};

use super::between_pipes;
use super::terminal::Terminal;
use crate::support::House;

const NODE: &str = "i-0123456789abcdef0";

async fn house_with_node() -> House {
    let node = ManagedNode {
        id: NODE.to_owned(),
        connected: true,
        ..ManagedNode::default()
    };
    House::with(Script {
        managed_nodes: vec![node],
        ..Script::fast()
    })
    .await
}

#[tokio::test]
async fn the_accounts_own_shell_is_the_default() {
    let house = house_with_node().await;
    let mut terminal = Terminal::open(&house, &[NODE]).await;
    terminal.expect("$ ").await;
    terminal.send("echo he''llo\r").await;
    terminal.expect("hello\r\n").await;
    terminal.send("exit 3\r").await;
    // Its protocol has no place for a status; that it ended is what we know.
    terminal.ends(0).await;
    let call = house.world().calls("StartSession").remove(0);
    assert!(call.body["DocumentName"].is_null());
    assert_eq!(call.body["Target"], NODE);
    house.sweep_beside().await;
}

#[tokio::test]
async fn a_command_on_a_terminal_tells_its_status() {
    let house = house_with_node().await;
    let words = [NODE, "--", "sh", "-c", "echo hello; exit 3"];
    let mut terminal = Terminal::open(&house, &words).await;
    terminal.expect("hello\r\n").await;
    terminal.ends(3).await;
    let call = house.world().calls("StartSession").remove(0);
    assert_eq!(call.body["DocumentName"], "AWS-StartInteractiveCommand");
    house.sweep_beside().await;
}

#[tokio::test]
async fn both_outputs_and_the_status_of_a_command_without_input_are_told_apart() {
    let house = house_with_node().await;
    let words = [NODE, "--", "sh", "-c", "echo out; echo err >&2; exit 3"];
    let ended = between_pipes(&house, &words, None).await;
    assert_eq!(ended.status, Some(3));
    assert_eq!(
        (ended.stdout.as_slice(), ended.stderr.as_str()),
        (&b"out\n"[..], "err\n")
    );
    let call = house.world().calls("StartSession").remove(0);
    assert_eq!(call.body["DocumentName"], "AWS-StartNonInteractiveCommand");
    house.sweep_beside().await;
}

#[tokio::test]
async fn why_a_command_could_not_be_started_is_told_though_it_comes_after_the_status() {
    let house = house_with_node().await;
    let ended = between_pipes(&house, &[NODE, "--", "no-such-program"], None).await;
    assert_eq!(ended.status, Some(1));
    assert!(
        ended.stderr.contains("exec: no-such-program: No such file"),
        "{}",
        ended.stderr
    );
    house.sweep_beside().await;
}

#[tokio::test]
async fn a_command_that_fails_without_a_word_ends_with_its_session() {
    let house = house_with_node().await;
    let ended = between_pipes(&house, &[NODE, "--", "false"], None).await;
    assert_eq!((ended.status, ended.stderr.as_str()), (Some(1), ""));
    assert_eq!(house.world().sessions()[0].terminate_flags, 0);
    assert_eq!(house.world().count("TerminateSession"), 0);
    house.sweep_beside().await;
}

#[tokio::test]
async fn a_command_with_input_is_binary_safe_on_a_node_too() {
    let house = house_with_node().await;
    let sent = crate::support::pattern(100_000, 7);
    let ended = between_pipes(&house, &[NODE, "--", "cat"], Some(&sent)).await;
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    assert!(ended.stdout == sent, "{} bytes came", ended.stdout.len());
    house.sweep_beside().await;
}

#[tokio::test]
async fn a_document_is_started_with_its_parameters() {
    let house = house_with_node().await;
    let document = "AWS-StartNonInteractiveCommand";
    let words = [
        NODE,
        "--document",
        document,
        "--parameter",
        "command=echo a=b",
    ];
    let ended = between_pipes(&house, &words, None).await;
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    assert_eq!(ended.stdout, b"a=b\n");
    let call = house.world().calls("StartSession").remove(0);
    assert_eq!(call.body["Parameters"]["command"][0], "echo a=b");
    house.sweep_beside().await;
}
