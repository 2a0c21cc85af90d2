//! What goes to stdout and stderr. Their reader may be gone, and a disk may be full: neither is a reason to panic, as the
//! macros of the standard library do, least of all for a daemon in the foreground.
//!
//! A reader that has seen enough, such as `head`, is no failure. Data that could not be written is one: [`ended`] turns it
//! into an exit code.

use std::{
    fmt,
    io::{self, Write},
    process::ExitCode,
    sync::OnceLock,
};

/// What kept data from being written, the first time that happened.
static FAILURE: OnceLock<String> = OnceLock::new();

/// `println!`, without a panic.
#[macro_export]
macro_rules! outln {
    ($($text:tt)*) => { $crate::output::out(format_args!("{}\n", format_args!($($text)*))) };
}

/// `eprintln!`, without a panic.
#[macro_export]
macro_rules! errln {
    ($($text:tt)*) => { $crate::output::err(format_args!("{}\n", format_args!($($text)*))) };
}

/// Data, to stdout.
pub fn out(text: fmt::Arguments<'_>) {
    keep(io::stdout().lock().write_fmt(text));
}

/// The same, as bytes.
pub fn data(bytes: &[u8]) {
    keep(io::stdout().lock().write_all(bytes));
}

/// The same, with colours where stdout has them.
pub fn styled(text: &str) {
    keep(anstream::stdout().lock().write_all(text.as_bytes()));
}

/// Talk, to stderr. There is nobody to tell if it fails.
pub fn err(text: fmt::Arguments<'_>) {
    let _ = io::stderr().lock().write_fmt(text);
}

/// The exit code of a program that would end with `code`.
pub fn ended(code: ExitCode) -> ExitCode {
    keep(io::stdout().flush());
    match FAILURE.get() {
        None => code,
        Some(why) => {
            errln!("error: cannot write to stdout: {why}");
            ExitCode::FAILURE
        }
    }
}

fn keep(written: io::Result<()>) {
    if let Err(error) = written
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        FAILURE.get_or_init(|| error.to_string());
    }
}
