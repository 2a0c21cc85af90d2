//! Messages that do nothing, and hours without any.

use super::pair::Pair;
use super::solo::{NOP, Solo, seconds, smux};
use crate::proto::message::Kind;
use crate::proto::{AgentProfile, Event, Failure};
use std::time::Duration;

#[test]
fn nop_goes_every_five_minutes_while_a_stream_is_open() {
    let mut solo = Solo::ready();
    let stream = solo.session.open();
    let opened = solo.sent_numbers();
    opened.into_iter().for_each(|number| solo.ack(number));
    let times = nops_of_an_hour(&mut solo);
    assert_eq!(
        times,
        (1..=12)
            .map(|count| seconds(300 * count))
            .collect::<Vec<_>>()
    );
    solo.session.finish(stream);
    let closing = solo.sent_numbers();
    closing.into_iter().for_each(|number| solo.ack(number));
    assert!(nops_of_an_hour(&mut solo).is_empty());
    assert_eq!(solo.events(), []);
}

#[test]
fn keepalive_of_never_sends_no_input_for_an_hour_and_wakes_nobody() {
    let mut solo = Solo::with(|options| options.keepalive = None)
        .shake_hands("3.3.987.0")
        .settled();
    solo.session.open();
    let opened = solo.sent_numbers();
    opened.into_iter().for_each(|number| solo.ack(number));
    assert_eq!(
        solo.session
            .next_timer()
            .filter(|&(_, at)| at > solo.now + seconds(1)),
        None
    );
    assert!(solo.pass(seconds(3600)).is_empty());
    assert_eq!(solo.session.next_timer(), None);
}

#[test]
fn data_postpones_the_nop() {
    let mut solo = Solo::ready();
    let stream = solo.session.open();
    for _ in 0..10 {
        solo.session.write(stream, b"tick"[..].into());
        for (_, message) in solo.pass(seconds(299)) {
            assert_ne!(message.payload, smux(NOP, 0, b""));
            solo.ack(message.sequence);
        }
    }
}

#[test]
fn old_agents_get_a_frame_every_25_s_whatever_the_setting() {
    for (version, expected) in [("3.1.1511.0", 144), ("3.1.1446.0", 0), ("3.1.1575.0", 0)] {
        let mut solo = Solo::with(|options| options.keepalive = None).shake_hands(version);
        let times = nops_of_an_hour(&mut solo);
        assert_eq!(times.len(), expected, "{version}");
        assert!(
            times
                .windows(2)
                .all(|pair| pair[1] - pair[0] <= seconds(25))
        );
    }
}

#[test]
fn old_agent_that_cuts_silent_sessions_does_not_cut_ours() {
    let mut pair = Pair::new(1, AgentProfile::release("3.1.1511.0"), |_| {});
    pair.pass(seconds(3600));
    assert_eq!(
        pair.at_agent.others.len(),
        1,
        "ready, and nothing else: {:?}",
        pair.at_agent.others
    );
}

#[test]
fn agent_with_a_keepalive_cuts_a_silent_client() {
    let profile = AgentProfile {
        mux_keepalive: Some(seconds(30)),
        ..AgentProfile::default()
    };
    let mut pair = Pair::new(1, profile, |_| {});
    pair.pass(seconds(31));
    assert_eq!(
        pair.at_agent.others.last(),
        Some(&Event::Failed(Failure::MuxSilent))
    );
}

#[test]
fn agent_with_a_keepalive_says_every_10_s_that_it_is_there() {
    let mut pair = Pair::new(1, AgentProfile::release("3.1.1511.0"), |_| {});
    pair.pass(seconds(5));
    let before = pair.client.stats(pair.now).messages_received;
    pair.pass(seconds(60));
    assert_eq!(pair.client.stats(pair.now).messages_received, before + 6);
}

#[test]
fn agent_has_the_keepalive_for_an_old_client_too() {
    for (version, cut) in [("1.2.331.0", true), ("1.2.332.0", false)] {
        let mut pair = Pair::new(1, AgentProfile::default(), |options| {
            options.client_version = version.to_owned();
        });
        pair.pass(seconds(61));
        let failed = Event::Failed(Failure::MuxSilent);
        assert_eq!(pair.at_agent.others.contains(&failed), cut, "{version}");
    }
}

#[test]
fn idle_hour_of_a_pair_takes_no_frames_without_streams() {
    let mut pair = Pair::new(1, AgentProfile::default(), |_| {});
    pair.pass(seconds(10));
    let before = pair.frames;
    pair.pass(seconds(3600));
    assert_eq!(pair.frames, before);
}

/// When the client sent a NOP, each acknowledged; there must be nothing else.
fn nops_of_an_hour(solo: &mut Solo) -> Vec<Duration> {
    let mut times = Vec::new();
    for second in 1..=3600 {
        for (_, message) in solo.pass(seconds(1)) {
            assert_eq!(
                (message.kind, &message.payload[..]),
                (Kind::InputStreamData, &smux(NOP, 0, b"")[..])
            );
            solo.ack(message.sequence);
            times.push(seconds(second));
        }
        for message in solo.sent_data() {
            assert_eq!(message.payload, smux(NOP, 0, b""));
            solo.ack(message.sequence);
            times.push(seconds(second));
        }
    }
    times
}
