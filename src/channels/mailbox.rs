//! The task around one mailbox: what came since the last time goes into the store, then it is
//! marked as read there, then the next is waited for.
//!
//! A message is known by its Message-ID, and how far the mailbox was read by the numbers of its
//! messages. After a crash between two steps a message is looked at again, and known.

use std::sync::Arc;
use std::time::Duration;

use rand::Rng as _;

use super::event::Outcome;
use super::imap::{Folder, Trouble};
use super::ledger::{MAIL_REMEMBERED_MS, Place};
use super::{Account, Channels};

/// The pause after the first failure in a row; each further one doubles it, up to the longest.
const PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// While the server refuses the account: who tries more often is locked out.
const REFUSED_PAUSE: Duration = Duration::from_secs(600);
/// Mail servers bound messages at some 25 MB.
const MAX_MESSAGE: u32 = 26 * 1024 * 1024;
/// What a mail server's clock may be behind ours.
const CLOCKS_APART_MS: u64 = 600_000;

/// How the last connections went.
#[derive(Default)]
struct Luck {
    /// Failures in a row.
    failures: u32,
    /// The server doesn't do the IDLE that it promises.
    no_idle: bool,
}

impl Luck {
    /// How long to wait before the next connection, a fifth more or less by `spread` (0…1).
    fn pause(&mut self, trouble: &Trouble, spread: f64) -> Duration {
        let pause = match trouble {
            Trouble::Refused(_) => REFUSED_PAUSE,
            Trouble::NoIdle => {
                self.no_idle = true;
                Duration::ZERO
            }
            Trouble::Failed(_) | Trouble::Denied(_) => {
                PAUSE.saturating_mul(1 << self.failures.min(10)).min(LONGEST_PAUSE)
            }
        };
        self.failures = self.failures.saturating_add(1);
        pause.mul_f64(0.8 + 0.4 * spread.clamp(0.0, 1.0))
    }
}

/// Reads an account's mailbox until the server stops.
pub(super) async fn watch(channels: Channels, account: Arc<Account>) {
    let (inner, id) = (channels.0.clone(), account.id());
    let mut luck = Luck::default();
    loop {
        let trouble = tokio::select! {
            () = inner.tasks.draining() => return,
            Err(trouble) = read(&channels, &account, &mut luck) => trouble,
        };
        // A server that ends a connection now and then does nothing wrong.
        if luck.failures > 0 && !matches!(trouble, Trouble::NoIdle) {
            tracing::warn!(account = id, %trouble, "the mailbox isn't read now");
            inner.delivery.mailbox(&id, Some(trouble.to_string()));
        }
        let pause = luck.pause(&trouble, rand::rng().random());
        tokio::select! {
            () = inner.tasks.draining() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Reads it over one connection.
async fn read(
    channels: &Channels,
    account: &Arc<Account>,
    luck: &mut Luck,
) -> Result<std::convert::Infallible, Trouble> {
    let (inner, id) = (&channels.0, account.id());
    let (url, name) =
        (account.config.imap_url.clone().unwrap_or_default(), account.config.imap_folder.as_str());
    // The first failure in a row is told, too, where the mailbox was never open.
    let access = match inner.delivery.token(account, inner.clock.now_ms()).await {
        Ok(access) => access,
        Err(outcome @ Outcome::Unauthorized { .. }) => {
            luck.failures = luck.failures.max(1);
            return Err(Trouble::Refused(outcome.to_string()));
        }
        Err(outcome) => return Err(Trouble::Failed(outcome.to_string())),
    };
    let mut folder = match Folder::open(account, &access).await {
        Ok(folder) => folder,
        Err(trouble) => {
            luck.failures = luck.failures.max(1);
            if matches!(trouble, Trouble::Refused(_)) {
                inner.delivery.forget_token(account);
            }
            return Err(trouble);
        }
    };
    let mut place = match inner.ledger.place(&id, name).await.map_err(unstored)? {
        Some(place) => place,
        None => {
            tracing::info!(
                account = id,
                "the mailbox is connected; what came before isn't answered"
            );
            let since_ms = inner.clock.now_ms();
            Place { url: url.clone(), validity: folder.validity, next: folder.next, since_ms }
        }
    };
    // Numbers never fall: where the next one does, the mailbox is another one under an old name.
    let renumbered =
        place.url != url || place.validity != folder.validity || folder.next < place.next;
    let found = if renumbered {
        tracing::warn!(
            account = id,
            "the mailbox is numbered anew: what came since it was connected is looked at again"
        );
        let since_ms = place.since_ms.max(inner.clock.now_ms().saturating_sub(MAIL_REMEMBERED_MS));
        place =
            Place { url, validity: folder.validity, next: folder.next, since_ms: place.since_ms };
        let mut found = folder.of_days_since(since_ms).await?;
        found.retain(|uid| *uid < place.next);
        found
    } else {
        Vec::new()
    };
    for uid in found {
        take(channels, account, &mut folder, uid, place.since_ms).await?;
    }
    inner.ledger.set_place(&id, name, &place).await.map_err(unstored)?;
    inner.delivery.mailbox(&id, None);
    luck.failures = 0;
    loop {
        for uid in folder.since(place.next).await? {
            take(channels, account, &mut folder, uid, place.since_ms).await?;
            place.next = uid.saturating_add(1);
            inner.ledger.set_place(&id, name, &place).await.map_err(unstored)?;
        }
        folder.wait(!luck.no_idle).await?;
    }
}

fn unstored(error: impl std::fmt::Display) -> Trouble {
    Trouble::Failed(format!("what came can't be stored: {error}"))
}

/// Stores a message, if it is one to be answered, and marks it as read afterwards. Others stay as
/// they are, for people.
async fn take(
    channels: &Channels,
    account: &Arc<Account>,
    folder: &mut Folder,
    uid: u32,
    since_ms: u64,
) -> Result<(), Trouble> {
    let Some(head) = folder.head(uid).await? else { return Ok(()) };
    let skip = |why| {
        tracing::debug!(
            account = account.id(),
            uid,
            why,
            "a message of the mailbox is passed over"
        );
        channels.0.metrics.channel_skipped(account.config.platform.name(), why);
    };
    if head.settled {
        skip("an e-mail that a person answered, or is writing");
    } else if head.arrived_ms > 0 && head.arrived_ms.saturating_add(CLOCKS_APART_MS) < since_ms {
        skip("an e-mail from before the mailbox was connected");
    } else if head.bytes > MAX_MESSAGE {
        tracing::warn!(
            account = account.id(),
            uid,
            bytes = head.bytes,
            "an e-mail is too large to be read"
        );
        skip("an e-mail that is too large");
    } else if let Some(raw) = folder.message(uid).await?
        && channels.receive(account, &raw).await.map_err(unstored)?
    {
        match folder.mark_seen(uid).await {
            // The folder may be one that we can only read.
            Err(Trouble::Denied(why)) => {
                tracing::warn!(
                    account = account.id(),
                    uid,
                    why,
                    "an e-mail can't be marked as read"
                );
            }
            done => done?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_five_minutes_and_a_refused_account_rests_longer() {
        let mut luck = Luck::default();
        let failed = Trouble::Failed("x".into());
        let pauses: Vec<u64> = (0..10).map(|_| luck.pause(&failed, 0.5).as_secs()).collect();
        assert_eq!(pauses, [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert_eq!(Luck::default().pause(&Trouble::Refused("x".into()), 0.5), REFUSED_PAUSE);
        assert_eq!(luck.pause(&Trouble::NoIdle, 0.5), Duration::ZERO);
        assert!(luck.no_idle, "from then on it is looked at by ourselves");
    }
}
