//! One link after another.

use super::pair::Pair;
use super::solo::{PSH, Solo, millis, seconds, smux};
use crate::proto::message::{Kind, PayloadType};
use crate::proto::{AgentProfile, Event, Failure, Resend};
use std::collections::BTreeSet;

#[test]
fn nothing_is_sent_without_a_link_and_all_that_is_unacknowledged_with_the_next() {
    let mut solo = Solo::ready();
    let stream = solo.session.open();
    solo.session.write(stream, vec![7; 3000].into());
    let sent = solo.sent_numbers();
    solo.session.handle_disconnected(solo.now);
    solo.session.write(stream, b"meanwhile"[..].into());
    assert!(solo.pass(seconds(600)).is_empty());
    assert_eq!(solo.events(), [], "no link, no silence");
    solo.session.handle_connected(solo.now);
    let again = solo.sent_numbers();
    assert_eq!(again[..sent.len()], sent);
    assert_eq!(again.len(), sent.len() + 1, "and then what is new");
}

#[test]
fn no_second_handshake_on_a_new_link() {
    let mut solo = Solo::ready();
    solo.session.handle_disconnected(solo.now);
    solo.session.handle_connected(solo.now);
    let sent = solo.pass(seconds(60));
    assert!(
        sent.iter()
            .all(|(_, message)| message.kind == Kind::Acknowledge),
        "{sent:?}"
    );
}

#[test]
fn at_most_256_messages_go_in_the_first_round_trip_of_a_new_link() {
    let mut solo = Solo::with(|options| options.window = 2000..=2000)
        .shake_hands("3.3.987.0")
        .settled();
    let stream = solo.session.open();
    solo.session.write(stream, vec![7; 1024 * 1024].into());
    assert!(solo.sent().len() > 1000);
    solo.session.handle_disconnected(solo.now);
    solo.session.handle_connected(solo.now);
    let trip = solo
        .session
        .stats(solo.now)
        .rtt
        .expect("measured by the handshake");
    let times: Vec<_> = solo
        .pass(seconds(1))
        .into_iter()
        .filter(|(_, message)| message.kind == Kind::InputStreamData)
        .map(|(at, _)| at)
        .collect();
    assert_eq!(times.iter().filter(|at| **at < trip).count(), 256);
    assert!(times.windows(257).all(|span| span[256] - span[0] >= trip));
}

#[test]
fn message_whose_acknowledgement_was_lost_with_the_link_is_not_delivered_twice() {
    let mut solo = Solo::ready();
    let stream = solo.session.open();
    let frame = solo.frame(2, PayloadType::Output, &smux(PSH, 3, b"once"));
    solo.feed(frame.clone());
    solo.session.handle_disconnected(solo.now);
    solo.session.handle_connected(solo.now);
    solo.sent();
    solo.feed(frame);
    assert_eq!(solo.acked(), [2]);
    let read: Vec<u8> = std::iter::from_fn(|| solo.session.read(stream))
        .flatten()
        .collect();
    assert_eq!(read, b"once");
}

#[test]
fn acknowledgements_sent_shortly_before_a_loss_are_sent_again() {
    let mut solo = Solo::ready();
    solo.pass(seconds(300));
    for number in 2..6 {
        solo.data(number, PayloadType::Other(99), b"");
    }
    solo.sent();
    solo.pass(seconds(3));
    solo.session.handle_disconnected(solo.now);
    solo.session.handle_connected(solo.now);
    assert_eq!(solo.acked(), [2, 3, 4, 5]);
}

#[test]
fn bytes_lost_at_the_drop_both_ways_come_with_the_next_link() {
    for resend in [Resend::FrontOnly, Resend::All] {
        let mut pair = Pair::new(
            9,
            AgentProfile {
                resend,
                ..AgentProfile::quick()
            },
            |_| {},
        );
        let stream = pair.client.open();
        pair.run(seconds(1), |_| {}, |pair| !pair.at_agent.opened.is_empty());
        pair.client.write(stream, vec![1; 30_000].into());
        pair.agent.write(stream, vec![2; 30_000].into());
        pair.pass(millis(5));
        assert_eq!(
            (pair.at_client.bytes.len(), pair.at_agent.bytes.len()),
            (0, 0),
            "all is on its way"
        );
        pair.cut();
        pair.pass(seconds(10));
        assert_eq!(pair.at_client.bytes[&stream], vec![2; 30_000]);
        assert_eq!(pair.at_agent.bytes[&stream], vec![1; 30_000]);
    }
}

#[test]
fn agent_of_the_reference_repairs_ten_messages_a_second() {
    let mut pair = Pair::new(
        10,
        AgentProfile {
            pace: None,
            ..AgentProfile::default()
        },
        |_| {},
    );
    let stream = pair.client.open();
    pair.run(seconds(1), |_| {}, |pair| !pair.at_agent.opened.is_empty());
    pair.weather.loss = 1.0;
    pair.agent.write(stream, vec![2; 30 * 1016].into());
    pair.pass(millis(50));
    pair.weather.loss = 0.0;
    let before = pair.elapsed();
    assert!(pair.run(seconds(20), |_| {}, |pair| pair.agent.is_drained()));
    let took = pair.elapsed() - before;
    assert!(
        took > seconds(2) && took < seconds(5),
        "{took:?} for 31 messages"
    );
}

#[test]
fn silence_of_30_s_asks_for_a_new_link_and_60_s_more_end_the_session() {
    let mut solo = Solo::ready();
    solo.session.open();
    solo.pass(millis(29_999));
    assert_eq!(solo.events(), []);
    solo.pass(seconds(100));
    assert_eq!(solo.events(), [Event::Unresponsive], "once a link");
    solo.session.handle_disconnected(solo.now);
    solo.session.handle_connected(solo.now);
    solo.pass(millis(59_999));
    assert_eq!(solo.events(), []);
    solo.pass(seconds(100));
    assert_eq!(solo.events(), [Event::Failed(Failure::Unresponsive)]);
}

#[test]
fn one_acknowledgement_ends_the_suspicion() {
    let mut solo = Solo::ready();
    solo.session.open();
    solo.pass(seconds(31));
    solo.events();
    solo.session.handle_disconnected(solo.now);
    solo.session.handle_connected(solo.now);
    solo.pass(seconds(50));
    solo.ack(1);
    let stream = solo.session.open();
    solo.pass(seconds(29));
    assert_eq!(solo.events(), []);
    solo.session.write(stream, b"more"[..].into());
    solo.pass(seconds(2));
    assert_eq!(solo.events(), [Event::Unresponsive]);
}

#[test]
fn idle_session_is_never_suspected() {
    let mut solo = Solo::ready();
    solo.pass(seconds(3600));
    assert_eq!(solo.events(), []);
}

#[test]
fn links_that_drop_again_and_again_lose_nothing() {
    let mut pair = Pair::new(12, AgentProfile::quick(), |_| {});
    let stream = pair.client.open();
    pair.cuts = (20..2000).step_by(40).collect();
    pair.client.write(stream, vec![1; 50_000].into());
    assert!(pair.run(
        seconds(60),
        |_| {},
        |pair| pair.client.is_drained() && pair.at_agent.opened.len() == 1
    ));
    assert_eq!(pair.at_agent.bytes[&stream].len(), 50_000);
    let ready = pair
        .at_client
        .others
        .iter()
        .filter(|event| matches!(event, Event::Ready { .. }));
    assert_eq!(ready.count(), 1);
}

#[test]
fn sessions_of_one_seed_make_the_same_ids_and_no_id_twice() {
    let ids = || {
        let mut solo = Solo::ready();
        let stream = solo.session.open();
        solo.session.write(stream, vec![7; 50_000].into());
        solo.sent_data()
            .iter()
            .map(|message| message.id)
            .collect::<Vec<_>>()
    };
    let first = ids();
    assert_eq!(first, ids());
    assert_eq!(BTreeSet::from_iter(&first).len(), first.len());
}

#[test]
fn outage_is_no_sample_of_the_round_trip() {
    let mut solo = Solo::with(|options| options.window = 2000..=2000)
        .shake_hands("3.3.987.0")
        .settled();
    let stream = solo.session.open();
    solo.session.write(stream, vec![7; 400 * 1024].into());
    let last = solo.sent_numbers().pop().expect("much");
    let before = solo.session.stats(solo.now).rtt.expect("measured");
    solo.session.handle_disconnected(solo.now);
    solo.now += seconds(300);
    solo.session.handle_connected(solo.now);
    let again = solo.sent_numbers();
    assert!(!again.contains(&last), "its turn has not come");
    solo.ack(last);
    assert_eq!(solo.session.stats(solo.now).rtt, Some(before));
}

#[test]
fn silence_begins_anew_when_the_owner_could_not_read() {
    let mut solo = Solo::ready();
    solo.session.excuse_silence(solo.now);
    assert!(solo.pass(seconds(60)).is_empty(), "nothing is awaited");
    solo.session.open();
    solo.pass(seconds(29));
    solo.session.excuse_silence(solo.now);
    solo.pass(seconds(29));
    assert_eq!(solo.events(), []);
    solo.pass(seconds(2));
    assert_eq!(solo.events(), [Event::Unresponsive]);
    solo.session.handle_disconnected(solo.now);
    solo.session.excuse_silence(solo.now);
    assert!(solo.pass(seconds(600)).is_empty(), "no link, no silence");
    assert_eq!(solo.events(), []);
}
