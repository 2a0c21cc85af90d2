//! `bastiond init` on a terminal, answered as a person would, with moto for AWS.

use std::path::Path;
use std::process::Command;

use bastiond::config::{Config, Remote};
use rexpect::session::{PtySession, spawn_command};

use crate::{
    server::{Server, is_installed},
    stacks::Network,
};

/// For a busy machine, in milliseconds.
const LIMIT: Option<u64> = Some(60_000);
/// What is asked, and what somebody answers who takes the reader of the only cluster.
const DIALOGUE: [(&str, &str); 7] = [
    ("What runs the bastion [1]: ", "1"),
    ("Database [1]: ", "1"),
    ("Which endpoint [1]: ", "two"),
    ("Which endpoint [1]: ", "2"),
    ("Local port [", "15432"),
    ("Its name [app-reader]: ", ""),
    ("Another database? (y/n) [n]: ", ""),
];

#[test]
fn a_person_answers_a_few_questions_and_has_a_configuration() {
    let Some(moto) = with_a_stack() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("new/config.toml");
    let mut person = Person::at(init(&moto, &path));
    for (question, answer) in DIALOGUE {
        person.answers(question, answer);
    }
    let said = person.expects("bastiond start");
    assert!(said.contains("wrote "), "{said}");
    person.expects("psql -h localhost -p 15432 -U USER");
    person.leaves();
    let text = std::fs::read_to_string(&path).expect("written");
    let config = Config::parse(&text).expect("a configuration");
    let tunnel = &config.tunnels[0];
    assert_eq!(
        (tunnel.name.as_str(), tunnel.listen[0].port()),
        ("app-reader", 15432)
    );
    let Remote::Database { selector, .. } = &tunnel.remote else {
        panic!("{:?}", tunnel.remote)
    };
    assert_eq!(selector.to_string(), "rds-cluster:app:reader");
    assert_eq!(tunnel.document.as_deref(), Some("bastion-port-forward"));

    // What is there stays as it is, unless somebody says otherwise.
    let mut person = Person::at(init(&moto, &path));
    person.answers("Write another in its place? (y/n) [n]: ", "");
    person.expects("is left as it is");
    person.leaves();
    let refused = init(&moto, &path).arg("--stack").arg("bastion").output();
    let refused = refused.expect("it runs");
    assert_eq!(refused.status.code(), Some(1));
    assert_eq!(std::fs::read_to_string(&path).expect("there"), text);
}

#[test]
fn ctrl_c_at_any_question_leaves_nothing_behind() {
    let Some(moto) = with_a_stack() else { return };
    for answered in 0..DIALOGUE.len() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("new/config.toml");
        let mut person = Person::at(init(&moto, &path));
        for (question, answer) in &DIALOGUE[..answered] {
            person.answers(question, answer);
        }
        person.expects(DIALOGUE[answered].0);
        person.interrupts();
        person.leaves();
        let left: Vec<_> = std::fs::read_dir(folder.path())
            .expect("a folder")
            .collect();
        assert!(left.is_empty(), "after {answered} answers: {left:?}");
    }
}

#[test]
fn without_a_terminal_what_is_missing_is_named_with_its_flag() {
    let Some(moto) = with_a_stack() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("config.toml");
    let run = |words: &[&str]| {
        let ran = init(&moto, &path).args(words).output().expect("it runs");
        assert_eq!(ran.status.code(), Some(1), "{words:?}");
        assert!(!path.exists(), "{words:?}");
        String::from_utf8(ran.stderr).expect("text")
    };
    for (words, says) in [
        (&[][..], "give --stack, or --cluster"),
        (
            &["--stack", "none-such"],
            "there is no stack `none-such` in eu-west-1",
        ),
        (
            &["--stack", "bastion", "--database", "db.internal"],
            "--port",
        ),
        (
            &["--stack", "bastion", "--database", "rds-clutser:app"],
            "is no database",
        ),
        (
            &[
                "--stack",
                "bastion",
                "--database",
                "rds-cluster:app",
                "--name",
                "a b",
            ],
            "is not a name",
        ),
    ] {
        let said = run(words);
        assert!(said.contains(says), "{words:?}: {said}");
    }
}

/// The program, as somebody with credentials runs it.
pub fn init(moto: &Server, path: &Path) -> Command {
    command(moto, path, &["init"])
}

pub fn command(moto: &Server, path: &Path, words: &[&str]) -> Command {
    let mut command = without_config(moto, path, words);
    command.arg("--config").arg(path);
    command
}

/// The same for commands that write none.
pub fn without_config(moto: &Server, path: &Path, words: &[&str]) -> Command {
    let home = path.parent().and_then(Path::parent).expect("a folder");
    let mut command = Command::new(env!("CARGO_BIN_EXE_bastiond"));
    command
        .args(words)
        .args(["--region", "eu-west-1", "--endpoint-url"])
        .arg(format!("http://{}", moto.address))
        .env_clear()
        .env("HOME", home)
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("TERM", "dumb")
        .env("AWS_ACCESS_KEY_ID", "AKIATESTTESTTESTTEST")
        .env("AWS_SECRET_ACCESS_KEY", "secret");
    command
}

/// A cluster with an instance, so that it has a reader.
pub fn make_database(moto: &Server) {
    let form = "Action=CreateDBCluster&Version=2014-10-31&DBClusterIdentifier=app&Engine=aurora-postgresql\
                &MasterUsername=me&MasterUserPassword=secret-secret&Port=5432";
    moto.call("rds", form);
}

fn with_a_stack() -> Option<Server> {
    if !is_installed() {
        return None;
    }
    let moto = Server::start();
    make_database(&moto);
    Network::of(&moto).deploy(&moto, "bastion", &[]);
    Some(moto)
}

/// Somebody at a terminal.
pub struct Person(PtySession);

impl Person {
    pub fn at(command: Command) -> Self {
        Self(spawn_command(command, LIMIT).expect("a terminal"))
    }

    /// Waits for the words, and tells what was said before.
    pub fn expects(&mut self, words: &str) -> String {
        self.0.exp_string(words).expect(words)
    }

    pub fn answers(&mut self, question: &str, answer: &str) {
        self.expects(question);
        self.types(answer);
    }

    pub fn types(&mut self, answer: &str) {
        self.0.send_line(answer).expect("typed");
    }

    pub fn interrupts(&mut self) {
        self.0.send_control('c').expect("typed");
    }

    pub fn leaves(mut self) {
        self.0.exp_eof().expect("the end");
    }
}
