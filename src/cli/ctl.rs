//! `bastiond ctl …` as types.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};

use crate::exit;

/// `bastiond ctl`
#[derive(Debug, Subcommand)]
pub enum Ctl {
    /// Show every tunnel, and what mends what is wrong
    #[command(after_help = format!("Examples:\n  \
        bastiond ctl status\n  \
        bastiond ctl status app-db --json | jq .healthy\n\n{}", exit::LINE))]
    Status {
        /// Only this tunnel
        tunnel: Option<String>,
        /// Print the daemon's answer as JSON
        #[arg(long)]
        json: bool,
        /// Show it again every second, until Ctrl-C
        #[arg(long, short, conflicts_with = "json")]
        watch: bool,
        /// Show where each tunnel leads, and its sessions
        #[arg(long, short, conflicts_with = "json")]
        verbose: bool,
    },
    /// List the tunnels, short
    #[command(visible_alias = "ls", after_help = "Example: bastiond ctl list")]
    List {
        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },
    /// Bring a tunnel up before the first connection does
    #[command(after_help = "Example: bastiond ctl up app-db --for 2h")]
    Up {
        /// Its name in the configuration
        tunnel: String,
        /// Keep its bastion for so long though nobody is connected, as in 2h
        #[arg(long = "for", value_name = "TIME")]
        time: Option<String>,
    },
    /// End a tunnel's sessions; it goes on listening
    #[command(after_help = "Example: bastiond ctl down app-db")]
    Down {
        /// Its name in the configuration
        tunnel: String,
    },
    /// End a tunnel's sessions and start a new one; or restart the daemon, as after an upgrade
    #[command(after_help = "Examples:\n  \
        bastiond ctl restart app-db\n  \
        cargo install --locked bastiond && bastiond ctl restart --daemon")]
    Restart {
        /// Its name in the configuration
        #[arg(required_unless_present = "daemon", conflicts_with = "daemon")]
        tunnel: Option<String>,
        /// The daemon itself: ports stay open, connections get `shutdown_timeout` to finish
        #[arg(long)]
        daemon: bool,
    },
    /// Cut a tunnel's sessions off, whatever they are doing; it goes on listening
    #[command(after_help = "Example: bastiond ctl reset app-db")]
    Reset {
        /// Its name in the configuration
        tunnel: String,
    },
    /// Wait until a tunnel, or each of them, is in a state
    #[command(
        after_help = "Example: bastiond ctl wait app-db --for ready --timeout 2m && psql -h localhost -p 55432\n\n\
        Exit code: 6 when it is not so in time"
    )]
    Wait {
        /// Its name in the configuration; all of them if nothing is said
        tunnel: Option<String>,
        /// The state
        #[arg(long = "for", value_name = "STATE", default_value = "ready")]
        goal: Goal,
        /// How long to wait at most, as in 30s or 2m
        #[arg(long, value_name = "TIME", default_value = "30s")]
        timeout: String,
    },
    /// List the open connections: their age, their bytes, who is at the other end
    #[command(after_help = "Example: bastiond ctl connections app-db")]
    Connections {
        /// Only those of this tunnel
        tunnel: Option<String>,
        /// Print them as JSON
        #[arg(long)]
        json: bool,
    },
    /// Print what changes, as it changes
    #[command(
        after_help = "Example: bastiond ctl events --json | jq 'select(.state == \"failed\")'"
    )]
    Events {
        /// Begin with the last N
        #[arg(long, short = 'n', value_name = "N", default_value_t = 0)]
        last: usize,
        /// End after those, instead of waiting for more
        #[arg(long)]
        no_follow: bool,
        /// Print a line of JSON each
        #[arg(long)]
        json: bool,
    },
    /// Print the daemon's log
    #[command(after_help = "Example: bastiond ctl logs -f --since 10m")]
    Logs {
        /// Go on with what is written from now on
        #[arg(long, short)]
        follow: bool,
        /// Not what is older: a time such as 10m, or a moment such as 2026-11-28T18:00:00Z
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
        /// The last N lines [default: 100]
        #[arg(long, short = 'n', value_name = "N")]
        last: Option<usize>,
    },
    /// Have the daemon read its configuration again, and apply what has changed
    #[command(after_help = "Example: bastiond config check && bastiond ctl reload")]
    Reload {
        /// Print what has changed as JSON
        #[arg(long)]
        json: bool,
    },
    /// Show what the bastions' tasks cost, as an estimate
    #[command(after_help = "Example: bastiond ctl cost")]
    Cost {
        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },
    /// Give the code of your MFA device that a role waits for
    #[command(after_help = "Example: bastiond ctl mfa 123456")]
    Mfa {
        /// The six digits, each good once [default: asked for]
        code: Option<String>,
        /// The bastion whose account waits for it, if several do
        #[arg(long, value_name = "NAME")]
        bastion: Option<String>,
    },
    /// List tasks and sessions that a daemon of yours started and that none looks after
    #[command(after_help = "Example: bastiond ctl orphans --end")]
    Orphans {
        /// End them
        #[arg(long)]
        end: bool,
        /// Print them as JSON
        #[arg(long)]
        json: bool,
    },
    /// Write a file for a report of what goes wrong; secrets, accounts and names of hosts are not in it
    #[command(after_help = "Example: bastiond ctl bugreport")]
    Bugreport {
        /// The file, which must not exist [default: bastiond-bugreport-DATE.txt, here]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Stop the daemon, and wait until it is gone
    #[command(after_help = "Example: bastiond ctl shutdown && bastiond start")]
    Shutdown,
}

/// What `wait` waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Goal {
    /// A session carries connections
    Ready,
    /// It listens, without a session
    Idle,
    /// The same, and its bastion has no task
    Stopped,
}
