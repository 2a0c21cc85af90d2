//! What an agent of a given version needs from us.
//!
//! Versions are dotted numbers, compared component by component as the reference agent does. The gates are those of the
//! reference client, plus the faults that were mended in known agent releases.

use thiserror::Error;

/// A version of the agent or the client: up to four dotted numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version([u32; 4]);

impl Version {
    /// A version from its four numbers.
    pub const fn new(a: u32, b: u32, c: u32, d: u32) -> Self {
        Self([a, b, c, d])
    }

    /// Reads `3.3.987.0`; missing components count as zero. `None` if it is anything but one to four dotted numbers.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = [0; 4];
        for (index, part) in text.split('.').enumerate() {
            *parts.get_mut(index)? = part.parse().ok()?;
        }
        Some(Self(parts))
    }
}

/// The agent's behaviours that change ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traits {
    /// It ends the session when nothing arrives in its mux for 30 s, so frames must be sent in silence too.
    pub needs_frames: bool,
    /// It acknowledges a message it already has. Older ones ignore it, so a lost acknowledgement is never repaired.
    pub acks_duplicates: bool,
    /// It leaves early data unacknowledged until its port plugin is ready. Older ones acknowledge it and lose it.
    pub keeps_early_data: bool,
}

impl Traits {
    /// Those of a current agent; also assumed of one whose version is not a version.
    pub const MODERN: Self = Self {
        needs_frames: false,
        acks_duplicates: true,
        keeps_early_data: true,
    };

    /// Those of the agent that says it is `text`.
    pub fn of(text: &str) -> Self {
        let Some(version) = Version::parse(text) else {
            return Self::MODERN;
        };
        Self {
            needs_frames: version <= LAST_WITH_KEEPALIVE && version != WITHOUT_KEEPALIVE,
            acks_duplicates: version >= FIRST_TO_ACK_DUPLICATES,
            keeps_early_data: version >= FIRST_TO_KEEP_EARLY_DATA,
        }
    }
}

/// An agent that cannot serve a tunnel.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "the agent is version {version}, and {why} needs {needed} or later: update the SSM agent of the target"
)]
pub struct TooOld {
    /// What the agent said it is.
    pub version: String,
    /// The first release that would do.
    pub needed: &'static str,
    /// What needs it, in words.
    pub why: &'static str,
}

/// Refuses agents without a mux, and, when a remote host is to be reached, those that would dial themselves instead.
///
/// ```
/// use bastiond::proto::version::check;
/// assert!(check("3.3.987.0", true).is_ok());
/// assert!(check("3.1.1187.0", false).is_ok());
/// assert!(check("3.1.1187.0", true).is_err());
/// ```
pub fn check(agent: &str, remote_host: bool) -> Result<(), TooOld> {
    let Some(version) = Version::parse(agent) else {
        return Ok(());
    };
    let refuse = |needed, why| {
        Err(TooOld {
            version: agent.to_owned(),
            needed,
            why,
        })
    };
    if version <= LAST_WITHOUT_MUX {
        return refuse("3.0.222.0", "more than one connection at a time");
    }
    if remote_host && version < FIRST_WITH_REMOTE_HOST {
        return refuse("3.1.1188.0", "forwarding to a remote host");
    }
    Ok(())
}

/// The reference client's gate: only later agents speak smux.
const LAST_WITHOUT_MUX: Version = Version::new(3, 0, 196, 0);
/// Earlier releases acknowledge data that their port plugin is not ready for, and lose it.
const FIRST_TO_KEEP_EARLY_DATA: Version = Version::new(3, 0, 655, 0);
/// Earlier releases do not know the `host` property and dial the target itself.
const FIRST_WITH_REMOTE_HOST: Version = Version::new(3, 1, 1188, 0);
/// One release had its mux keepalive switched off by mistake.
const WITHOUT_KEEPALIVE: Version = Version::new(3, 1, 1446, 0);
/// The reference client's gate: later agents switch their mux keepalive off for a client as new as ours.
const LAST_WITH_KEEPALIVE: Version = Version::new(3, 1, 1511, 0);
/// Earlier releases ignore a repeated message without acknowledging it.
const FIRST_TO_ACK_DUPLICATES: Version = Version::new(3, 2, 1041, 0);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number_not_by_text() {
        let parse = |text| Version::parse(text).expect("a version");
        assert!(parse("3.10.0.0") > parse("3.9.9.9"));
        assert_eq!(parse("3.3"), parse("3.3.0.0"));
        for bad in [
            "",
            "3.",
            "3.x",
            "1.2.3.4.5",
            "-1",
            "99999999999",
            "bastiond/1",
        ] {
            assert_eq!(Version::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn agents_without_a_mux_are_refused_with_a_reason() {
        let refused = check("3.0.196.0", false).expect_err("basic mode only");
        assert_eq!(refused.needed, "3.0.222.0");
        assert!(check("3.0.222.0", false).is_ok());
    }

    #[test]
    fn an_agent_that_ignores_the_host_is_refused_only_when_there_is_one() {
        let refused = check("3.1.1187.0", true).expect_err("would dial itself");
        assert!(
            refused
                .to_string()
                .contains("3.1.1187.0, and forwarding to a remote host needs 3.1.1188.0")
        );
        assert!(check("3.1.1187.0", false).is_ok());
        assert!(check("3.1.1188.0", true).is_ok());
    }

    #[test]
    fn old_agents_need_frames_except_the_one_released_by_mistake() {
        assert!(Traits::of("3.1.1511.0").needs_frames);
        assert!(Traits::of("3.1.1476.0").needs_frames);
        assert!(!Traits::of("3.1.1446.0").needs_frames);
        assert!(!Traits::of("3.1.1575.0").needs_frames);
    }

    #[test]
    fn faults_end_with_the_release_that_mended_them() {
        assert!(!Traits::of("3.2.1040.0").acks_duplicates);
        assert!(Traits::of("3.2.1041.0").acks_duplicates);
        assert!(!Traits::of("3.0.654.0").keeps_early_data);
        assert!(Traits::of("3.0.655.0").keeps_early_data);
        assert_eq!(Traits::of("latest"), Traits::MODERN);
    }
}
