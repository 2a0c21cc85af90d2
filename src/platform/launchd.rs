//! launchd's hand-over of the sockets that it opened for us (`launch_activate_socket(3)`).
//!
//! The one place in the crate where safety is argued and not checked: launchd gives descriptors through a C call, and
//! no crate that is looked after offers it.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::os::fd::{FromRawFd, OwnedFd};
use std::{ptr, slice};

use rustix::io::{FdFlags, fcntl_setfd};

/// The key of the sockets in the agent's property list.
pub const SOCKETS: &str = "Listeners";
const SOCKETS_C: &CStr = c"Listeners";

unsafe extern "C" {
    fn launch_activate_socket(
        name: *const c_char,
        fds: *mut *mut c_int,
        count: *mut usize,
    ) -> c_int;
    fn free(memory: *mut c_void);
}

/// The sockets of our property list. None, when launchd did not start this process, or has given them already.
pub fn sockets() -> Vec<OwnedFd> {
    let mut fds: *mut c_int = ptr::null_mut();
    let mut count = 0;
    // SAFETY: the name ends in a zero, and both places may be written to. On success `fds` is an array of `count`
    // descriptors from malloc, which is ours to free, as the descriptors are ours to close.
    let code = unsafe { launch_activate_socket(SOCKETS_C.as_ptr(), &mut fds, &mut count) };
    if code != 0 || fds.is_null() {
        return Vec::new();
    }
    // SAFETY: see above; nobody else knows these descriptors, and each is taken once.
    let owned: Vec<OwnedFd> = unsafe {
        let raw = slice::from_raw_parts(fds, count);
        let owned = raw.iter().map(|fd| OwnedFd::from_raw_fd(*fd)).collect();
        free(fds.cast());
        owned
    };
    for fd in &owned {
        let _ = fcntl_setfd(fd, FdFlags::CLOEXEC);
    }
    owned
}
