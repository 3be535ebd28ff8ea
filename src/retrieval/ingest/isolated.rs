//! Business formats are read by a child process of the same binary, with limits on memory and time.
//!
//! Parsers of such formats panic, recurse and allocate as a hostile file tells them to, and neither
//! a thread's memory nor its time can be taken back. A process can: what goes wrong in it is one
//! document's reason. The document goes in over stdin, its text comes back over stdout as JSON; the
//! child has no environment, can write no files and starts no shell.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::walk::Format;
use super::{docx, pdf, workbook, xml};
use crate::retrieval::ingest::extraction::{Extraction, MAX_TEXT_BYTES};

/// Exit code of a child that ran out of its time.
const OUT_OF_TIME: u8 = 3;
/// Parsers recurse.
const STACK_BYTES: usize = 32 << 20;
/// What the child's own allocator and threads need besides the document, in MiB.
const OWN_MIB: u64 = 256;
/// How long the child's end may take to be noticed beyond its own limit.
pub(super) const GRACE: Duration = Duration::from_secs(5);

/// How the child is run.
#[derive(Clone, Debug)]
pub(super) struct Isolation {
    pub(super) time_limit: Duration,
    pub(super) memory_mib: u64,
}

impl Format {
    /// Its name on the child's command line, if it is read by one.
    pub(super) fn isolated(self) -> Option<&'static str> {
        match self {
            Self::Pdf => Some("pdf"),
            Self::Docx => Some("docx"),
            Self::Workbook => Some("workbook"),
            Self::Xml => Some("xml"),
            _ => None,
        }
    }
}

/// Reads a document in a child process. Blocks for at most the time limit and [`GRACE`].
///
/// # Errors
///
/// Why it can't be read, in words.
pub(super) fn extract(
    format: &'static str,
    document: Vec<u8>,
    isolation: &Isolation,
) -> Result<Extraction, String> {
    let program = program()?;
    let mut command = Command::new(&program);
    command.arg("read-document").arg(format);
    command.args(["--seconds", &isolation.time_limit.as_secs().max(1).to_string()]);
    command.args(["--memory-mib", &isolation.memory_mib.to_string()]);
    command.env_clear().stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    if let Some(libraries) = std::env::var_os("LD_LIBRARY_PATH") {
        command.env("LD_LIBRARY_PATH", libraries);
    }
    let mut child = command
        .spawn()
        .map_err(|error| format!("the process that reads it could not be started: {error}"))?;
    let outcome = converse(&mut child, document);
    // It ends by itself at its time limit, but what it still says is of no interest after an error
    // here.
    if outcome.is_err() {
        let _ = child.kill();
    }
    let status =
        child.wait().map_err(|error| format!("the process that reads it was lost: {error}"))?;
    let (answer, complaint) = outcome?;
    if answer.len() as u64 > answer_limit() {
        return Err(format!("its text is larger than {} MiB", MAX_TEXT_BYTES >> 20));
    }
    match serde_json::from_slice::<Result<Extraction, String>>(&answer) {
        Ok(result) if status.success() => result,
        _ => Err(ending(status, &complaint, isolation)),
    }
}

/// JSON escapes at most double what documents hold; control characters were taken out.
fn answer_limit() -> u64 {
    2 * MAX_TEXT_BYTES as u64 + (1 << 20)
}

/// Sends the document and takes in the answer and what the child says on stderr.
fn converse(child: &mut Child, document: Vec<u8>) -> Result<(Vec<u8>, String), String> {
    let lost = |error: std::io::Error| format!("the process that reads it was lost: {error}");
    let stdin = child.stdin.take();
    // A child that dies early leaves the rest unread; its end says why.
    let feeding = std::thread::Builder::new().name("frontdesk-feed".into()).spawn(move || {
        if let Some(mut stdin) = stdin {
            let _ = stdin.write_all(&document);
        }
    });
    let feeding = feeding.map_err(lost)?;
    let mut answer = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        stdout.take(answer_limit() + 1).read_to_end(&mut answer).map_err(lost)?;
    }
    let mut complaint = Vec::new();
    if let Some(stderr) = child.stderr.take() {
        stderr.take(4096).read_to_end(&mut complaint).map_err(lost)?;
    }
    let _ = feeding.join();
    Ok((answer, String::from_utf8_lossy(&complaint).into_owned()))
}

/// Why a child ended without an answer.
fn ending(status: ExitStatus, complaint: &str, isolation: &Isolation) -> String {
    let signal = signal(status);
    if status.code() == Some(i32::from(OUT_OF_TIME)) || signal == Some(SIGXCPU) {
        return format!(
            "it took longer than {} s to read and was left out",
            isolation.time_limit.as_secs()
        );
    }
    if complaint.contains("memory allocation") {
        return format!(
            "it needs more than {} MiB of memory to read; split it, or raise knowledge.reader_memory_mib",
            isolation.memory_mib
        );
    }
    if complaint.contains("overflowed its stack") {
        return "it is nested too deeply".to_owned();
    }
    match signal {
        Some(signal) => format!(
            "the process that reads it was ended by signal {signal}; please report the document"
        ),
        None => format!("the process that reads it failed ({status}); please report the document"),
    }
}

const SIGXCPU: i32 = 24;

#[cfg(unix)]
fn signal(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

#[cfg(not(unix))]
fn signal(_status: ExitStatus) -> Option<i32> {
    None
}

/// Whether this program reads documents when it is asked to on its command line.
static READS: AtomicBool = AtomicBool::new(false);

/// This program reads documents when it is asked to, whatever its file is called.
pub fn this_program_reads() {
    READS.store(true, Ordering::Relaxed);
}

/// The binary to run: this one. A test is another program, built beside or below it.
fn program() -> Result<PathBuf, String> {
    const NAME: &str = "frontdesk";
    let this =
        std::env::current_exe().map_err(|error| format!("this program can't be found: {error}"))?;
    if READS.load(Ordering::Relaxed) {
        // The path may have a newer version by now, or none; the link leads to what runs.
        let link = Path::new("/proc/self/exe");
        return Ok(if link.exists() { link.to_owned() } else { this });
    }
    let beside = this.ancestors().skip(1).take(2).map(|folder| folder.join(NAME));
    beside.into_iter().find(|path| path.is_file()).ok_or_else(|| {
        "PDF, Word, Excel and XML documents are read by the program `frontdesk`, which is not beside this one"
            .to_owned()
    })
}

/// The child's side: reads a document from stdin and answers on stdout.
#[must_use]
pub fn read_document(format: &str, seconds: u64, memory_mib: u64) -> ExitCode {
    limit(seconds, memory_mib);
    // A parser that panics says so in its answer.
    std::panic::set_hook(Box::new(|_| {}));
    let deadline = std::thread::Builder::new().name("deadline".into()).spawn(move || {
        std::thread::sleep(Duration::from_secs(seconds));
        std::process::exit(i32::from(OUT_OF_TIME));
    });
    let format = format.to_owned();
    let parsing = std::thread::Builder::new().name("parser".into()).stack_size(STACK_BYTES).spawn(
        move || {
            let mut document = Vec::new();
            if let Err(error) = std::io::stdin().lock().read_to_end(&mut document) {
                return Err(format!("it could not be handed over: {error}"));
            }
            match format.as_str() {
                "pdf" => pdf::read(&document),
                "docx" => docx::read(&document),
                "workbook" => workbook::read(&document),
                "xml" => xml::read(&document),
                _ => Err(format!("there is no format {format:?}")),
            }
        },
    );
    let (Ok(_), Ok(parsing)) = (deadline, parsing) else { return ExitCode::FAILURE };
    let answer = parsing.join().unwrap_or_else(|_| {
        Err("its reader doesn't get along with it (it panicked); save it anew, or in another format".to_owned())
    });
    let answer = answer.and_then(|extraction| match size(&extraction) {
        0..=MAX_TEXT_BYTES => Ok(extraction),
        _ => Err(format!("its text is larger than {} MiB", MAX_TEXT_BYTES >> 20)),
    });
    let mut stdout = std::io::BufWriter::new(std::io::stdout().lock());
    let written = serde_json::to_writer(&mut stdout, &answer).is_ok() && stdout.flush().is_ok();
    if written { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn size(extraction: &Extraction) -> usize {
    let rows = extraction.sheets.iter().flat_map(|sheet| &sheet.rows);
    extraction.text.len()
        + rows.flat_map(|(_, cells)| cells).map(|cell| cell.len() + 4).sum::<usize>()
}

/// Bounds this process: memory beyond what it has mapped by now, processor seconds, no files, no
/// core dump.
fn limit(seconds: u64, memory_mib: u64) {
    use rlimit::Resource;
    let pages = std::fs::read_to_string("/proc/self/statm").ok();
    let pages = pages.and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
    let mapped = pages.map_or(1 << 30, |pages| pages.saturating_mul(4096));
    let memory = mapped.saturating_add((memory_mib + OWN_MIB) << 20);
    for (resource, value) in [
        (Resource::AS, memory),
        (Resource::CPU, seconds + 1),
        (Resource::FSIZE, 0),
        (Resource::CORE, 0),
    ] {
        // Where the system has no such limit the deadline stands.
        let _ = rlimit::setrlimit(resource, value, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_are_told_apart() {
        let isolation = Isolation { time_limit: Duration::from_secs(7), memory_mib: 9 };
        let check = |code: i32, complaint: &str, expected: &str| {
            use std::os::unix::process::ExitStatusExt as _;
            let reason = ending(ExitStatus::from_raw(code), complaint, &isolation);
            assert!(reason.contains(expected), "{reason}");
        };
        check(i32::from(OUT_OF_TIME) << 8, "", "longer than 7 s");
        check(SIGXCPU, "", "longer than 7 s");
        check(6, "memory allocation of 99 bytes failed", "more than 9 MiB");
        check(6, "thread 'parser' has overflowed its stack", "nested too deeply");
        check(11, "", "signal 11");
        check(1 << 8, "", "failed");
    }
}
