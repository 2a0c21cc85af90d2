//! One round: a simulator, a database, daemons one after another, clients, troubles; then the accounts.

use std::{
    collections::HashSet,
    future::Future,
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

use bastiond::{
    sim::{Script, World},
    status::Tunnel,
};
use tokio::{runtime, task::JoinSet, time::sleep};

use crate::{
    books::{self, Excuses, Usage},
    client::{Fate, Manner, Plan, Report},
    database::{self, Ledger},
    journal,
    summary::Summary,
    support::{Daemon, Database, House, Terms, pass, skip, state_text},
    trouble::Trouble,
    weather::Weather,
};

/// Clients at once.
const CLIENTS: usize = 12;
/// A fresh connection must be served so long after all faults have ended, by a clock that is skipped forward: the
/// longest pause after failed starts is five minutes.
const RECOVERY: Duration = Duration::from_secs(6 * 60);

/// Plays one round; a failure says with which seed.
pub fn play(seed: u64, length: Duration, summary: &mut Summary) {
    journal::clear();
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let played = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(async {
            let mut round = Round::new(seed, summary).await;
            round.rage(length).await;
            round.settle().await;
            round.account().await;
            round.close().await;
        });
    }));
    if let Err(panic) = played {
        let seconds = length.as_secs().max(1);
        eprintln!(
            "{}\nBASTIOND_CHAOS_SEED={seed} BASTIOND_CHAOS={seconds}s",
            journal::tail()
        );
        resume_unwind(panic);
    }
    drop(runtime);
}

struct Round<'a> {
    rng: fastrand::Rng,
    house: House,
    ledger: Arc<Ledger>,
    daemon: Option<Daemon>,
    clients: JoinSet<(Plan, Report, Instant)>,
    next_id: u64,
    weather: Weather,
    excuses: Excuses,
    /// Clients cut before they were given a byte, one after another.
    in_vain: u32,
    summary: &'a mut Summary,
}

impl<'a> Round<'a> {
    async fn new(seed: u64, summary: &'a mut Summary) -> Self {
        let ledger = Arc::new(Ledger::default());
        let kept = Arc::clone(&ledger);
        let database =
            Database::serve(move |socket| database::serve(Arc::clone(&kept), socket)).await;
        let house = House::of(Script::fast(), database).await;
        let daemon = house.daemon(&terms()).await;
        Self {
            rng: fastrand::Rng::with_seed(seed),
            house,
            ledger,
            daemon: Some(daemon),
            clients: JoinSet::new(),
            next_id: seed << 24,
            weather: Weather::default(),
            excuses: Excuses::default(),
            in_vain: 0,
            summary,
        }
    }

    fn world(&self) -> &World {
        self.house.world()
    }

    fn daemon(&self) -> &Daemon {
        self.daemon.as_ref().expect("one runs")
    }

    /// Clients and troubles, until the time is over.
    async fn rage(&mut self, length: Duration) {
        let start = Instant::now();
        let mut addresses = self.addresses().await;
        let mut next = start;
        while start.elapsed() < length {
            while self.clients.len() < CLIENTS {
                let plan = Plan::draw(self.next_id, &mut self.rng);
                self.next_id += 1;
                let address = addresses[self.rng.usize(..addresses.len())];
                let pause = Duration::from_millis(self.rng.u64(0..200));
                self.clients.spawn(async move {
                    sleep(pause).await;
                    let report = plan.run(address).await;
                    (plan, report, Instant::now())
                });
            }
            self.weather.clear(self.house.world(), false);
            if Instant::now() >= next {
                next = Instant::now() + Duration::from_millis(self.rng.u64(0..100));
                let trouble = Trouble::draw(&mut self.rng);
                if self.cause(trouble).await {
                    addresses = self.addresses().await;
                }
            }
            sleep(Duration::from_millis(self.rng.u64(1..20))).await;
            self.reap();
            // A person asks for a fresh attempt, where another minute would be spent in cooling down.
            if self.in_vain > 8 {
                self.in_vain = 0;
                self.cause(Trouble::Up).await;
            }
            self.summary.during(Usage::now());
        }
    }

    /// Makes one trouble; whether there is another daemon now.
    async fn cause(&mut self, trouble: Trouble) -> bool {
        journal::note(format!("{trouble:?}"));
        *self.summary.faults.entry(trouble.kind()).or_default() += 1;
        self.weather
            .make(&trouble, self.house.world(), &mut self.rng);
        match trouble {
            Trouble::Skip(seconds) => skip(Duration::from_secs(seconds)).await,
            Trouble::Down => {
                journal::note_cut("tunnel_down");
                let down = self.daemon().client.down("app-db");
                let _ = hasten("the tunnel is down", down).await;
                journal::note_cut("tunnel_down");
            }
            Trouble::Up => {
                for tunnel in ["app-db", "cache"] {
                    let up = self.daemon().client.up(tunnel);
                    let _ = hasten("the tunnel is up or is not", up).await;
                }
            }
            Trouble::Restart => {
                self.stop().await;
                self.start().await;
                return true;
            }
            Trouble::Crash => {
                journal::note_cut("crash");
                self.excuses.crashes.push(Instant::now());
                self.daemon.take().expect("one runs").crash().await;
                journal::note_cut("crash");
                self.start().await;
                return true;
            }
            _ => {}
        }
        false
    }

    async fn start(&mut self) {
        self.daemon = Some(self.house.daemon(&terms()).await);
    }

    async fn stop(&mut self) {
        let daemon = self.daemon.take().expect("one runs");
        daemon.signal();
        let ended = hasten("the daemon ends", daemon.ended()).await;
        ended.expect("a clean end");
        journal::note_cut("shutting_down");
    }

    /// Takes the accounts of clients that are done.
    fn reap(&mut self) {
        while let Some(done) = self.clients.try_join_next() {
            let (plan, report, ended) = done.expect("no panic in a client");
            self.take(&plan, &report, ended);
        }
    }

    fn take(&mut self, plan: &Plan, report: &Report, ended: Instant) {
        let far = self.ledger.of(plan.id);
        self.summary.fate(&report.fate);
        self.summary.bytes.0 += far.came;
        self.summary.bytes.1 += report.got;
        assert!(
            far.connections <= 1,
            "{plan:?} came {} times",
            far.connections
        );
        assert!(far.came <= report.sent, "{plan:?}: {far:?} of {report:?}");
        match (&report.fate, report.got) {
            (Fate::Cut, 0) => self.in_vain += 1,
            (Fate::Cut | Fate::Whole, _) => self.in_vain = 0,
            _ => {}
        }
        match &report.fate {
            Fate::Wrong(what) => panic!("{what}: {plan:?} {report:?} {far:?}"),
            Fate::Whole => {
                assert_eq!(
                    far.answered as usize,
                    plan.requests.len(),
                    "{plan:?}: {far:?}"
                );
                assert_eq!(far.came, plan.owed_up(), "{plan:?}: {far:?}");
            }
            Fate::Cut => {
                let reason = journal::reason(ended - journal::BEFORE, ended + journal::AFTER);
                let reason =
                    reason.unwrap_or_else(|| panic!("cut without a reason: {plan:?} {report:?}"));
                *self.summary.reasons.entry(reason).or_default() += 1;
            }
            Fate::Left | Fate::Refused => {}
        }
        let wrongs = self.ledger.wrongs();
        assert!(wrongs.is_empty(), "{wrongs:?}");
    }

    /// All faults end: whoever is connected comes to an end, and whoever connects is served.
    async fn settle(&mut self) {
        self.weather.clear(self.house.world(), true);
        journal::note("all faults have ended");
        self.recovers().await;
        let mut clients = std::mem::take(&mut self.clients);
        let mut done = Vec::new();
        let all = async {
            while let Some(client) = clients.join_next().await {
                done.push(client.expect("no panic in a client"));
            }
        };
        let all_done = hasten_if("every client comes to an end", all).await;
        for (plan, report, ended) in done {
            self.take(&plan, &report, ended);
        }
        assert!(all_done, "{} clients wait for ever", clients.len());
    }

    async fn addresses(&self) -> Vec<SocketAddr> {
        let tunnels = self.daemon().status().await.tunnels;
        let address = |tunnel: &Tunnel| tunnel.listeners[0].address.parse();
        let addresses: Result<Vec<_>, _> = tunnels.iter().map(address).collect();
        addresses.expect("addresses")
    }

    async fn recovers(&mut self) {
        for address in self.addresses().await {
            self.recovers_at(address).await;
        }
    }

    async fn recovers_at(&mut self, address: SocketAddr) {
        let start = tokio::time::Instant::now();
        while !self.is_served(address).await {
            assert!(
                start.elapsed() < RECOVERY,
                "no fresh connection is served after {RECOVERY:?}"
            );
            skip(Duration::from_secs(5)).await;
            sleep(Duration::from_millis(20)).await;
        }
    }

    async fn is_served(&mut self, address: SocketAddr) -> bool {
        let plan = Plan {
            id: self.next_id,
            manner: Manner::Chat,
            requests: vec![(10, 1000)],
            pause: Duration::ZERO,
        };
        self.next_id += 1;
        let report = hasten("a fresh connection is served or refused", plan.run(address)).await;
        self.take(&plan, &report, Instant::now());
        report.fate == Fate::Whole
    }

    /// The simulator's books against what is known here.
    async fn account(&mut self) {
        self.stop().await;
        self.start().await;
        let cleaned = async {
            while state_text(&self.house).contains("\"id\"") {
                sleep(Duration::from_millis(10)).await;
            }
        };
        hasten("what the last daemon left is ended", cleaned).await;
        let strays = books::stray_sessions(self.world(), &[], &self.excuses);
        assert!(strays.is_empty(), "sessions nobody knows: {strays:#?}");
        self.recovers().await;
        let forgotten = books::forgotten_sessions(self.world(), &self.excuses);
        assert!(
            forgotten.is_empty(),
            "sessions that nobody ended: {forgotten:#?}"
        );
        // Whatever nobody could know of is ended by the service, and then the task is nobody's but ours.
        pass(Duration::from_secs(25 * 60)).await;
        self.recovers().await;
    }

    async fn close(mut self) {
        self.stop().await;
        let world = self.house.world();
        assert_eq!(
            world.active_sessions().len(),
            0,
            "{:#?}",
            world.active_sessions()
        );
        let all_stopped = async {
            while world
                .task_statuses()
                .iter()
                .any(|status| *status != "STOPPED")
            {
                sleep(Duration::from_millis(10)).await;
            }
        };
        hasten("every task has stopped", all_stopped).await;
        let ids: HashSet<String> = world
            .sessions()
            .into_iter()
            .map(|session| session.id)
            .collect();
        self.summary.sessions += ids.len() as u64;
        self.summary.resumes += world.count("ResumeSession") as u64;
        self.summary.tasks += world.tasks().len() as u64;
        drop(self.clients);
        self.house.sweep().await;
    }
}

/// Two tunnels that share a bastion.
fn terms() -> Terms {
    let more = r#"
        [[tunnel]]
        name = "cache"
        listen = "127.0.0.1:0"
        bastion = "dev"
        host = "db.internal"
        port = 6379
    "#;
    Terms {
        more: more.to_owned(),
        ..Terms::default()
    }
}

/// Waits for something that must happen while the clock runs fast.
async fn hasten<T>(what: &str, future: impl Future<Output = T>) -> T {
    let mut done = None;
    let all = hasten_if(what, async { done = Some(future.await) }).await;
    assert!(all, "{what}: not in time");
    done.expect("it has ended")
}

/// The same; whether it happened.
async fn hasten_if(what: &str, future: impl Future<Output = ()>) -> bool {
    tokio::pin!(future);
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(40) {
        tokio::select! {
            () = &mut future => return true,
            () = sleep(Duration::from_millis(20)) => skip(Duration::from_secs(1)).await,
        }
    }
    journal::note(format!("not in time: {what}"));
    false
}
