//! Memory of idle sockets, from outside the process: the resident size of a server of its own,
//! before and after.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use serde::Serialize;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use super::client::Client;
use crate::config::Config;

#[derive(Clone, Debug, Serialize)]
pub struct SocketsReport {
    /// Sockets that said hello and are idle.
    pub sockets: usize,
    pub before_kib: u64,
    pub after_kib: u64,
    pub kib_per_socket: f64,
    /// Open files that the system allows; where it is too low, fewer sockets were opened than asked
    /// for.
    pub open_files: u64,
}

/// Sockets opened at the same time while filling up.
const AT_ONCE: usize = 64;

/// Starts this binary as a server in `directory` and opens `sockets` idle sockets.
///
/// # Errors
/// When the server can't be started or a socket not be opened.
pub async fn run(
    config: &Config,
    directory: &Path,
    sockets: usize,
    progress: &dyn Fn(usize),
) -> anyhow::Result<SocketsReport> {
    let open_files = open_files()?;
    let sockets =
        sockets.min(usize::try_from(open_files).unwrap_or(usize::MAX).saturating_sub(200));
    let mut config = super::scratch_config(config, directory)?;
    config.server.max_sockets = sockets + 10;
    let path = directory.join("config.toml");
    std::fs::write(&path, toml::to_string(&config)?)?;
    let log = directory.join("server.log");
    let mut server = tokio::process::Command::new(std::env::current_exe()?)
        .arg("--config")
        .arg(&path)
        .arg("serve")
        .stdout(Stdio::piped())
        .stderr(std::fs::File::create(&log)?)
        .kill_on_drop(true)
        .spawn()?;
    let id = server.id().context("the server ended at once")?;
    let mut lines = BufReader::new(server.stdout.take().context("its output")?).lines();
    let line = lines.next_line().await?.with_context(|| {
        let said = std::fs::read_to_string(&log).unwrap_or_default();
        format!("the server did not start: {}", said.lines().last().unwrap_or("it said nothing"))
    })?;
    let address = line
        .split("http://")
        .nth(1)
        .and_then(|rest| rest.split('/').next())
        .context("its address")?;
    let addr: SocketAddr = address.parse()?;
    let site = config.sites.first().context("a site")?.id.clone();

    // One visitor first, so that what is made once is not counted.
    let mut open = vec![connect(addr, &site).await?];
    let before_kib = resident_kib(id)?;
    while open.len() <= sockets {
        let count = AT_ONCE.min(sockets + 1 - open.len());
        let batch =
            futures_util::future::try_join_all((0..count).map(|_| connect(addr, &site))).await?;
        open.extend(batch);
        progress(open.len() - 1);
    }
    // The last hellos are answered; give freed buffers a moment to be given back.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let after_kib = resident_kib(id)?;
    drop(open);
    server.kill().await?;
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let kib_per_socket = after_kib.saturating_sub(before_kib) as f64 / sockets.max(1) as f64;
    Ok(SocketsReport { sockets, before_kib, after_kib, kib_per_socket, open_files })
}

async fn connect(addr: SocketAddr, site: &str) -> anyhow::Result<Client> {
    let mut client = Client::connect(addr).await?;
    client.hello(site).await?;
    Ok(client)
}

/// `VmRSS` of a process, in KiB.
fn resident_kib(id: u32) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status"))
        .context("the server's memory; this needs Linux")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).context("VmRSS")?;
    line.split_whitespace().nth(1).context("VmRSS")?.parse().context("VmRSS")
}

/// The soft limit of open files.
fn open_files() -> anyhow::Result<u64> {
    let limits = std::fs::read_to_string("/proc/self/limits")
        .context("the limits of this process; this needs Linux")?;
    let line =
        limits.lines().find(|line| line.starts_with("Max open files")).context("Max open files")?;
    line.split_whitespace().nth(3).context("Max open files")?.parse().or(Ok(1_000_000))
}
