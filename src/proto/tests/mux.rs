//! Streams inside the data channel.

use super::pair::Pair;
use super::solo::{FIN, NOP, PSH, SYN, Solo, seconds, smux};
use crate::proto::message::PayloadType;
use crate::proto::smux;
use crate::proto::{AgentProfile, Event, Failure, StreamId};
use bytes::Bytes;

#[test]
fn streams_are_numbered_3_5_7_and_small_frames_share_a_message() {
    let mut solo = Solo::ready();
    let streams = [(); 3].map(|()| solo.session.open());
    assert_eq!(streams.map(StreamId::number), [3, 5, 7]);
    solo.session.write(streams[0], b"hello"[..].into());
    let sent = solo.sent_data();
    let frames = [
        smux(SYN, 3, b""),
        smux(SYN, 5, b""),
        smux(SYN, 7, b""),
        smux(PSH, 3, b"hello"),
    ]
    .concat();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].payload, frames);
}

#[test]
fn frames_may_be_cut_over_messages_at_every_byte() {
    let frames = [
        smux(PSH, 3, b"first"),
        smux(NOP, 0, b""),
        smux(PSH, 3, b"second"),
        smux(FIN, 3, b""),
    ]
    .concat();
    for cut in 1..frames.len() {
        let (mut solo, stream) = with_stream();
        solo.output(2, &frames[..cut]);
        solo.output(3, &frames[cut..]);
        assert_eq!(read(&mut solo, stream), b"firstsecond", "cut at {cut}");
        assert_eq!(
            solo.events().last(),
            Some(&Event::Finished(stream)),
            "cut at {cut}"
        );
    }
}

#[test]
fn frames_of_65535_bytes_are_taken_and_ours_are_no_longer_than_32768() {
    let (mut solo, stream) = with_stream();
    solo.output(2, &smux(PSH, 3, &vec![7; 65_535]));
    assert_eq!(read(&mut solo, stream).len(), 65_535);
    solo.session.write(stream, vec![8; 100_000].into());
    let bytes: Vec<u8> = solo
        .sent_data()
        .iter()
        .flat_map(|message| message.payload.clone())
        .collect();
    let lengths: Vec<u16> = frames(&bytes).iter().map(|header| header.length).collect();
    assert_eq!(lengths, [32_768, 32_768, 32_768, 1696]);
}

#[test]
fn refusal_and_fin_without_data_is_a_connect_failure_of_that_stream_alone() {
    let (mut solo, failing) = with_stream();
    let other = solo.session.open();
    solo.output(2, &smux(PSH, other.number(), b"fine"));
    solo.data(3, PayloadType::Flag, &[0, 0, 0, 3]);
    assert_eq!(solo.events(), [Event::Readable(other)]);
    solo.output(4, &smux(FIN, failing.number(), b""));
    assert_eq!(solo.events(), [Event::Refused(failing)]);
    assert_eq!(read(&mut solo, other), b"fine");
    let stats = solo.session.stats(solo.now);
    assert_eq!(
        (stats.streams, stats.unresolved, stats.connect_failures),
        (1, 0, 1)
    );
}

#[test]
fn three_refusals_then_three_fins_are_three_failures() {
    let mut solo = Solo::ready();
    let streams = [(); 4].map(|()| solo.session.open());
    for number in 2..5 {
        solo.data(number, PayloadType::Flag, &[0, 0, 0, 3]);
    }
    for (number, stream) in (5..).zip(&streams[..3]) {
        solo.output(number, &smux(FIN, stream.number(), b""));
    }
    assert_eq!(
        solo.events(),
        streams[..3]
            .iter()
            .map(|&id| Event::Refused(id))
            .collect::<Vec<_>>()
    );
    assert_eq!(solo.session.refusals(), 0);
    solo.output(8, &smux(FIN, streams[3].number(), b""));
    assert_eq!(
        solo.events(),
        [Event::Finished(streams[3])],
        "this one was accepted and closed"
    );
}

#[test]
fn refusal_of_a_stream_that_is_gone_is_not_blamed_on_another() {
    let (mut solo, gone) = with_stream();
    solo.session.finish(gone);
    let open = solo.session.open();
    solo.data(2, PayloadType::Flag, &[0, 0, 0, 3]);
    solo.output(3, &smux(FIN, gone.number(), b""));
    solo.output(4, &smux(FIN, open.number(), b""));
    let told = [Event::Answered(gone), Event::Finished(open)];
    assert_eq!(solo.events(), told);
}

#[test]
fn refusal_that_nobody_waits_for_is_forgotten() {
    let mut solo = Solo::ready();
    solo.data(2, PayloadType::Flag, &[0, 0, 0, 3]);
    let stream = solo.session.open();
    solo.output(3, &smux(FIN, stream.number(), b""));
    assert_eq!(solo.events(), [Event::Finished(stream)]);
}

#[test]
fn data_for_a_stream_that_is_gone_says_that_no_refusal_is_its_own() {
    let (mut solo, gone) = with_stream();
    let open = solo.session.open();
    solo.session.finish(gone);
    solo.output(2, &smux(PSH, gone.number(), b"too late"));
    solo.output(3, &smux(FIN, gone.number(), b""));
    solo.data(4, PayloadType::Flag, &[0, 0, 0, 3]);
    solo.output(5, &smux(FIN, open.number(), b""));
    let told = [Event::Answered(gone), Event::Refused(open)];
    assert_eq!(solo.events(), told);

    let (mut solo, gone) = with_stream();
    solo.session.finish(gone);
    solo.data(2, PayloadType::Flag, &[0, 0, 0, 3]);
    solo.output(3, &smux(PSH, gone.number(), b"too late"));
    assert_eq!(solo.session.refusals(), 0);
}

#[test]
fn refusal_is_forgotten_when_a_first_byte_resolves_the_last_stream() {
    let (mut solo, stream) = with_stream();
    solo.data(2, PayloadType::Flag, &[0, 0, 0, 3]);
    assert_eq!(solo.session.refusals(), 1);
    solo.output(3, &smux(PSH, stream.number(), b"fine"));
    assert_eq!(solo.session.refusals(), 0);
}

#[test]
fn what_was_not_read_goes_with_its_stream() {
    let (mut solo, stream) = with_stream();
    solo.output(2, &smux(PSH, 3, b"unread"));
    assert_eq!(
        (solo.session.unread(), solo.session.unread_of(stream)),
        (6, 6)
    );
    solo.session.finish(stream);
    assert_eq!(
        (solo.session.unread(), solo.session.read(stream)),
        (0, None)
    );
}

#[test]
fn flags_that_say_nothing_are_ignored() {
    let (mut solo, stream) = with_stream();
    for (number, payload) in (2..).zip([&b""[..], b"\0\0\x03", b"\0\0\0\0\x03", b"\0\0\0\x09"]) {
        solo.data(number, PayloadType::Flag, payload);
    }
    solo.output(6, &smux(FIN, 3, b""));
    assert_eq!(solo.events(), [Event::Finished(stream)]);
}

#[test]
fn fin_after_data_leaves_all_of_it_to_be_read() {
    let (mut solo, stream) = with_stream();
    solo.output(
        2,
        &[
            smux(PSH, 3, b"last words"),
            smux(FIN, 3, b""),
            smux(PSH, 3, b"ghost"),
        ]
        .concat(),
    );
    assert_eq!(
        solo.events(),
        [Event::Readable(stream), Event::Finished(stream)]
    );
    assert_eq!(read(&mut solo, stream), b"last words");
    solo.session.finish(stream);
    assert_eq!(solo.sent_data()[0].payload, smux(FIN, 3, b""));
    assert_eq!(solo.session.stats(solo.now).streams, 0);
}

#[test]
fn data_for_a_finished_or_unknown_stream_is_discarded() {
    let (mut solo, stream) = with_stream();
    solo.session.finish(stream);
    solo.session.write(stream, b"too late"[..].into());
    assert_eq!(solo.sent_data()[0].payload, smux(FIN, 3, b""));
    solo.output(
        2,
        &[
            smux(PSH, 3, b"late"),
            smux(FIN, 3, b""),
            smux(FIN, 99, b""),
            smux(PSH, 98, b"?"),
        ]
        .concat(),
    );
    assert_eq!(solo.acked(), [2]);
    assert_eq!(solo.events(), [Event::Answered(stream)], "once");
    assert_eq!(solo.session.unread(), 0);
}

#[test]
fn fin_follows_all_that_was_written() {
    let (mut solo, stream) = with_stream();
    solo.session.write(stream, vec![7; 3000].into());
    solo.session.finish(stream);
    let bytes: Vec<u8> = solo
        .sent_data()
        .iter()
        .flat_map(|message| message.payload.clone())
        .collect();
    assert_eq!(
        bytes,
        [smux(PSH, 3, &vec![7; 3000]), smux(FIN, 3, b"")].concat()
    );
}

#[test]
fn nop_is_not_answered() {
    let (mut solo, _) = with_stream();
    solo.output(2, &smux(NOP, 0, b""));
    assert_eq!(solo.sent().len(), 1, "the acknowledgement alone");
    assert_eq!(solo.events(), []);
}

#[test]
fn streams_of_the_agent_are_not_opened() {
    let (mut solo, _) = with_stream();
    solo.output(2, &[smux(SYN, 4, b""), smux(PSH, 4, b"?")].concat());
    assert_eq!(solo.events(), []);
    assert_eq!(solo.session.stats(solo.now).streams, 1);
}

#[test]
fn frames_of_another_version_fail_the_session_with_a_reason() {
    let (mut solo, _) = with_stream();
    solo.output(2, &[2, 0, 0, 0, 3, 0, 0, 0]);
    assert_eq!(
        solo.events(),
        [Event::Failed(Failure::Mux(smux::Error::Version(2)))]
    );
    assert_eq!(
        solo.acked(),
        [2],
        "a clean end needs a peer that is at ease"
    );
}

#[test]
fn readable_is_said_once_until_all_is_read() {
    let (mut solo, stream) = with_stream();
    solo.output(2, &smux(PSH, 3, b"a"));
    solo.output(3, &smux(PSH, 3, b"b"));
    assert_eq!(solo.events(), [Event::Readable(stream)]);
    assert_eq!(solo.session.unread_of(stream), 2);
    assert_eq!(read(&mut solo, stream), b"ab");
    solo.output(4, &smux(PSH, 3, b"c"));
    assert_eq!(solo.events(), [Event::Readable(stream)]);
}

#[test]
fn single_line_feed_arrives_as_it_is() {
    let mut pair = Pair::new(1, AgentProfile::quick(), |options| options.payload = 1);
    let stream = pair.client.open();
    pair.client.write(stream, b"\n"[..].into());
    pair.pass(seconds(1));
    assert_eq!(pair.at_agent.bytes[&stream], b"\n");
}

#[test]
fn five_hundred_streams_are_served_at_once() {
    let mut pair = Pair::new(2, AgentProfile::quick(), |_| {});
    let streams: Vec<StreamId> = (0..500).map(|_| pair.client.open()).collect();
    for stream in &streams {
        pair.client
            .write(*stream, Bytes::from(stream.number().to_string()));
    }
    pair.pass(seconds(1));
    assert_eq!(pair.at_agent.opened, streams);
    for stream in &streams {
        assert_eq!(
            pair.at_agent.bytes[stream],
            stream.number().to_string().as_bytes()
        );
        pair.agent.finish(*stream);
    }
    pair.pass(seconds(1));
    assert_eq!(pair.at_client.finished, streams);
}

#[test]
fn agent_refuses_a_stream_with_a_flag_before_the_fin() {
    let mut pair = Pair::new(3, AgentProfile::default(), |_| {});
    let [first, second] = [pair.client.open(), pair.client.open()];
    pair.run(seconds(1), |_| {}, |pair| pair.at_agent.opened.len() == 2);
    pair.agent
        .write(second, b"busy before the refusal"[..].into());
    pair.agent.refuse(first);
    pair.pass(seconds(1));
    assert_eq!(pair.at_client.others.last(), Some(&Event::Refused(first)));
    assert_eq!(pair.at_client.bytes[&second], b"busy before the refusal");
}

#[test]
fn agent_whose_mux_broke_acknowledges_and_delivers_nothing() {
    let mut pair = Pair::new(4, AgentProfile::quick(), |_| {});
    let stream = pair.client.open();
    pair.pass(seconds(1));
    pair.client
        .send_raw(b"\x02 is no version of ours"[..].into());
    pair.client.write(stream, b"into the void"[..].into());
    pair.pass(seconds(1));
    assert!(pair.client.is_drained());
    assert!(pair.at_agent.bytes.is_empty());
}

#[test]
fn stream_without_a_sign_of_life_grows_old_from_when_it_was_sent() {
    let mut solo = Solo::linked();
    let stream = solo.session.open();
    let stats = solo.session.stats(solo.now);
    assert_eq!((stats.unresolved, stats.oldest_unresolved), (1, None));
    solo.pass(seconds(5));
    let mut solo = solo.shake_hands("3.3.987.0").settled();
    solo.pass(seconds(10));
    assert_eq!(
        solo.session.stats(solo.now).oldest_unresolved,
        Some(seconds(10))
    );
    solo.output(2, &smux(PSH, stream.number(), b"!"));
    let stats = solo.session.stats(solo.now);
    assert_eq!((stats.unresolved, stats.oldest_unresolved), (0, None));
}

/// A ready client with stream 3; the agent's next number is 2.
fn with_stream() -> (Solo, StreamId) {
    let mut solo = Solo::ready();
    let stream = solo.session.open();
    solo.sent();
    solo.ack(1);
    (solo, stream)
}

fn read(solo: &mut Solo, stream: StreamId) -> Vec<u8> {
    std::iter::from_fn(|| solo.session.read(stream))
        .flatten()
        .collect()
}

fn frames(mut bytes: &[u8]) -> Vec<smux::Header> {
    let mut headers = Vec::new();
    while let Some((header, rest)) = bytes.split_first_chunk() {
        let header = smux::Header::decode(*header).expect("our own frame");
        bytes = &rest[usize::from(header.length)..];
        headers.push(header);
    }
    headers
}
