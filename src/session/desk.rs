//! Acts on the board: sends waiting sessions to agents who are there, takes back those whose agent
//! is gone, and tells waiting visitors where they stand.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::board::{Duty, Routing};
use super::registry::Registry;
use super::{AgentCommand, Command};
use crate::clock::Clock;
use crate::conversation::SessionKey;
use crate::lifecycle::Tasks;
use crate::session::mailbox::{CommandError, JoinError, OpenError};

/// `[console]`: agents, their sign-ins and what they are given.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConsoleConfig {
    /// Hours after which an agent signs in again.
    pub sign_in_h: u64,
    /// Who signs in with a code of an authenticator app besides the password.
    pub second_factor: SecondFactorPolicy,
    /// Seconds without any console of an agent after which the sessions it holds go back to the
    /// line. Shorter serves visitors sooner, longer forgives a lost connection.
    pub vanish_s: u64,
    /// Whether waiting sessions are given to available agents by the server; otherwise agents
    /// choose.
    pub auto_routing: bool,
    /// Sessions given to an agent at the same time on each of the agent's sites, for accounts that
    /// say nothing else. A site's admins can set another for theirs.
    pub limit: usize,
    /// Conversations of a site that may wait for a person; one more stays with the model, or is
    /// refused where people alone answer. A visitor has one place, however many conversations.
    pub waiting: usize,
    /// Minutes without any open page of the visitor after which a conversation takes no place of
    /// its agent's limit. Shorter serves those who are there sooner, longer gives agents fewer
    /// conversations whose visitors may still come back.
    pub gone_after_min: u64,
}

impl Default for ConsoleConfig {
    fn default() -> Self {
        Self {
            sign_in_h: 12,
            second_factor: SecondFactorPolicy::Optional,
            vanish_s: 60,
            auto_routing: true,
            limit: 5,
            waiting: 500,
            gone_after_min: 10,
        }
    }
}

/// Who has to sign in with a second factor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SecondFactorPolicy {
    /// Who wants to.
    #[default]
    Optional,
    /// Everybody. Whoever has none yet may do nothing but set it up.
    Required,
}

/// Changes that come together are acted on together, and visitors hear of them at most this often.
const PAUSE: Duration = Duration::from_millis(50);
/// How often the time itself is looked at.
const TICK: Duration = Duration::from_millis(500);
/// Who the log names as having assigned a session.
pub const ROUTING: &str = "routing";

/// The task. `started` is the zero of the server's monotonic clock.
pub async fn run(
    registry: Registry,
    config: ConsoleConfig,
    clock: Clock,
    started: Instant,
    tasks: Tasks,
) {
    let vanish = Duration::from_secs(config.vanish_s);
    let board = registry.board().clone();
    let mut changed = board.changed();
    let mut told = HashMap::new();
    loop {
        let routing = Routing {
            on: config.auto_routing,
            now_ms: clock.now_ms(),
            gone_after_ms: config.gone_after_min.saturating_mul(60_000),
        };
        for duty in board.duties(started.elapsed(), vanish, routing, &mut told) {
            act(&registry, duty).await;
        }
        tokio::select! {
            () = tasks.draining() => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
        tokio::select! {
            () = tasks.draining() => return,
            _ = changed.changed() => {}
            () = tokio::time::sleep(TICK) => {}
        }
    }
}

async fn act(registry: &Registry, duty: Duty) {
    match duty {
        Duty::Release { key, agent, reason } => {
            give(registry, key, AgentCommand::Release { agent, reason }).await
        }
        Duty::Assign { key, agent } => {
            give(registry, key, AgentCommand::Take { agent, by: Some(ROUTING.to_owned()) }).await;
        }
        Duty::Tell { key, place, available } => registry.tell_waiting(&key, place, available).await,
    }
}

/// Nobody waits for the answer: what is refused has been overtaken by events, and what failed is
/// tried again.
async fn give(registry: &Registry, key: SessionKey, command: AgentCommand) {
    match registry.agents_handle(key.clone()).command(Command::Agent(command)).await {
        Ok(_) | Err(JoinError::Command(CommandError::Refused(_) | CommandError::Draining)) => {}
        // It was forgotten meanwhile, because it was old.
        Err(JoinError::Open(OpenError::Unknown)) => registry.board().remove(&key),
        Err(error) => tracing::warn!(session = key.id, %error, "a session could not be routed"),
    }
}
