//! Acknowledging, putting in order, sending again.

use super::pair::Pair;
use super::solo::{PSH, SYN, Solo, millis, seconds, smux};
use crate::proto::AgentProfile;
use crate::proto::message::{Error, Kind, Message, PayloadType};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;
use uuid::Uuid;

#[test]
fn messages_in_order_are_acknowledged_exactly_once() {
    let mut solo = Solo::ready();
    for number in 2..10 {
        let frame = solo.frame(number, PayloadType::Output, &smux(3, 0, b""));
        let id = Message::decode(frame.clone()).expect("good").id;
        solo.feed(frame);
        let sent = solo.sent();
        assert_eq!(sent.len(), 1);
        assert_acknowledges(&sent[0], id, number);
    }
}

#[test]
fn messages_out_of_order_are_all_acknowledged_and_read_in_order() {
    let (mut solo, stream) = with_stream();
    let frame = smux(PSH, 3, b"abc");
    solo.output(4, &frame[9..]);
    solo.output(3, &frame[8..9]);
    assert_eq!(solo.acked(), [4, 3]);
    assert_eq!(solo.session.read(stream), None);
    solo.output(2, &frame[..8]);
    assert_eq!(solo.acked(), [2]);
    assert_eq!(read(&mut solo), b"abc");
}

#[test]
fn duplicate_of_a_delivered_number_is_acknowledged_again_and_not_delivered_again() {
    let (mut solo, _) = with_stream();
    let frame = solo.frame(2, PayloadType::Output, &smux(PSH, 3, b"once"));
    solo.feed(frame.clone());
    solo.feed(frame);
    assert_eq!(solo.acked(), [2, 2]);
    assert_eq!(read(&mut solo), b"once");
    assert_eq!(solo.session.stats(solo.now).duplicates, 1);
}

#[test]
fn duplicate_of_a_waiting_number_is_acknowledged_again_and_delivered_once() {
    let (mut solo, _) = with_stream();
    let frame = solo.frame(3, PayloadType::Output, b"ly once");
    solo.feed(frame.clone());
    solo.feed(frame);
    assert_eq!(solo.acked(), [3, 3]);
    let mut whole = smux(PSH, 3, b"on");
    whole[2] += 7;
    solo.output(2, &whole);
    assert_eq!(read(&mut solo), b"only once");
}

#[test]
fn early_messages_beyond_the_bound_are_left_to_be_repeated() {
    let mut solo = Solo::with(|options| options.reorder_limit = 600).shake_hands("3.3.987.0");
    let nop = smux(3, 0, b"");
    for number in [3, 4, 5, 6] {
        solo.output(number, &nop);
    }
    let late = solo.frame(7, PayloadType::Output, &nop);
    assert_eq!(
        solo.session.handle_input(late.clone(), solo.now),
        Err(Error::TooEarly(7))
    );
    assert_eq!(solo.acked(), [3, 4, 5, 6]);
    solo.output(2, &nop);
    solo.feed(late);
    assert_eq!(solo.acked(), [2, 7]);
}

#[test]
fn unacknowledged_message_is_repeated_identically_at_growing_intervals() {
    let (mut solo, stream) = with_stream();
    solo.session.write(stream, b"again"[..].into());
    let first = solo.sent();
    let frames = solo.pass(seconds(20));
    assert!(
        frames.iter().all(|(_, repeat)| *repeat == first[0]),
        "same id, number, date and bytes"
    );
    let times: Vec<Duration> = frames.iter().map(|(at, _)| *at).collect();
    let gaps: Vec<Duration> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.is_sorted() && gaps.len() > 8, "{gaps:?}");
    assert!(gaps.iter().all(|gap| *gap <= seconds(2)), "{gaps:?}");
    assert_eq!(gaps.last(), Some(&seconds(2)));
    solo.ack(first[0].sequence);
    assert!(solo.pass(seconds(20)).is_empty());
    assert!(solo.session.is_drained());
}

#[test]
fn lost_burst_is_repeated_at_once_not_one_by_one() {
    let (mut solo, stream) = with_stream();
    solo.session.write(stream, vec![7; 100 * 1000].into());
    let sent: BTreeSet<i64> = solo.sent_numbers().into_iter().collect();
    assert!(sent.len() >= 97);
    let repeats = solo.pass(millis(300));
    let repeated: BTreeSet<i64> = repeats
        .iter()
        .map(|(_, message)| message.sequence)
        .collect();
    assert_eq!(repeated, sent);
}

#[test]
fn acknowledgements_in_any_order_and_number_free_the_right_messages() {
    let (mut solo, stream) = with_stream();
    solo.session.write(stream, vec![7; 4000].into());
    let numbers = solo.sent_numbers();
    assert_eq!(numbers, [2, 3, 4, 5]);
    for number in [5, 3, 3, 999, -1, i64::MIN, i64::MAX] {
        solo.ack(number);
    }
    assert_eq!(solo.session.stats(solo.now).unacked, 2);
    let repeated: BTreeSet<i64> = solo
        .pass(millis(300))
        .iter()
        .map(|(_, message)| message.sequence)
        .collect();
    assert_eq!(repeated, BTreeSet::from([2, 4]));
    solo.ack(2);
    solo.ack(4);
    assert!(solo.session.is_drained());
}

#[test]
fn acknowledgement_that_is_not_json_is_ignored() {
    let mut solo = Solo::ready();
    let (mut other, _) = with_stream();
    let frame = other.frame(0, PayloadType::Unset, b"nonsense");
    let mut message = Message::decode(frame).expect("good");
    message.kind = Kind::Acknowledge;
    let error = solo.session.handle_input(message.encode(), solo.now);
    assert_eq!(error, Err(Error::Payload("acknowledge")));
}

#[test]
fn message_passed_by_eight_acknowledgements_is_repeated_before_its_time() {
    let (mut solo, stream) = with_stream();
    solo.session.write(stream, vec![7; 20 * 1024].into());
    let numbers = solo.sent_numbers();
    solo.now += millis(99);
    for &number in &numbers[1..8] {
        solo.ack(number);
    }
    assert!(solo.sent().is_empty(), "seven may be mere reordering");
    solo.ack(numbers[8]);
    assert_eq!(solo.sent_numbers(), numbers[..1]);
    for &number in &numbers[9..] {
        solo.ack(number);
    }
    assert!(solo.sent().is_empty(), "once in a round trip");
}

#[test]
fn acknowledgement_of_a_repeated_message_says_nothing_of_the_round_trip() {
    let (mut solo, stream) = with_stream();
    let before = solo.session.stats(solo.now).rtt;
    solo.session.write(stream, b"again"[..].into());
    solo.pass(seconds(9));
    solo.ack(2);
    assert_eq!(
        solo.session.stats(solo.now).rtt,
        before,
        "it may be for the first sending or the last"
    );
}

#[test]
fn path_slower_than_the_first_timeout_is_measured_and_then_nothing_is_repeated() {
    for one_way in [130, 300, 900] {
        let mut pair = Pair::new(1, AgentProfile::quick(), |_| {});
        pair.weather.delay = millis(one_way);
        let stream = pair.client.open();
        let mut resent = Vec::new();
        for _ in 0..20 {
            pair.client.write(stream, vec![7; 100_000].into());
            pair.pass(seconds(10));
            resent.push(pair.client.stats(pair.now).resent);
        }
        let stats = pair.client.stats(pair.now);
        let trip = stats.rtt.expect("measured");
        assert!(
            trip.abs_diff(millis(2 * one_way)) < millis(one_way),
            "{trip:?}"
        );
        assert_eq!(resent[10], resent[19], "{one_way} ms: {resent:?}");
        assert!(stats.window > 100, "{one_way} ms: {}", stats.window);
    }
}

#[test]
fn loss_that_acknowledgements_prove_halves_the_window() {
    let (mut solo, stream) = with_stream();
    solo.session.write(stream, vec![7; 20 * 1024].into());
    let numbers = solo.sent_numbers();
    let before = solo.session.stats(solo.now).window;
    solo.now += millis(99);
    for &number in &numbers[1..9] {
        solo.ack(number);
    }
    assert_eq!(solo.session.stats(solo.now).window, before / 2);
}

#[test]
fn message_that_is_never_acknowledged_holds_up_neither_memory_nor_time() {
    let mut solo = Solo::linked().shake_hands("3.1.1732.0");
    let stream = solo.session.open();
    solo.pass(seconds(60));
    solo.ack(2);
    for _ in 0..20_000 {
        solo.session.write(stream, vec![7; 1000].into());
        for number in solo.sent_numbers() {
            if number != 1 {
                solo.ack(number);
            }
        }
    }
    let resent = solo.session.stats(solo.now).resent;
    let repeats = solo.pass(seconds(5));
    assert_eq!(repeats.len(), 5, "one a second, though passed by many");
    assert_eq!(solo.session.stats(solo.now).resent, resent + 5);
    assert_eq!(solo.session.stats(solo.now).unacked, 1);
}

#[test]
fn message_repeated_at_leisure_is_no_silence_and_asks_for_no_probes() {
    let mut solo = Solo::with(|options| options.keepalive = None).shake_hands("3.1.1732.0");
    solo.session.open();
    let mut probes = BTreeSet::new();
    for _ in 0..600 {
        for (_, message) in solo.pass(seconds(1)) {
            if message.kind == Kind::InputStreamData && message.sequence > 1 {
                probes.insert(message.sequence);
                solo.ack(message.sequence);
            }
        }
    }
    assert_eq!(probes, BTreeSet::from([2]));
    assert_eq!(solo.events(), []);
}

#[test]
fn agent_that_ignores_duplicates_does_not_wedge_the_session() {
    let mut solo = Solo::with(|options| options.window = 1..=1)
        .shake_hands("3.1.1732.0")
        .settled();
    let stream = solo.session.open();
    assert_eq!(solo.sent_numbers(), [1]);
    solo.pass(seconds(10));
    let repeats = solo.pass(seconds(5));
    assert_eq!(
        repeats
            .iter()
            .filter(|(_, message)| message.sequence == 1)
            .count(),
        5,
        "one a second"
    );
    for _ in 0..100 {
        solo.session.write(stream, vec![7; 1000].into());
        for number in solo
            .sent_numbers()
            .into_iter()
            .filter(|&number| number != 1)
        {
            solo.ack(number);
        }
    }
    let stats = solo.session.stats(solo.now);
    assert_eq!(
        (stats.unacked, stats.unsent_bytes),
        (1, 0),
        "others pass it"
    );
}

#[test]
fn old_agent_that_missed_one_acknowledgement_is_not_taken_for_dead() {
    let mut solo = Solo::linked().shake_hands("3.1.1732.0");
    solo.session.open();
    for _ in 0..200 {
        for (_, message) in solo.pass(seconds(1)) {
            if message.kind == Kind::InputStreamData && message.sequence > 1 {
                solo.ack(message.sequence);
            }
        }
    }
    assert_eq!(solo.events(), []);
}

fn assert_acknowledges(ack: &Message, id: Uuid, number: i64) {
    assert_eq!(
        (ack.kind, ack.sequence, ack.flags),
        (Kind::Acknowledge, 0, 3)
    );
    let expected = json!({
        "AcknowledgedMessageType": "output_stream_data",
        "AcknowledgedMessageId": id.to_string(),
        "AcknowledgedMessageSequenceNumber": number,
        "IsSequentialMessage": true,
    });
    assert_eq!(
        serde_json::from_slice::<Value>(&ack.payload).expect("JSON"),
        expected
    );
}

/// A ready client with stream 3 open and acknowledged: the next numbers are 2 both ways.
fn with_stream() -> (Solo, crate::proto::StreamId) {
    let mut solo = Solo::ready();
    let stream = solo.session.open();
    let sent = solo.sent_data();
    assert_eq!(sent[0].payload, smux(SYN, 3, b""));
    solo.ack(1);
    (solo, stream)
}

fn read(solo: &mut Solo) -> Vec<u8> {
    let stream = crate::proto::StreamId(3);
    std::iter::from_fn(|| solo.session.read(stream))
        .flatten()
        .collect()
}
