//! Without a terminal: a command in a container as part of a pipeline.

use std::process::Stdio;
use std::time::Duration;

use bastiond::sim::{Cut, End, Script};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};

use super::{between_pipes, house_with_task, start};
use crate::support::{pattern, until, within};

#[tokio::test]
async fn what_a_command_writes_comes_byte_by_byte() {
    let (house, task) = house_with_task(Script::fast()).await;
    let sent = pattern(300_000, 7);
    let file = house.folder.path().join("bytes");
    std::fs::write(&file, &sent).expect("written");
    let words = [&task, "--", "cat", file.to_str().expect("text")];
    let cat = between_pipes(&house, &words, None).await;
    assert_eq!((cat.status, cat.stderr.as_str()), (Some(0), ""));
    assert!(cat.stdout == sent, "{} bytes came", cat.stdout.len());
    house.sweep_beside().await;
}

#[tokio::test]
async fn standard_input_is_sent_to_its_end_byte_by_byte() {
    let (house, task) = house_with_task(Script::fast()).await;
    let sent = pattern(300_000, 7);
    let cat = between_pipes(&house, &[&task, "--", "cat"], Some(&sent)).await;
    assert_eq!((cat.status, cat.stderr.as_str()), (Some(0), ""));
    assert!(cat.stdout == sent, "{} bytes came", cat.stdout.len());
    let empty = between_pipes(&house, &[&task, "--", "wc", "-c"], Some(b"")).await;
    assert_eq!(String::from_utf8_lossy(&empty.stdout).trim(), "0");
    house.sweep_beside().await;
}

#[tokio::test]
async fn an_archive_made_there_is_listed_here() {
    let (house, task) = house_with_task(Script::fast()).await;
    let folder = house.folder.path().join("made there");
    std::fs::create_dir(&folder).expect("a folder");
    std::fs::write(folder.join("a file"), pattern(70_000, 7)).expect("written");
    let around = house.folder.path().to_str().expect("text");
    let words = [&task, "--", "tar", "-c", "-C", around, "made there"];
    let mut tar = start(&house, &words);
    let made: Stdio = tar
        .stdout
        .take()
        .expect("piped")
        .try_into()
        .expect("a pipe");
    let list = tokio::process::Command::new("tar")
        .arg("-t")
        .stdin(made)
        .output();
    let list = within("it is listed", list).await.expect("tar");
    assert_eq!(tar.wait().await.expect("an end").code(), Some(0));
    let names = String::from_utf8(list.stdout).expect("text");
    assert_eq!(names, "made there/\nmade there/a file\n");
    house.sweep_beside().await;
}

#[tokio::test]
async fn the_commands_status_is_ours() {
    let (house, task) = house_with_task(Script::fast()).await;
    for (words, stdin, status) in [
        (&["sh", "-c", "exit 3"][..], None, 3),
        (&["sh", "-c", "exit 3"][..], Some(&b"some input"[..]), 3),
        (&["true"][..], None, 0),
        (&["no-such-program"][..], None, 127),
        (&["sh", "-c", "kill -9 $$"][..], None, 137),
    ] {
        let words = [&[task.as_str(), "--"], words].concat();
        let ended = between_pipes(&house, &words, stdin).await;
        assert_eq!(ended.status, Some(status), "{words:?}: {}", ended.stderr);
    }
    until(house.world(), "every session has ended", |world| {
        world.active_sessions().is_empty()
    })
    .await;
    house.sweep_beside().await;
}

#[tokio::test]
async fn words_reach_the_command_as_they_were_given() {
    let (house, task) = house_with_task(Script::fast()).await;
    let words = [
        task.as_str(),
        "--",
        "printf",
        "%s|",
        "a b",
        "it's",
        "\"$HOME\"",
        "*",
        "",
        "żółć",
        "a\nb",
        "\\n",
    ];
    let printed = between_pipes(&house, &words, None).await;
    let said = String::from_utf8(printed.stdout).expect("text");
    assert_eq!(said, "a b|it's|\"$HOME\"|*||żółć|a\nb|\\n|");
    house.sweep_beside().await;
}

#[tokio::test]
async fn a_raw_command_is_run_as_it_stands_and_tells_no_status() {
    let (house, task) = house_with_task(Script::fast()).await;
    let words = [
        task.as_str(),
        "--raw",
        "--",
        "sh",
        "-c",
        "echo hello; exit 3",
    ];
    let ended = between_pipes(&house, &words, None).await;
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    assert_eq!(
        ended.stdout, b"hello\r\n",
        "as the far side's terminal writes it"
    );
    house.sweep_beside().await;
}

/// Of what a link takes with it when it is cut the agent repeats ten messages a second, and an agent whose command has
/// ended repeats for two seconds. So each cut meets the last few of a part, the command waits after each part until that has
/// come, and the last part is whole.
#[tokio::test]
async fn ten_megabytes_survive_links_that_are_cut() {
    const PART: usize = 2_500_000;
    const LAST_FEW: usize = 40_000;
    const CUTS: [Cut; 3] = [Cut::Drop, Cut::Bye, Cut::Reset];
    let (house, task) = house_with_task(Script::fast()).await;
    let sent = pattern(4 * PART, 7);
    let folder = house.folder.path();
    for (number, part) in sent.chunks(PART).enumerate() {
        std::fs::write(folder.join(format!("part-{number}")), part).expect("written");
    }
    let script = r#"for n in 0 1 2 3; do cat "$0/part-$n"; until [ -e "$0/came-$n" ]; do sleep 0.1; done; done"#;
    let words = [
        &task,
        "--",
        "sh",
        "-c",
        script,
        folder.to_str().expect("text"),
    ];
    let mut program = start(&house, &words);
    let mut stdout = program.stdout.take().expect("piped");
    let mut came = vec![0; sent.len()];
    for (number, part) in came.chunks_mut(PART).enumerate() {
        let (most, last_few) = part.split_at_mut(PART - LAST_FEW);
        let read = within("there is output", stdout.read_exact(most)).await;
        read.unwrap_or_else(|error| panic!("{error}: {:#?}", house.world().sessions()));
        if let Some(cut) = CUTS.get(number) {
            house.world().cut_links(cut);
        }
        let read = within("there is more", stdout.read_exact(last_few)).await;
        read.unwrap_or_else(|error| panic!("{error}: {:#?}", house.world().sessions()));
        std::fs::write(folder.join(format!("came-{number}")), "").expect("written");
    }
    let more = within("it ends", stdout.read_to_end(&mut came)).await;
    assert_eq!(more.expect("an end"), 0, "bytes nobody wrote");
    assert!(came == sent, "{} bytes came", came.len());
    assert!(program.wait().await.expect("an end").success());
    assert!(house.world().links().len() > CUTS.len());
    house.sweep_beside().await;
}

#[tokio::test]
async fn who_reads_no_more_ends_it() {
    let (house, task) = house_with_task(Script::fast()).await;
    let mut program = start(&house, &[&task, "--", "yes"]);
    let mut lines = BufReader::new(program.stdout.take().expect("piped")).lines();
    for _ in 0..1000 {
        let line = within("there is output", lines.next_line()).await;
        assert_eq!(line.expect("text").as_deref(), Some("y"));
    }
    drop(lines);
    let status = within("it ends", program.wait()).await.expect("an end");
    assert_eq!(status.code(), Some(141), "as SIGPIPE would have it");
    until(house.world(), "the session has ended", |world| {
        world.active_sessions().is_empty()
    })
    .await;
    house.sweep_beside().await;
}

#[tokio::test]
async fn a_slow_reader_holds_the_far_side_back_and_loses_nothing() {
    let (house, task) = house_with_task(Script::fast()).await;
    let mut program = start(&house, &[&task, "--", "seq", "1", "400000"]);
    let mut stdout = BufReader::new(program.stdout.take().expect("piped"));
    let mut line = String::new();
    within("it begins", stdout.read_line(&mut line))
        .await
        .expect("text");
    // Long enough for all buffers on the way to fill; more of it changes nothing.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let mut text = line;
    let rest = stdout.read_to_string(&mut text);
    within("there is more", rest).await.expect("text");
    let numbers: Vec<u32> = text
        .lines()
        .map(|line| line.parse().expect("a number"))
        .collect();
    assert!(numbers.iter().copied().eq(1..=400_000));
    assert!(program.wait().await.expect("an end").success());
    house.sweep_beside().await;
}

#[tokio::test]
async fn a_signal_ends_the_session_too() {
    let (house, task) = house_with_task(Script::fast()).await;
    let mut program = start(&house, &[&task, "--", "sleep", "1000"]);
    until(house.world(), "it runs", |world| {
        world.sessions().iter().any(|session| session.ready)
    })
    .await;
    let pid = program
        .id()
        .and_then(|pid| rustix::process::Pid::from_raw(pid as i32));
    rustix::process::kill_process(pid.expect("a pid"), rustix::process::Signal::TERM)
        .expect("signalled");
    let status = within("it ends", program.wait()).await.expect("an end");
    assert_eq!(status.code(), Some(128 + 15));
    until(house.world(), "the session has ended", |world| {
        world.active_sessions().is_empty()
    })
    .await;
    let ended = house.world().sessions()[0].ended.clone();
    assert!(
        matches!(ended, Some((_, End::Flag | End::Api))),
        "{ended:?}"
    );
    house.sweep_beside().await;
}
