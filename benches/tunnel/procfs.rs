//! What the system says of a process. Only Linux says it; elsewhere there is no answer.

/// What one look shows.
#[derive(Clone, Copy, Debug)]
pub struct Glance {
    /// Resident memory, MB.
    pub resident: f64,
    /// How often its threads went to sleep of their own accord so far, and so were woken.
    pub sleeps: u64,
}

/// The process `pid` now.
pub fn glance(pid: u32) -> Option<Glance> {
    if cfg!(not(target_os = "linux")) {
        return None;
    }
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    let sleeps = threads.filter_map(|thread| {
        let status = std::fs::read_to_string(thread.ok()?.path().join("status")).ok()?;
        field(&status, "voluntary_ctxt_switches:")
    });
    Some(Glance {
        resident: field(&status, "VmRSS:")? as f64 * 1024.0 / 1e6,
        sleeps: sleeps.sum(),
    })
}

fn field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}
