//! Starting and stopping: every task is on a tracker, and stopping has two steps.
//!
//! Soft: nothing new begins, what runs may end. Hard: what still runs is dropped; answers were
//! checkpointed. A task that panics, or a worker that dies, ends the process with a failure instead
//! of leaving a server that answers nothing.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Spawns tasks and ends them.
#[derive(Clone, Debug, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    soft: CancellationToken,
    hard: CancellationToken,
    failed: CancellationToken,
}

impl Tasks {
    /// Tasks that go on while these stop, because these still have something for them; a failure
    /// among them is one of these.
    #[must_use]
    pub fn outlasting(&self) -> Self {
        Self { failed: self.failed.clone(), ..Self::default() }
    }

    /// Runs a task until it ends or the hard stop comes.
    pub fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let (hard, failed) = (self.hard.clone(), self.failed.clone());
        // Boxed, since each wrapper would hold room for it twice: once to be given it, once to run
        // it.
        let watched = hard.run_until_cancelled_owned(Box::pin(task));
        self.tracker.spawn(async move {
            let guard = FailureGuard { name, failed };
            watched.await;
            std::mem::forget(guard);
        });
    }

    /// Resolves when nothing new is to begin.
    pub async fn draining(&self) {
        self.soft.cancelled().await;
    }

    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.soft.is_cancelled()
    }

    /// The soft step.
    pub fn drain(&self) {
        self.soft.cancel();
    }

    /// Reports a part without which the server is of no use as dead.
    pub fn fail(&self, what: &str) {
        tracing::error!(what, "a part of the server died; shutting down");
        self.failed.cancel();
    }

    /// Resolves when a task panicked or a part died.
    pub async fn failure(&self) {
        self.failed.cancelled().await;
    }

    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.failed.is_cancelled()
    }

    /// Waits for all tasks, at most `limit`, then drops what is left. True if all ended by
    /// themselves.
    pub async fn stop(&self, limit: Duration) -> bool {
        self.drain();
        self.tracker.close();
        let ended = tokio::time::timeout(limit, self.tracker.wait()).await.is_ok();
        self.hard.cancel();
        self.tracker.wait().await;
        ended
    }
}

/// Reports a task that panics. One that is dropped with the runtime, because the start failed, did
/// nothing wrong.
struct FailureGuard {
    name: &'static str,
    failed: CancellationToken,
}

impl Drop for FailureGuard {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        tracing::error!(task = self.name, "a task panicked; shutting down");
        self.failed.cancel();
    }
}

/// From now on SIGTERM and SIGINT resolve what is returned, and end the process no more.
///
/// # Errors
/// When the signal handlers can't be installed.
pub fn signalled() -> std::io::Result<impl Future<Output = &'static str>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = term.recv() => "SIGTERM",
            _ = int.recv() => "SIGINT",
        }
    })
}

/// From now on SIGHUP is for the returned stream, and ends the process no more.
///
/// # Errors
/// When the signal handler can't be installed.
pub fn hangups() -> std::io::Result<tokio::signal::unix::Signal> {
    tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_a_failure_and_a_stop_is_not() {
        let tasks = Tasks::default();
        tasks.spawn("quiet", std::future::pending());
        assert!(!tasks.stop(Duration::ZERO).await);
        assert!(!tasks.has_failed());

        let tasks = Tasks::default();
        let outlasting = tasks.outlasting();
        outlasting.spawn("quiet", std::future::pending());
        assert!(tasks.stop(Duration::ZERO).await, "nothing of its own runs");
        assert!(!outlasting.is_draining() && !tasks.has_failed());
        outlasting.spawn("loud", async { panic!("on purpose") });
        tasks.failure().await;
    }

    #[test]
    fn a_task_that_is_dropped_with_the_runtime_is_no_failure() {
        let tasks = Tasks::default();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let waiting = tasks.clone();
        runtime.block_on(async move { waiting.spawn("quiet", std::future::pending()) });
        drop(runtime);
        assert!(!tasks.has_failed());
    }
}
