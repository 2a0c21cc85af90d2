//! Where systems differ. Nothing else in the crate asks which one it runs on.

pub mod activation;
pub mod descriptors;
#[cfg(target_os = "macos")]
#[allow(unsafe_code)]
mod launchd;
pub mod network;
pub mod port_holder;
pub mod program;

/// The systems whose conventions are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    /// Linux and other systems that follow the XDG base directories.
    Linux,
    /// macOS.
    MacOs,
}

impl System {
    /// The system this was built for.
    pub const CURRENT: System = if cfg!(target_os = "macos") {
        System::MacOs
    } else {
        System::Linux
    };

    /// How many bytes the path of a Unix socket may have, without the closing zero (`sun_path` in `sys/un.h`:
    /// 108 bytes on Linux, 104 on macOS and the BSDs).
    pub const fn longest_socket_path(self) -> usize {
        match self {
            System::Linux => 107,
            System::MacOs => 103,
        }
    }
}

/// What this machine calls itself.
pub fn host_name() -> String {
    rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned()
}

/// The name shown to AWS for an assumed role's session, and in session lists.
pub fn local_user() -> String {
    let name = ["USER", "LOGNAME"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok());
    name.filter(|name| !name.is_empty())
        .unwrap_or_else(|| format!("uid-{}", rustix::process::geteuid().as_raw()))
}
