//! A database named by its id instead of its host: `rds-cluster:app`, `rds-cluster:tag:Env=dev:reader`.
//!
//! ```text
//! KIND : ID | tag:KEY=VALUE [: ROLE]
//! ```

use std::fmt;

use super::{error::Complaint, suggest};

/// The longest key and value of a tag (AWS's limits).
const LONGEST_KEY: usize = 128;
const LONGEST_VALUE: usize = 256;
/// The longest id of all kinds.
const LONGEST_ID: usize = 64;

/// A database as AWS knows it. Where it is, AWS is asked when a session starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    /// What it is.
    pub kind: Database,
    /// Which one.
    pub which: Which,
    /// Which of its endpoints.
    pub role: Role,
}

/// The kinds of databases that can be named by their id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Database {
    /// An Aurora or Multi-AZ DB cluster.
    RdsCluster,
    /// A DB instance.
    RdsInstance,
    /// An RDS Proxy.
    RdsProxy,
    /// A replication group of ElastiCache with cluster mode disabled.
    ElastiCache,
    /// A Memcached cluster of one node.
    Memcached,
    /// A DocumentDB cluster.
    DocDb,
    /// A Neptune cluster.
    Neptune,
    /// A provisioned Redshift cluster.
    Redshift,
    /// A workgroup of Redshift Serverless.
    RedshiftServerless,
    /// An OpenSearch domain.
    OpenSearch,
}

/// Which of its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// The one with this id.
    Id(String),
    /// The only one with this tag.
    Tag {
        /// The tag's key.
        key: String,
        /// Its value.
        value: String,
    },
}

/// Which of its endpoints.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// The one that takes writes.
    #[default]
    Writer,
    /// The one that only reads.
    Reader,
    /// A custom endpoint of an Aurora cluster, by name.
    Endpoint(String),
}

impl Database {
    const ALL: [Self; 10] = [
        Self::RdsCluster,
        Self::RdsInstance,
        Self::RdsProxy,
        Self::ElastiCache,
        Self::Memcached,
        Self::DocDb,
        Self::Neptune,
        Self::Redshift,
        Self::RedshiftServerless,
        Self::OpenSearch,
    ];

    /// Its word in a selector.
    pub fn word(self) -> &'static str {
        match self {
            Self::RdsCluster => "rds-cluster",
            Self::RdsInstance => "rds-instance",
            Self::RdsProxy => "rds-proxy",
            Self::ElastiCache => "elasticache",
            Self::Memcached => "memcached",
            Self::DocDb => "docdb",
            Self::Neptune => "neptune",
            Self::Redshift => "redshift",
            Self::RedshiftServerless => "redshift-serverless",
            Self::OpenSearch => "opensearch",
        }
    }

    /// What does not work through a tunnel as it does without, and what helps.
    pub fn caution(self) -> Option<&'static str> {
        match self {
            Self::DocDb => Some(
                "clients need `directConnection=true`: the members that a replica set tells them of are not reached",
            ),
            Self::OpenSearch => Some(
                "clients need `https`, and the domain's own name for its certificate: `curl --connect-to`, or a name for 127.0.0.1",
            ),
            _ => None,
        }
    }

    fn roles(self) -> &'static [(&'static str, Role)] {
        match self {
            Self::RdsCluster | Self::DocDb | Self::Neptune => {
                &[("writer", Role::Writer), ("reader", Role::Reader)]
            }
            Self::RdsProxy => &[("readonly", Role::Reader)],
            Self::ElastiCache => &[("primary", Role::Writer), ("reader", Role::Reader)],
            Self::RdsInstance
            | Self::Memcached
            | Self::Redshift
            | Self::RedshiftServerless
            | Self::OpenSearch => &[],
        }
    }

    /// Whether its description has its tags: what would take a call for each is not searched.
    fn tells_tags(self) -> bool {
        use Database::{ElastiCache, Memcached, OpenSearch, RdsProxy, RedshiftServerless};
        !matches!(
            self,
            RdsProxy | ElastiCache | Memcached | RedshiftServerless | OpenSearch
        )
    }
}

/// What people may ask for all the same: the word, why not, and what to do instead.
const REFUSED: [(&str, &str, &str); 4] = [
    (
        "msk",
        "its brokers send clients on to names of their own, which one tunnel does not reach",
        "run the client inside the VPC",
    ),
    (
        "memorydb",
        "its nodes send clients on to each other, which one tunnel does not follow",
        "run the client inside the VPC",
    ),
    (
        "elasticache-serverless",
        "it speaks the cluster protocol, which sends clients on to where one tunnel does not lead",
        "run the client inside the VPC",
    ),
    ("dsql", "its endpoint is public", "connect to it directly"),
];

/// Reads a selector; `None` when `text` is not one, but a host or an attempt at one.
pub(super) fn parse(text: &str) -> Option<Result<Selector, Complaint>> {
    let (word, rest) = text.split_once(':')?;
    let kind = Database::ALL.into_iter().find(|kind| kind.word() == word);
    if let Some(kind) = kind {
        return Some(of_kind(kind, rest));
    }
    if let Some((_, why, instead)) = REFUSED.iter().find(|(refused, ..)| *refused == word) {
        return Some(Err(
            Complaint::new(format!("`{word}`: {why}")).hint(*instead)
        ));
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let is_port = rest.chars().all(|c| c.is_ascii_digit());
    let is_host = rest.starts_with([':', '/']) || is_port;
    if word.is_empty() || !word.chars().all(plain) || is_host || is_address(text) {
        return None;
    }
    let known = Database::ALL.map(Database::word);
    let complaint = Complaint::new(format!("no kind of database is called `{word}`"));
    Some(Err(
        complaint.hint(suggest::hint(word, known).unwrap_or_default())
    ))
}

fn is_address(text: &str) -> bool {
    text.parse::<std::net::Ipv6Addr>().is_ok()
}

fn of_kind(kind: Database, rest: &str) -> Result<Selector, Complaint> {
    let (which, role) = match rest.strip_prefix("tag:") {
        Some(tag) => by_tag(kind, tag)?,
        None => by_id(kind, rest)?,
    };
    let role = match role {
        None => Role::default(),
        Some(word) => self::role(kind, word)?,
    };
    Ok(Selector { kind, which, role })
}

fn by_id(kind: Database, rest: &str) -> Result<(Which, Option<&str>), Complaint> {
    let (id, role) = split(rest);
    let word = kind.word();
    if id == "arn" {
        return Err(Complaint::new("is an ARN").hint(format!("write its id: `{word}:ID`")));
    }
    id_of(id).map_err(|complaint| complaint.hint(format!("write `{word}:ID`")))?;
    Ok((Which::Id(id.to_owned()), role))
}

/// A key may have colons (`aws:cloudformation:stack-name`), a value may not: the role begins there.
fn by_tag(kind: Database, tag: &str) -> Result<(Which, Option<&str>), Complaint> {
    let word = kind.word();
    if !kind.tells_tags() {
        return Err(Complaint::new(format!("`{word}` cannot be found by a tag"))
            .hint(format!("write `{word}:ID`")));
    }
    let wrong = || {
        let text = tag.escape_debug();
        Complaint::new(format!("`{text}` is not a tag"))
            .hint(format!("write `{word}:tag:KEY=VALUE`"))
    };
    let (key, rest) = tag.split_once('=').ok_or_else(wrong)?;
    let (value, role) = split(rest);
    let fits = |text: &str, longest| {
        (1..=longest).contains(&text.chars().count()) && !text.chars().any(char::is_control)
    };
    if !fits(key, LONGEST_KEY) || !fits(value, LONGEST_VALUE) {
        return Err(wrong());
    }
    let (key, value) = (key.to_owned(), value.to_owned());
    Ok((Which::Tag { key, value }, role))
}

fn split(text: &str) -> (&str, Option<&str>) {
    match text.split_once(':') {
        Some((first, rest)) => (first, Some(rest)),
        None => (text, None),
    }
}

fn role(kind: Database, word: &str) -> Result<Role, Complaint> {
    let roles = kind.roles();
    if let Some((_, role)) = roles.iter().find(|(known, _)| *known == word) {
        return Ok(role.clone());
    }
    if kind == Database::RdsCluster
        && let Some(name) = word.strip_prefix("endpoint=")
    {
        id_of(name)?;
        return Ok(Role::Endpoint(name.to_owned()));
    }
    if kind == Database::ElastiCache && word == "config" {
        let why = "`config` is the endpoint of a cache in cluster mode, whose nodes send clients on to each other: \
                   one tunnel does not follow";
        return Err(Complaint::new(why).hint("run the client inside the VPC"));
    }
    let kind = kind.word();
    let complaint = Complaint::new(format!(
        "`{}` is no endpoint of an `{kind}`",
        word.escape_debug()
    ));
    let hint = suggest::hint(word, roles.iter().map(|(known, _)| *known));
    Err(complaint.hint(hint.unwrap_or_else(|| format!("write `{kind}:ID` alone"))))
}

fn id_of(text: &str) -> Result<(), Complaint> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if (1..=LONGEST_ID).contains(&text.len()) && text.chars().all(plain) {
        return Ok(());
    }
    Err(Complaint::new(format!(
        "`{}` is not an id",
        text.escape_debug()
    )))
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.word(), self.which)?;
        if let Role::Endpoint(name) = &self.role {
            return write!(f, ":endpoint={name}");
        }
        let roles = self.kind.roles().iter();
        let word = roles
            .filter(|_| self.role != Role::default())
            .find(|(_, role)| *role == self.role);
        word.map_or(Ok(()), |(word, _)| write!(f, ":{word}"))
    }
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => f.write_str(id),
            Self::Tag { key, value } => write!(f, "tag:{key}={value}"),
        }
    }
}

#[cfg(test)]
mod tests;
