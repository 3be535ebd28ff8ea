//! What people and programs inside do, written into the audit log.

use axum::http::StatusCode;
use tokio::sync::oneshot;

use crate::audit::Deed;
use crate::http::App;

/// A deed that is under way. It is noted without an outcome if whoever asked for it leaves before
/// it is done, or it crashes.
pub(super) struct UnderWay {
    app: App,
    deed: Option<Deed>,
}

impl UnderWay {
    pub(super) fn begin(app: &App, deed: Deed) -> Self {
        Self { app: app.clone(), deed: Some(deed) }
    }

    /// Notes the outcome.
    pub(super) async fn over(mut self, status: StatusCode) {
        if let Some(deed) = self.deed.take() {
            note(&self.app, Deed { status: Some(status.as_u16()), ..deed }).await;
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Some(deed) = self.deed.take() {
            write(&self.app, deed);
        }
    }
}

/// Notes a deed, and waits until that is on disk.
pub(super) async fn note(app: &App, deed: Deed) {
    // Whether it could be written is told in the server's log.
    let _ = write(app, deed).await;
}

/// Writes in a task of its own, which goes on when the request's sender leaves. A log that can't be
/// written stops nobody's work.
fn write(app: &App, deed: Deed) -> oneshot::Receiver<()> {
    let (written, wait) = oneshot::channel();
    let audit = app.audit.clone();
    app.tasks.spawn("audit", async move {
        let did = deed.did.clone();
        if let Err(error) = audit.note(deed).await {
            tracing::error!(did, %error, "the audit log could not be written");
        }
        let _ = written.send(());
    });
    wait
}
