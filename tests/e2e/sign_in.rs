//! Credentials that run out, and the sign-in that brings others: the built program, with a home of its own.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use bastiond::control::client::Client;
use bastiond::sim::{ApiFault, Cut, ManagedNode, Script};
use bastiond::status::{Status, TunnelState};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::sleep;

use crate::support::{House, Terms, assert_reset, connect, ping, until, within};

/// What the simulator gives to whoever assumes a role.
const ASSUMED: &str = "ASIASIMULATED0000000";
const PROFILE: &str = "profile = \"dev\"";
/// A sign-in is noticed within two seconds; the rest is for a machine that is busy with other tests.
const NOTICED: Duration = Duration::from_secs(4);

/// The program, of a person who has a home.
pub struct Person {
    home: PathBuf,
    pub client: Client,
    child: Child,
}

impl Person {
    /// `write` prepares the home.
    pub async fn start(house: &House, terms: &Terms, write: impl FnOnce(&Path)) -> Self {
        let paths = house.paths();
        let home = house.folder.path().join("home");
        std::fs::create_dir_all(home.join(".aws")).expect("a home");
        write(&home);
        std::fs::write(&paths.config, house.config(terms)).expect("written");
        let child = Command::new(env!("CARGO_BIN_EXE_bastiond"))
            .arg("run")
            .env_clear()
            .env("HOME", &home)
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("BASTIOND_CONFIG", &paths.config)
            .env("BASTIOND_SOCKET", &paths.socket)
            .env("BASTIOND_STATE_DIR", &paths.state)
            .stderr(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("the program starts");
        let client = Client::new(&paths.socket);
        within("the program is ready", async {
            while client.status().await.is_err() {
                sleep(Duration::from_millis(10)).await;
            }
        })
        .await;
        Self {
            home,
            client,
            child,
        }
    }

    pub async fn end(mut self, house: House) {
        self.child.kill().await.expect("killed");
        house.sweep_beside().await;
    }

    fn write(&self, path: &str, text: &str) {
        write(&self.home, path, text);
    }

    async fn until(&self, what: &str, holds: impl Fn(&Status) -> bool) -> Status {
        let look = async {
            loop {
                let status = self.client.status().await.expect("a status");
                if holds(&status) {
                    return status;
                }
                sleep(Duration::from_millis(10)).await;
            }
        };
        within(what, look).await
    }

    async fn connect(&self) -> TcpStream {
        let status = self.client.status().await.expect("a status");
        let address = status.tunnels[0].listeners[0].address.clone();
        connect(address.parse().expect("an address")).await
    }

    async fn served(&self) -> TcpStream {
        let mut client = self.connect().await;
        ping(&mut client).await;
        client
    }

    /// Until the tunnel says that somebody has to sign in, with this command or advice.
    async fn needs_login(&self, hint: &str) {
        let status = self
            .until("a sign-in is asked for", |status| {
                status.tunnels[0].state == TunnelState::NeedsLogin
            })
            .await;
        let hints = status
            .problems
            .iter()
            .filter_map(|problem| problem.hint.as_deref());
        let hints: Vec<_> = hints.collect();
        assert!(
            hints.iter().any(|told| told.contains(hint)),
            "{:?}",
            status.problems
        );
        assert_eq!(status.problems.len(), 1, "told once: {:?}", status.problems);
    }
}

pub fn write(home: &Path, path: &str, text: &str) {
    let path = home.join(path);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    std::fs::write(path, text).expect("written");
}

fn terms() -> Terms {
    Terms {
        top: PROFILE,
        ..Terms::default()
    }
}

fn key(id: &str) -> String {
    format!("[dev]\naws_access_key_id = {id}\naws_secret_access_key = secret\n")
}

/// Credentials come from what this command prints.
fn process(home: &Path, command: &str) {
    let command = command.replace('~', &home.display().to_string());
    let script = home.join("credentials.sh");
    std::fs::write(&script, command).expect("written");
    let config = format!(
        "[profile dev]\ncredential_process = /bin/sh {}\n",
        script.display()
    );
    write(home, ".aws/config", &config);
}

fn printed(id: &str) -> String {
    format!(
        r#"{{"Version": 1, "AccessKeyId": "{id}", "SecretAccessKey": "secret", "SessionToken": "token"}}"#
    )
}

#[tokio::test]
async fn a_session_that_cannot_be_resumed_for_want_of_a_sign_in_is_kept_and_goes_on_after_it() {
    let house = House::new().await;
    let person = Person::start(&house, &terms(), |home| {
        write(home, ".aws/credentials", &key("AKIAOLDOLDOLDOLDOLD1"));
    })
    .await;
    let mut client = person.served().await;
    house.world().expire_key("AKIAOLDOLDOLDOLDOLD1");
    house.world().cut_links(&Cut::Bye);
    person.needs_login("profile `dev`").await;
    // The pauses between attempts grow to ten seconds.
    until(house.world(), "some attempts", |world| {
        world.count("ResumeSession") >= 12
    })
    .await;
    person.write(".aws/credentials", &key("AKIANEWNEWNEWNEWNEW1"));
    let signed_in = Instant::now();
    ping(&mut client).await;
    assert!(signed_in.elapsed() < NOTICED, "{:?}", signed_in.elapsed());
    assert_eq!(house.world().sessions().len(), 1);
    let healthy = |status: &Status| status.healthy && status.aws.last_error.is_none();
    person.until("all is well", healthy).await;
    person.end(house).await;
}

#[tokio::test]
async fn a_sign_in_while_nobody_is_connected_ends_the_pauses_after_failed_starts() {
    let house = House::new().await;
    let person = Person::start(&house, &terms(), |home| {
        process(home, "cat ~/.aws/sso/cache/token.json || exit 1");
    })
    .await;
    assert_reset(&mut person.connect().await).await;
    person.needs_login("aws sso login --profile dev").await;
    // Neither the folder nor the file was there.
    person.write(
        ".aws/sso/cache/token.json",
        &printed("ASIANEWNEWNEWNEWNEW1"),
    );
    let signed_in = Instant::now();
    person
        .until("nothing is wrong", |status| status.healthy)
        .await;
    assert!(signed_in.elapsed() < NOTICED, "{:?}", signed_in.elapsed());
    drop(person.served().await);
    person.end(house).await;
}

#[tokio::test]
async fn a_sign_in_that_never_happened_is_told_with_its_exact_command() {
    let house = House::new().await;
    let config = "[profile dev]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = dev\n\
                  [sso-session corp]\nsso_region = eu-west-1\nsso_start_url = https://corp.awsapps.com/start\n";
    let person = Person::start(&house, &terms(), |home| write(home, ".aws/config", config)).await;
    assert_reset(&mut person.connect().await).await;
    person.needs_login("aws sso login --profile dev").await;
    // The person takes another way.
    write(&person.home, ".aws/config", "");
    person.write(".aws/credentials", &key("AKIANEWNEWNEWNEWNEW1"));
    person
        .until("nothing is wrong", |status| status.healthy)
        .await;
    drop(person.served().await);
    person.end(house).await;
}

#[tokio::test]
async fn a_role_that_cannot_be_assumed_any_more_keeps_the_session_until_it_can() {
    let house = House::new().await;
    let terms = Terms {
        top: "profile = \"dev\"\nrole_arn = \"arn:aws:iam::123456789012:role/start-bastion\"",
        ..Terms::default()
    };
    let person = Person::start(&house, &terms, |home| {
        write(home, ".aws/credentials", &key("AKIAOLDOLDOLDOLDOLD1"));
    })
    .await;
    let mut client = person.served().await;
    let assumed = person.client.status().await.expect("a status");
    assert!(assumed.aws.credentials_seconds_left.is_some());
    house.world().expire_key(ASSUMED);
    house
        .world()
        .fail_always("AssumeRole", ApiFault::AccessDenied);
    house.world().cut_links(&Cut::Bye);
    person.needs_login("sts:AssumeRole").await;
    house.world().heal("AssumeRole");
    house.world().accept_key(ASSUMED);
    person.write(".aws/credentials", &key("AKIANEWNEWNEWNEWNEW1"));
    ping(&mut client).await;
    assert_eq!(house.world().sessions().len(), 1);
    person.end(house).await;
}

#[tokio::test]
async fn credentials_are_renewed_ahead_while_a_session_is_open_and_a_failure_is_told_before_it_hurts()
 {
    let script = Script {
        managed_nodes: vec![ManagedNode {
            id: "i-0123456789abcdef0".to_owned(),
            connected: true,
            ..ManagedNode::default()
        }],
        ..Script::fast()
    };
    let house = House::with(script).await;
    let terms = Terms {
        top: PROFILE,
        via: "target = \"i-0123456789abcdef0\"",
        ..Terms::default()
    };
    let person = Person::start(&house, &terms, |home| {
        process(
            home,
            "echo x >> ~/asked; [ -e ~/once ] && exit 1; touch ~/once; cat ~/first",
        );
        let expiry = time::OffsetDateTime::now_utc() + Duration::from_secs(5 * 60 + 6);
        let expiry = expiry
            .format(&time::format_description::well_known::Rfc3339)
            .expect("a time");
        let first = printed("ASIAOLDOLDOLDOLDOLD1");
        let first = first.replace(
            "\"Version\": 1",
            &format!("\"Version\": 1, \"Expiration\": \"{expiry}\""),
        );
        write(home, "first", &first);
    })
    .await;
    let mut client = person.served().await;
    assert!(person.client.status().await.expect("a status").healthy);
    let calls = house.world().all_calls().len();
    let status = person.until("it is told", |status| !status.healthy).await;
    let problem = &status.problems[0];
    assert_eq!(
        (problem.code.as_str(), problem.subject.as_str()),
        ("credentials_refused", "aws")
    );
    assert_eq!(status.tunnels[0].state, TunnelState::Ready);
    // Nothing was asked of AWS: there was no need to.
    assert_eq!(house.world().all_calls().len(), calls);
    ping(&mut client).await;
    process(&person.home, "cat ~/.aws/login/cache/token.json");
    person.write(
        ".aws/login/cache/token.json",
        &printed("ASIANEWNEWNEWNEWNEW1"),
    );
    house.world().expire_key("ASIAOLDOLDOLDOLDOLD1");
    house.world().cut_links(&Cut::Bye);
    ping(&mut client).await;
    person.until("all is well", |status| status.healthy).await;
    person.end(house).await;
}
