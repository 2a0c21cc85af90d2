//! Our mux against an independent one, both ways, by random schedules.
//!
//! The carrier is a pipe in memory that cuts where it likes. A failing run prints its seed; `BASTIOND_SEED` repeats it.

use async_smux::{MuxBuilder, MuxStream};
use bastiond::proto::datachannel::Pipe;
use bastiond::proto::smux::{Event, Mux, StreamId};
use bytes::{Bytes, BytesMut};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex, split};

#[tokio::test]
async fn their_server_echoes_our_streams() {
    for_each_seed(|seed| async move {
        let (ours, theirs) = duplex(4096);
        let (_connector, mut acceptor, worker) =
            MuxBuilder::server().with_connection(theirs).build();
        let worker = tokio::spawn(worker);
        let echoes = tokio::spawn(async move {
            while let Some(stream) = acceptor.accept().await {
                tokio::spawn(echo(stream));
            }
        });
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut end = End::new(true, seed);
        let plans: Vec<Vec<u8>> = (0..rng.usize(1..12))
            .map(|_| random_bytes(&mut rng))
            .collect();
        for plan in &plans {
            end.open(plan.clone());
        }
        end.run(ours).await;
        for (plan, echo) in plans.iter().zip(end.received.values()) {
            assert!(plan == echo, "an echo differs");
        }
        assert_eq!(end.received.len(), plans.len());
        worker.abort();
        echoes.abort();
    })
    .await;
}

#[tokio::test]
async fn our_server_echoes_their_streams() {
    for_each_seed(|seed| async move {
        let (ours, theirs) = duplex(4096);
        let (connector, _acceptor, worker) = MuxBuilder::client().with_connection(theirs).build();
        let worker = tokio::spawn(worker);
        let server = tokio::spawn(async move { End::new(false, seed).run(ours).await });
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut clients = tokio::task::JoinSet::new();
        for _ in 0..rng.usize(1..12) {
            let stream = connector.connect().expect("a stream");
            clients.spawn(send_and_compare(stream, random_bytes(&mut rng), rng.fork()));
        }
        while let Some(result) = clients.join_next().await {
            result.expect("a client that is content");
        }
        worker.abort();
        server.abort();
    })
    .await;
}

/// Each with a limit of time and the seed in the message.
async fn for_each_seed<F: Future<Output = ()> + Send + 'static>(run: impl Fn(u64) -> F) {
    let one = std::env::var("BASTIOND_SEED")
        .ok()
        .and_then(|text| text.parse::<u64>().ok());
    let seeds = one.map_or(0..40, |seed| seed..seed + 1);
    for seed in seeds {
        let task = tokio::time::timeout(Duration::from_secs(60), tokio::spawn(run(seed)));
        let result = task.await.unwrap_or_else(|_| panic!("seed {seed}: hangs"));
        result.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
}

/// An end of ours: as opener it sends what it has and finishes with the peer; as acceptor it echoes.
struct End {
    mux: Mux,
    pipe: Pipe,
    opener: bool,
    rng: fastrand::Rng,
    unsent: BTreeMap<StreamId, Bytes>,
    wanted: BTreeMap<StreamId, usize>,
    received: BTreeMap<StreamId, Vec<u8>>,
}

impl End {
    fn new(opener: bool, seed: u64) -> Self {
        Self {
            mux: Mux::new(opener),
            pipe: Pipe::default(),
            opener,
            rng: fastrand::Rng::with_seed(!seed),
            unsent: BTreeMap::new(),
            wanted: BTreeMap::new(),
            received: BTreeMap::new(),
        }
    }

    fn open(&mut self, bytes: Vec<u8>) {
        let id = self.mux.open(&mut self.pipe).expect("ids are left");
        self.received.insert(id, Vec::new());
        self.wanted.insert(id, bytes.len());
        self.unsent.insert(id, bytes.into());
    }

    /// Until all streams of an opener are finished, or the carrier ends.
    async fn run(&mut self, carrier: DuplexStream) {
        let (mut reader, mut writer) = split(carrier);
        let mut bytes = BytesMut::new();
        loop {
            self.act();
            if self.opener && self.mux.is_empty() && self.pipe.is_empty() {
                return;
            }
            let mut part = BytesMut::new();
            let size = self.rng.usize(1..3000);
            self.pipe.take(size, &mut part);
            bytes.reserve(self.rng.usize(1..3000));
            tokio::select! {
                result = writer.write_all(&part), if !part.is_empty() => result.expect("the carrier takes it"),
                count = reader.read_buf(&mut bytes), if part.is_empty() => {
                    if count.expect("the carrier gives") == 0 {
                        return;
                    }
                    self.mux.input(bytes.split().freeze()).expect("frames of the other implementation");
                }
            }
        }
    }

    fn act(&mut self) {
        while let Some(event) = self.mux.poll_event() {
            match event {
                Event::Opened(_) | Event::Answered(_) => {}
                Event::Readable(id) => self.read(id),
                Event::Finished(id) => self.finish(id),
                Event::Refused(id) => panic!("{id} cannot be refused"),
            }
        }
        let ids: Vec<StreamId> = self.unsent.keys().copied().collect();
        for id in ids {
            self.send_some(id);
        }
    }

    fn read(&mut self, id: StreamId) {
        while let Some(data) = self.mux.read(id) {
            if self.opener {
                self.received
                    .entry(id)
                    .or_default()
                    .extend_from_slice(&data);
            } else {
                self.mux.write(id, data, &mut self.pipe);
            }
        }
        self.finish_when_content(id);
    }

    fn finish(&mut self, id: StreamId) {
        self.mux.finish(id, &mut self.pipe);
    }

    fn send_some(&mut self, id: StreamId) {
        if self.pipe.len() > 20_000 {
            return;
        }
        let data = self.unsent.get_mut(&id).expect("one of its keys");
        let part = data.split_to(data.len().min(self.rng.usize(1..40_000)));
        let all = data.is_empty();
        self.mux.write(id, part, &mut self.pipe);
        if all {
            self.unsent.remove(&id);
            self.finish_when_content(id);
        }
    }

    /// An opener ends a stream when the whole echo is there.
    fn finish_when_content(&mut self, id: StreamId) {
        let content = self.received.get(&id).map(Vec::len) == self.wanted.get(&id).copied();
        if self.opener && content && !self.unsent.contains_key(&id) {
            self.finish(id);
        }
    }
}

async fn echo(mut stream: MuxStream<DuplexStream>) {
    let mut buffer = vec![0; 5000];
    while let Ok(count) = stream.read(&mut buffer).await {
        if count == 0
            || stream.write_all(&buffer[..count]).await.is_err()
            || stream.flush().await.is_err()
        {
            return;
        }
    }
}

async fn send_and_compare(stream: MuxStream<DuplexStream>, bytes: Vec<u8>, mut rng: fastrand::Rng) {
    let (mut reader, mut writer) = split(stream);
    let send = async {
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let (part, later) = rest.split_at(rest.len().min(rng.usize(1..70_000)));
            writer.write_all(part).await.expect("it takes bytes");
            writer.flush().await.expect("it sends them");
            rest = later;
        }
    };
    let mut echo = vec![0; bytes.len()];
    let (_, count) = tokio::join!(send, reader.read_exact(&mut echo));
    count.expect("the whole echo");
    assert!(echo == bytes, "an echo differs");
}

fn random_bytes(rng: &mut fastrand::Rng) -> Vec<u8> {
    let length = if rng.u8(..) < 32 {
        rng.usize(100_000..300_000)
    } else {
        rng.usize(1..20_000)
    };
    std::iter::repeat_with(|| rng.u8(..)).take(length).collect()
}
