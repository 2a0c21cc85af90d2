//! The agent of a user's launchd.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::{Facts, Manager, Step, Unit};

const AGENT: &str = include_str!("../../launchd/dev.bastiond.plist");
const LABEL: &str = "dev.bastiond";
/// What is different for everybody.
const PROGRAM: &str =
    "\t\t<string>/Users/YOU/.local/bin/bastiond</string>\n\t\t<string>run</string>\n";
const LOG: &str = "/Users/YOU/Library/Logs/bastiond.log";
const END: &str = "</dict>\n</plist>\n";
/// The key under which `platform::launchd` asks for the sockets.
const SOCKETS: &str = "Listeners";

/// See the module.
pub(super) struct Launchd {
    agent: PathBuf,
    domain: String,
}

/// The agent, with its sockets if there are any.
pub(super) fn units(facts: &Facts) -> Vec<Unit> {
    let program = facts.program.display().to_string();
    let words = std::iter::once(&program).chain(&facts.arguments);
    let words: String = words
        .map(|word| format!("\t\t<string>{}</string>\n", escaped(word)))
        .collect();
    let log = facts.home.join("Library/Logs/bastiond.log");
    let more = [environment(facts), sockets(&facts.sockets), END.to_owned()].concat();
    let text = without_comment(AGENT)
        .replace(PROGRAM, &words)
        .replace(LOG, &escaped(&log.display().to_string()))
        .replace(END, &more);
    vec![Unit {
        path: place(facts),
        text,
    }]
}

fn place(facts: &Facts) -> PathBuf {
    let folder = facts.home.join("Library/LaunchAgents");
    folder.join(format!("{LABEL}.plist"))
}

/// The first comment is for whoever copies it by hand.
fn without_comment(template: &str) -> String {
    match (template.find("<!--"), template.find("-->\n")) {
        (Some(start), Some(end)) => {
            let made = "<!-- Made by `bastiond service install`, which makes it anew. -->\n";
            [&template[..start], made, &template[end + "-->\n".len()..]].concat()
        }
        _ => template.to_owned(),
    }
}

fn environment(facts: &Facts) -> String {
    let pairs: String = facts
        .environment
        .iter()
        .map(|(name, value)| {
            let (name, value) = (escaped(name), escaped(value));
            format!("\t\t<key>{name}</key>\n\t\t<string>{value}</string>\n")
        })
        .collect();
    format!("\t<key>EnvironmentVariables</key>\n\t<dict>\n{pairs}\t</dict>\n")
}

fn sockets(addresses: &[SocketAddr]) -> String {
    if addresses.is_empty() {
        return String::new();
    }
    let one = |address: &SocketAddr| {
        let family = if address.is_ipv4() { "IPv4" } else { "IPv6" };
        format!(
            "\t\t\t<dict>\n\
             \t\t\t\t<key>SockFamily</key>\n\t\t\t\t<string>{family}</string>\n\
             \t\t\t\t<key>SockNodeName</key>\n\t\t\t\t<string>{}</string>\n\
             \t\t\t\t<key>SockServiceName</key>\n\t\t\t\t<string>{}</string>\n\
             \t\t\t</dict>\n",
            address.ip(),
            address.port()
        )
    };
    let all: String = addresses.iter().map(one).collect();
    format!(
        "\t<key>Sockets</key>\n\t<dict>\n\t\t<key>{SOCKETS}</key>\n\t\t<array>\n{all}\t\t</array>\n\t</dict>\n"
    )
}

fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;");
    text.replace('<', "&lt;").replace('>', "&gt;")
}

impl Launchd {
    pub(super) fn new(facts: &Facts) -> Self {
        Self {
            agent: place(facts),
            domain: format!("gui/{}", facts.uid),
        }
    }

    fn service(&self) -> String {
        format!("{}/{LABEL}", self.domain)
    }
}

impl Manager for Launchd {
    fn places(&self) -> Vec<PathBuf> {
        vec![self.agent.clone()]
    }

    fn reach(&self) -> Step {
        Step::must(&["launchctl", "print", &self.domain])
    }

    fn without(&self) -> String {
        let domain = &self.domain;
        format!(
            "launchd does not look after you here (`launchctl print {domain}` fails)\n\
             hint: log in at the screen once, or: bastiond start"
        )
    }

    fn is_on(&self, _: &[Unit]) -> Vec<Step> {
        vec![Step::must(&["launchctl", "print", &self.service()])]
    }

    fn is_running(&self) -> Step {
        Step::must(&["launchctl", "print", &self.service()])
    }

    fn turn_on(&self, units: &[Unit]) -> Vec<Step> {
        let load = |unit: &Unit| {
            let path = unit.path.display().to_string();
            Step::must(&["launchctl", "bootstrap", &self.domain, &path])
        };
        let enable = Step::must(&["launchctl", "enable", &self.service()]);
        std::iter::once(enable)
            .chain(units.iter().map(load))
            .collect()
    }

    fn turn_off(&self) -> Vec<Step> {
        vec![Step::may(&["launchctl", "bootout", &self.service()])]
    }

    fn forget(&self) -> Vec<Step> {
        Vec::new()
    }

    fn advice(&self) -> String {
        "It starts when you log in.".to_owned()
    }
}
