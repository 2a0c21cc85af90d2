//! Windows, pauses, and bounds on memory.

use super::pair::Pair;
use super::solo::{Solo, millis, seconds};
use crate::proto::message::{Kind, PayloadType};
use crate::proto::{AgentProfile, StreamId};

#[test]
fn pause_holds_new_data_but_neither_acknowledgements_nor_repeats() {
    let (mut solo, stream) = busy();
    solo.session.write(stream, vec![7; 3000].into());
    let newest = solo.sent_numbers().pop();
    solo.service(Kind::PausePublication, b"");
    solo.session.write(stream, vec![7; 3000].into());
    assert!(solo.sent().is_empty());
    let repeats = solo.pass(millis(300));
    assert!(
        repeats
            .iter()
            .all(|(_, message)| Some(message.sequence) <= newest)
            && !repeats.is_empty()
    );
    solo.session.write(stream, vec![7; 3000].into());
    solo.service(Kind::StartPublication, b"");
    assert!(solo.sent_numbers().len() >= 5);
}

#[test]
fn pause_still_acknowledges_what_comes_and_ends_with_it() {
    let (mut solo, stream) = busy();
    solo.service(Kind::PausePublication, b"");
    solo.session.write(stream, vec![7; 3000].into());
    solo.data(2, PayloadType::Other(99), b"");
    let sent = solo.sent();
    assert_eq!(sent[0].kind, Kind::Acknowledge);
    assert_eq!(
        sent.len(),
        4,
        "an acknowledgement and three messages of data"
    );
}

#[test]
fn pause_ends_with_an_acknowledgement() {
    let (mut solo, stream) = busy();
    solo.service(Kind::PausePublication, b"");
    solo.session.write(stream, vec![7; 500].into());
    assert!(solo.sent().is_empty());
    solo.ack(1);
    assert_eq!(solo.sent_numbers(), [2]);
}

#[test]
fn pause_that_nobody_ends_lasts_5_s_and_halves_the_window() {
    let (mut solo, stream) = busy();
    solo.service(Kind::PausePublication, b"");
    solo.session.write(stream, vec![7; 500].into());
    let sent = solo.pass(seconds(6));
    let first = sent.iter().find(|(_, message)| message.sequence == 2);
    assert_eq!(first.map(|(at, _)| *at), Some(seconds(5)));
    assert!(solo.session.stats(solo.now).window <= 128);
}

#[test]
fn window_bounds_what_is_sent_and_room_bounds_what_is_taken() {
    let (mut solo, stream) = busy();
    solo.ack(1);
    let mut written = 0;
    for _ in 0..1000 {
        if !solo.session.can_write() {
            break;
        }
        solo.session.write(stream, vec![7; 4096].into());
        written += 4096;
        solo.sent();
    }
    assert_eq!(solo.session.stats(solo.now).unacked, 256);
    assert!(!solo.session.can_write());
    assert!(written < (256 + 64 + 8) * 1024, "{written}");
    for number in 2..20 {
        solo.ack(number);
    }
    assert!(solo.sent().len() >= 18 && solo.session.can_write());
}

#[test]
fn window_grows_while_round_trips_stay_short_and_shrinks_when_they_end() {
    let mut pair = Pair::new(3, AgentProfile::quick(), |_| {});
    let stream = pair.client.open();
    let fill = |pair: &mut Pair| {
        while pair.client.can_write() {
            pair.client.write(stream, vec![7; 16 * 1024].into());
        }
    };
    pair.run(seconds(1), fill, |_| false);
    assert_eq!(pair.client.stats(pair.now).window, 2048);
    pair.weather.loss = 1.0;
    pair.run(seconds(10), fill, |_| false);
    assert!(pair.client.stats(pair.now).window <= 64);
}

#[test]
fn agent_paces_its_data_and_sends_without_waiting_for_acknowledgements() {
    let mut pair = Pair::new(4, AgentProfile::default(), |_| {});
    let stream = pair.client.open();
    pair.run(seconds(1), |_| {}, |pair| !pair.at_agent.opened.is_empty());
    pair.agent.write(stream, vec![7; 1024 * 1024].into());
    let before = pair.elapsed();
    let done = pair.run(
        seconds(10),
        |_| {},
        |pair| received(pair, stream) == 1024 * 1024,
    );
    assert!(done);
    let took = pair.elapsed() - before;
    assert!(
        took > millis(1024) && took < millis(1100),
        "a message a millisecond, not {took:?}"
    );
}

#[test]
fn paused_agent_sends_only_acknowledgements_until_input_comes() {
    let mut pair = Pair::new(5, AgentProfile::quick(), |_| {});
    let stream = pair.client.open();
    pair.run(
        seconds(1),
        |_| {},
        |pair| pair.client.is_drained() && !pair.at_agent.opened.is_empty(),
    );
    pair.pause_agent();
    pair.agent.write(stream, vec![7; 5000].into());
    pair.pass(seconds(30));
    assert_eq!(received(&pair, stream), 0);
    pair.client.write(stream, b"wake up"[..].into());
    pair.pass(seconds(1));
    assert_eq!(received(&pair, stream), 5000);
}

#[test]
fn agent_stops_reading_when_its_bucket_is_full() {
    let profile = AgentProfile {
        receive_limit: 10_000,
        ..AgentProfile::quick()
    };
    let mut pair = Pair::new(6, profile, |_| {});
    pair.hoard = true;
    let stream = pair.client.open();
    pair.client.write(stream, vec![7; 20_000].into());
    pair.pass(seconds(1));
    assert!(!pair.agent.accepts_input());
    while pair.agent.read(stream).is_some() {}
    assert!(pair.agent.accepts_input());
}

/// A ready client with a stream whose SYN is number 1, unacknowledged.
fn busy() -> (Solo, StreamId) {
    let mut solo = Solo::ready();
    let stream = solo.session.open();
    assert_eq!(solo.sent_numbers(), [1]);
    (solo, stream)
}

fn received(pair: &Pair, stream: StreamId) -> usize {
    pair.at_client.bytes.get(&stream).map_or(0, Vec::len)
}
