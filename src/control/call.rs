//! What can be called, and what each call takes.

/// What is called; the name of the tunnel or bastion, where there is one, comes beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    Status,
    Tunnel,
    Up,
    Down,
    Restart,
    Reset,
    Wait,
    WaitForAll,
    Connections,
    Hold,
    Orphans,
    EndOrphans,
    Mfa,
    Events,
    Logs,
    Config,
    Reload,
    RestartDaemon,
    Shutdown,
    OpenApi,
}

/// A word that may stand after the `?` of a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word {
    pub name: &'static str,
    pub kind: Kind,
    pub says: &'static str,
}

/// What a word takes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// A name of the configuration.
    Name,
    /// A span of time, such as `90s`.
    Duration,
    /// A span of time, or a moment in RFC 3339.
    Moment,
    /// Six digits.
    Digits,
    /// A whole number.
    Number,
    /// `true` or `false`.
    Flag,
    /// One of these.
    OneOf(&'static [&'static str]),
}

const FOR: Word = Word {
    name: "for",
    kind: Kind::Duration,
    says: "Keep the tunnel's bastion for so long, 1s to 7d, though nobody may be connected.",
};
const GOAL: Word = Word {
    name: "for",
    kind: Kind::OneOf(&["ready", "idle", "stopped"]),
    says: "What to wait for: a session that carries connections (the default); a tunnel without a session; that, and \
           a bastion without a task.",
};
const TIMEOUT: Word = Word {
    name: "timeout",
    kind: Kind::Duration,
    says: "For how long at most: 30s if nothing is said, 9m at most.",
};
const TUNNEL: Word = Word {
    name: "tunnel",
    kind: Kind::Name,
    says: "Only those of this tunnel.",
};
const LAST: Word = Word {
    name: "last",
    kind: Kind::Number,
    says: "Begin with so many of the latest.",
};
const FOLLOW: Word = Word {
    name: "follow",
    kind: Kind::Flag,
    says: "Go on with what comes, until the caller or the daemon ends.",
};
const SINCE: Word = Word {
    name: "since",
    kind: Kind::Moment,
    says: "Only what is not older than so long, or than a moment.",
};

const CODE: Word = Word {
    name: "code",
    kind: Kind::Digits,
    says: "The six digits that the device shows. Each code is good once.",
};
const BASTION: Word = Word {
    name: "bastion",
    kind: Kind::Name,
    says: "The bastion whose account it is for, where several wait.",
};

impl Call {
    /// The words that it takes.
    pub fn words(self) -> &'static [Word] {
        match self {
            Self::Up => &[FOR],
            Self::Wait | Self::WaitForAll => &[GOAL, TIMEOUT],
            Self::Connections => &[TUNNEL],
            Self::Mfa => &[CODE, BASTION],
            Self::Events => &[LAST, FOLLOW],
            Self::Logs => &[LAST, SINCE, FOLLOW],
            Self::Status
            | Self::Tunnel
            | Self::Down
            | Self::Restart
            | Self::Reset
            | Self::Hold
            | Self::Orphans
            | Self::EndOrphans
            | Self::Config
            | Self::Reload
            | Self::RestartDaemon
            | Self::Shutdown
            | Self::OpenApi => &[],
        }
    }

    /// What it does, in a line.
    pub fn summary(self) -> &'static str {
        match self {
            Self::Status => "How the daemon is.",
            Self::Tunnel => "How one tunnel is.",
            Self::Up => {
                "Has a session ready, as if somebody had connected. Answers when it is, with the tunnel."
            }
            Self::Down => {
                "Ends the tunnel's sessions; it goes on listening. Answers when they have ended, with the tunnel."
            }
            Self::Restart => {
                "Ends the tunnel's sessions, whose connections are reset, and has a new one ready. The bastion's task \
                 stays; one that failed to start is tried again. Answers when it is ready, with the tunnel."
            }
            Self::Reset => {
                "Cuts the tunnel's sessions off, whatever they are doing. Their connections are reset at once; those \
                 that wait go on waiting, for a new session. Answers when they are reset, with the tunnel."
            }
            Self::Wait => "Answers when the tunnel is in a state, with the tunnel.",
            Self::WaitForAll => "Answers when every tunnel is in a state, with the status.",
            Self::Connections => {
                "The local connections that are open, with the programs that they come from where the system tells."
            }
            Self::Hold => {
                "Has a bastion run and keeps it for 60 s; asking again prolongs that. Answers when it is ready, with \
                 the bastion."
            }
            Self::Orphans => {
                "Tasks and sessions that a daemon of ours started and that none looks after."
            }
            Self::EndOrphans => "The same, and ends them.",
            Self::Mfa => {
                "Gives a code of an MFA device to the role that waits for it. Answers when AWS has taken it."
            }
            Self::Events => {
                "Changes of state, as newline-delimited JSON, an event a line. With `follow=false` it ends after the \
                 last; a reader that is too slow is dropped, and a line of the kind `stream` says so."
            }
            Self::Logs => "Lines of the log, as text: the last 100 if nothing is said.",
            Self::Config => "The configuration in force.",
            Self::Reload => {
                "Reads the configuration again and applies what has changed. A bad file is refused whole."
            }
            Self::RestartDaemon => {
                "Restarts the daemon as the program that its file holds now. No listener is lost; connections are given \
                 `shutdown_timeout` to end. It goes on ending after the answer."
            }
            Self::Shutdown => {
                "Stops the daemon, as SIGTERM does. It goes on stopping after the answer."
            }
            Self::OpenApi => "This API as an OpenAPI document.",
        }
    }
}
