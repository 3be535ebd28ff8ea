//! Where commands write. Who reads it may have had enough: `frontdesk check | head -1` closes the
//! pipe, and the command then ends quietly, as one that SIGPIPE ends does. The standard library's
//! macros would panic.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write};

/// What a shell shows for a command that SIGPIPE ended: 128 + 13.
const NOBODY_READS: i32 = 141;

/// Standard output; writing to it ends the process once nobody reads it any more.
pub(super) struct Output;

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        read_by_somebody(io::stdout().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        read_by_somebody(io::stdout().flush())
    }
}

fn read_by_somebody<T>(written: io::Result<T>) -> io::Result<T> {
    if written.as_ref().is_err_and(|error| error.kind() == ErrorKind::BrokenPipe) {
        std::process::exit(NOBODY_READS);
    }
    written
}

/// A line on standard output. What can't be written for another reason, a full disk say, ends the
/// command with a failure.
pub(super) fn line(text: Arguments<'_>) {
    // One call for the whole line: lines of several threads don't mix.
    if let Err(error) = Output.write_all(format!("{text}\n").as_bytes()) {
        note(format_args!("frontdesk: can't write to standard output: {error}"));
        std::process::exit(1);
    }
}

/// A line on standard error. Where nobody reads that, there is nobody to tell.
pub(super) fn note(text: Arguments<'_>) {
    let _ = io::stderr().write_all(format!("{text}\n").as_bytes());
}
