//! The place of the door: who gets in, how it is taken, and that a living daemon is never displaced.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::Path,
    time::Duration,
};

use crate::support::{door::Daemon, paths_in};
use bastiond::control::{
    client::Client,
    socket::{Claim, Error, is_claimed},
};
use bastiond::sockets::Sockets;

// ---- callers ----

#[tokio::test]
async fn another_user_is_dropped_unread() {
    let me = rustix::process::geteuid().as_raw();
    let daemon = Daemon::start_for(me + 1).await;
    let (head, _) = daemon
        .raw("POST /v1/shutdown HTTP/1.1\r\nHost: bastiond\r\n\r\n")
        .await;
    assert_eq!(head, "");
    assert_eq!(daemon.stop().await, [""; 0]);
}

/// A true second user, where the tests run as root; modes are loosened first, so that only the uid check stands.
/// On Linux an effective uid belongs to a thread, and a socket remembers that of the thread which connected.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn another_user_is_dropped_though_all_modes_are_open() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: needs root");
        return;
    }
    let daemon = Daemon::start().await;
    let run = daemon.paths.socket.parent().unwrap();
    for path in [daemon.folder.path(), run, &daemon.paths.socket] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
    }
    for (uid, expected) in [(65534, ""), (0, "HTTP/1.1 202")] {
        let socket = daemon.paths.socket.clone();
        let asking = tokio::task::spawn_blocking(move || ask_as(uid, &socket));
        let Some(answer) = asking.await.unwrap() else {
            eprintln!("skipped: root may not become uid {uid} here");
            continue;
        };
        assert_eq!(answer.get(..12).unwrap_or_default(), expected, "uid {uid}");
    }
    assert_eq!(daemon.stop().await, ["shutdown"]);
}

#[cfg(target_os = "linux")]
fn ask_as(uid: u32, socket: &Path) -> Option<String> {
    use std::io::{Read, Write};
    let thread = std::thread::scope(|scope| {
        scope
            .spawn(|| {
                let uid = rustix::process::Uid::from_raw(uid);
                rustix::thread::set_thread_res_uid(uid, uid, uid).ok()?;
                let mut stream = std::os::unix::net::UnixStream::connect(socket).unwrap();
                let mut answer = String::new();
                // A server that drops the caller unread resets the connection.
                let _ = stream.write_all(b"POST /v1/shutdown HTTP/1.1\r\nHost: bastiond\r\n\r\n");
                let _ = stream.read_to_string(&mut answer);
                Some(answer)
            })
            .join()
    });
    thread.unwrap()
}

// ---- the place ----

#[tokio::test]
async fn folder_socket_and_lock_are_private() {
    let daemon = Daemon::start().await;
    let mode = |path: &Path| fs::symlink_metadata(path).unwrap().mode() & 0o777;
    assert_eq!(mode(daemon.paths.socket.parent().unwrap()), 0o700);
    assert_eq!(mode(&daemon.paths.socket), 0o600);
    assert_eq!(mode(&daemon.paths.lock), 0o600);
    daemon.stop().await;
}

#[tokio::test]
async fn a_stale_socket_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let paths = paths_in(folder.path());
    fs::create_dir(paths.socket.parent().unwrap()).unwrap();
    fs::set_permissions(
        paths.socket.parent().unwrap(),
        fs::Permissions::from_mode(0o700),
    )
    .unwrap();
    drop(std::os::unix::net::UnixListener::bind(&paths.socket).unwrap());
    fs::write(&paths.lock, "99999999\n").unwrap();
    assert!(paths.socket.exists());
    let daemon = Daemon::start_at(folder, rustix::process::geteuid().as_raw());
    daemon.client().status().await.unwrap();
    daemon.stop().await;
}

#[tokio::test]
async fn a_living_daemon_is_named_and_never_displaced() {
    let daemon = Daemon::start().await;
    let error = Claim::take(&daemon.paths).unwrap_err();
    let (pid, socket) = (std::process::id(), daemon.paths.socket.display());
    assert_eq!(
        error.to_string(),
        format!("bastiond is already running (pid {pid}), socket {socket}")
    );
    assert!(is_claimed(&daemon.paths));
    daemon.client().status().await.unwrap();
    daemon.stop().await;
}

#[tokio::test]
async fn a_living_daemon_is_not_displaced_though_its_lock_file_was_deleted() {
    let daemon = Daemon::start().await;
    fs::remove_file(&daemon.paths.lock).unwrap();
    let error = Claim::take(&daemon.paths)
        .unwrap()
        .listen(&Sockets::default())
        .unwrap_err();
    assert!(matches!(error, Error::AlreadyRunning { .. }), "{error}");
    daemon.client().status().await.unwrap();
    daemon.stop().await;
}

#[tokio::test]
async fn the_place_is_free_again_after_a_stop() {
    let daemon = Daemon::start().await;
    let paths = daemon.paths.clone();
    let folder = daemon.stop_and_keep().await;
    // A program that another test starts at this moment holds our files until it is executed.
    let free = async {
        while is_claimed(&paths) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), free)
        .await
        .expect("nobody holds the claim");
    Daemon::start_at(folder, rustix::process::geteuid().as_raw())
        .stop()
        .await;
}

#[test]
fn a_folder_open_to_others_is_refused_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let paths = paths_in(folder.path());
    let runtime = paths.socket.parent().unwrap();
    fs::create_dir(runtime).unwrap();
    fs::set_permissions(runtime, fs::Permissions::from_mode(0o755)).unwrap();
    let shown = runtime.display();
    assert_eq!(
        Claim::take(&paths).unwrap_err().to_string(),
        format!(
            "the control socket's folder `{shown}` is open to others (mode 0755)\nhint: chmod 700 {shown}"
        )
    );
}

#[test]
fn a_link_in_place_of_the_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let paths = paths_in(folder.path());
    let elsewhere = folder.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    symlink(&elsewhere, paths.socket.parent().unwrap()).unwrap();
    let error = Claim::take(&paths).unwrap_err().to_string();
    assert!(error.contains("is not a folder"), "{error}");
}

#[test]
fn a_link_in_place_of_the_lock_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let paths = paths_in(folder.path());
    drop(Claim::take(&paths).unwrap());
    fs::remove_file(&paths.lock).unwrap();
    let victim = folder.path().join("victim");
    fs::write(&victim, "precious").unwrap();
    symlink(&victim, &paths.lock).unwrap();
    assert!(matches!(Claim::take(&paths), Err(Error::Io { .. })));
    assert_eq!(fs::read_to_string(victim).unwrap(), "precious");
}

#[tokio::test]
async fn a_file_in_the_way_is_not_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let paths = paths_in(folder.path());
    let claim = Claim::take(&paths).unwrap();
    fs::write(&paths.socket, "precious").unwrap();
    assert!(matches!(
        claim.listen(&Sockets::default()),
        Err(Error::InTheWay(_))
    ));
    assert_eq!(fs::read_to_string(&paths.socket).unwrap(), "precious");
}

#[tokio::test]
async fn a_path_too_long_for_the_system_is_said_before_it_fails() {
    let folder = tempfile::tempdir().unwrap();
    let paths = paths_in(&folder.path().join("x".repeat(120)));
    let said = Claim::take(&paths).unwrap_err().to_string();
    assert!(
        said.starts_with("the control socket's path is too long: "),
        "{said}"
    );
    assert!(
        said.ends_with("hint: set BASTIOND_SOCKET to a shorter one"),
        "{said}"
    );
    assert!(!paths.socket.parent().unwrap().exists(), "nothing was made");
    let said = Client::new(&paths.socket)
        .status()
        .await
        .unwrap_err()
        .to_string();
    assert!(
        said.starts_with("the control socket's path is too long: "),
        "{said}"
    );
}
