//! A client of one session, as plain as can be: `proto` in the client's role on a WebSocket.

use std::{
    collections::VecDeque,
    time::{Duration, SystemTime},
};

use bastiond::proto::{Event, Options, Session, StreamId};
use bytes::Bytes;
use futures_util::{FutureExt, SinkExt, StreamExt};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::{net::TcpStream, time::Instant};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{self, Message, client::IntoClientRequest},
};

pub type Socket = WebSocketStream<TcpStream>;

/// A session's client end.
pub struct Client {
    pub session: Session,
    pub socket: Option<Socket>,
    /// Events not looked at yet.
    pub events: VecDeque<Event>,
    /// Why the last link was lost.
    pub lost: Option<String>,
    /// Frames received, all links together.
    pub frames: usize,
}

impl Client {
    /// Opens the session that StartSession answered.
    pub async fn open(started: &Value) -> Self {
        Self::with(
            Options::client(fastrand::u64(..), SystemTime::now()),
            started,
        )
        .await
    }

    pub async fn with(options: Options, started: &Value) -> Self {
        let session = Session::new(options, std::time::Instant::now());
        let mut client = Self {
            session,
            socket: None,
            events: VecDeque::new(),
            lost: None,
            frames: 0,
        };
        client.link(started).await;
        client
    }

    /// Takes a new link, with the URL and the token of StartSession or ResumeSession.
    pub async fn link(&mut self, opened: &Value) {
        let url = opened["StreamUrl"].as_str().expect("a URL");
        let mut socket = connect(url).await.expect("the upgrade is accepted");
        let token = opened["TokenValue"].as_str().expect("a token");
        let open = self.session.open_frame(token);
        socket
            .send(Message::text(open))
            .await
            .expect("the first frame is sent");
        self.session.handle_connected(now());
        self.socket = Some(socket);
        self.lost = None;
    }

    /// One step: sends what is due, then takes frames or lets time pass.
    pub async fn step(&mut self) {
        if let Err(error) = self.transmit().await {
            self.lose(error.to_string());
        }
        let deadline = self
            .session
            .poll_timeout()
            .map_or_else(far, Instant::from_std);
        match &mut self.socket {
            None => {
                tokio::time::sleep_until(deadline.min(Instant::now() + Duration::from_millis(10)))
                    .await
            }
            Some(socket) => {
                tokio::select! {
                    frame = socket.next() => self.take(frame),
                    () = tokio::time::sleep_until(deadline.min(Instant::now() + Duration::from_millis(50))) => {}
                }
            }
        }
        while let Some(socket) = &mut self.socket
            && let Some(frame) = socket.next().now_or_never()
        {
            self.take(frame);
        }
        self.session.handle_timeout(now());
        self.collect();
    }

    /// Steps until the session is ready for data.
    pub async fn ready(&mut self) {
        self.until(|event| matches!(event, Event::Ready { .. }))
            .await;
    }

    /// Steps until such an event comes, and gives it. Earlier events are dropped.
    pub async fn until(&mut self, wanted: impl Fn(&Event) -> bool) -> Event {
        loop {
            while let Some(event) = self.events.pop_front() {
                if wanted(&event) {
                    return event;
                }
            }
            assert!(self.lost.is_none(), "the link was lost: {:?}", self.lost);
            self.step().await;
        }
    }

    /// Steps until the service says that the session is over, and gives its words.
    pub async fn closed(&mut self) -> String {
        match self
            .until(|event| matches!(event, Event::Closed { .. }))
            .await
        {
            Event::Closed { output } => output,
            _ => unreachable!("asked for"),
        }
    }

    /// Steps until the link is lost, and gives the reason.
    pub async fn until_lost(&mut self) -> String {
        while self.lost.is_none() {
            self.step().await;
        }
        self.lost.clone().expect("just seen")
    }

    /// Steps until everything sent has been acknowledged.
    pub async fn drained(&mut self) {
        while !self.session.is_drained() {
            self.step().await;
        }
    }

    /// Steps for a while.
    pub async fn idle(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.step().await;
        }
    }

    /// Sends `data` through a stream and reads as much back; `true` when it is the same. Between steps, `meanwhile`
    /// may disturb; it is given the bytes that came back so far.
    pub async fn echo(
        &mut self,
        id: StreamId,
        data: &[u8],
        mut meanwhile: impl AsyncFnMut(&mut Self, usize),
    ) -> bool {
        let mut unsent = Bytes::copy_from_slice(data);
        let (mut hash, mut received) = (Sha256::new(), 0);
        while received < data.len() {
            while !unsent.is_empty() && self.session.can_write() {
                let piece = unsent.split_to(unsent.len().min(32 * 1024));
                self.session.write(id, piece);
            }
            while let Some(bytes) = self.session.read(id) {
                received += bytes.len();
                hash.update(&bytes);
            }
            meanwhile(self, received).await;
            if received < data.len() {
                self.step().await;
            }
        }
        hash.finalize() == Sha256::digest(data)
    }

    fn collect(&mut self) {
        while let Some(event) = self.session.poll_event() {
            self.events.push_back(event);
        }
    }

    async fn transmit(&mut self) -> Result<(), tungstenite::Error> {
        let Some(socket) = &mut self.socket else {
            return Ok(());
        };
        while let Some(frame) = self.session.poll_transmit(now()) {
            socket.feed(Message::Binary(frame)).await?;
        }
        socket.flush().await
    }

    fn take(&mut self, frame: Option<Result<Message, tungstenite::Error>>) {
        match frame {
            Some(Ok(Message::Binary(frame))) => {
                self.frames += 1;
                let _ = self.session.handle_input(frame, now());
                self.collect();
            }
            Some(Ok(Message::Close(frame))) => {
                self.lose(frame.map_or("closed".into(), |frame| {
                    format!("{} {}", u16::from(frame.code), frame.reason)
                }));
            }
            Some(Ok(_)) => {}
            Some(Err(error)) => self.lose(error.to_string()),
            None => self.lose("end of stream".to_owned()),
        }
    }

    fn lose(&mut self, why: String) {
        self.socket = None;
        self.lost.get_or_insert(why);
        self.session.handle_disconnected(now());
    }
}

/// Opens a WebSocket, unsigned.
pub async fn connect(url: &str) -> Result<Socket, tungstenite::Error> {
    connect_with(url, &[]).await
}

/// Opens a WebSocket with further headers.
pub async fn connect_with(
    url: &str,
    headers: &[(&'static str, &str)],
) -> Result<Socket, tungstenite::Error> {
    let mut request = url.into_client_request().expect("a URL");
    for (name, value) in headers {
        request
            .headers_mut()
            .insert(*name, value.parse().expect("a value"));
    }
    let address = request.uri().authority().expect("an address").to_string();
    let stream = TcpStream::connect(address)
        .await
        .expect("the gateway listens");
    stream.set_nodelay(true).expect("a socket option");
    client_async(request, stream)
        .await
        .map(|(socket, _)| socket)
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
}

fn far() -> Instant {
    Instant::now() + Duration::from_secs(3600)
}
