//! `agent`: accounts of the console. Talks to a running server over its admin listener, to the
//! store itself otherwise.

use std::collections::BTreeMap;
use std::io::{BufRead as _, IsTerminal as _};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use comfy_table::Table;
use serde::de::DeserializeOwned;

use crate::agents::{Agents, ChosenBy, Parts};
use crate::clock::Clock;
use crate::config::Config;
use crate::protocol::console::{Account, NewAccount, NewPassword, Role};
use crate::session::board::Board;
use crate::store::{Store, StoreError};
use crate::telemetry::Metrics;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  frontdesk agent add mara --name \"Mara Lind\" --role admin
  printf '%s\\n' \"$PASSWORD\" | frontdesk agent add jo --name Jo --site default
  frontdesk agent list --json | jq '.[].login'
  frontdesk agent password mara --temporary
  frontdesk agent reset-second-factor mara
  frontdesk agent unlink-oidc mara@shop.example
  frontdesk agent sign-out mara
  frontdesk agent remove jo

Works while the server runs, over its admin listener with the key in admin.key beside the store. A password that is not typed at a
prompt is read as one line from standard input; it never stands on the command line.")]
pub struct AgentArgs {
    #[command(subcommand)]
    command: AgentCommand,
}

#[derive(Debug, clap::Subcommand)]
enum AgentCommand {
    /// Make an account.
    Add {
        /// What the agent signs in with: 1 to 64 of a-z, 0-9 and -_.@+
        login: String,
        /// What visitors and colleagues read.
        #[arg(long)]
        name: String,
        /// A site the agent works for; the first one by default. Can be given several times.
        #[arg(long)]
        site: Vec<String>,
        /// What the agent may do there.
        #[arg(long, value_enum, default_value = "agent")]
        role: Role,
        /// Conversations given to the agent at the same time on each site; console.limit by
        /// default.
        #[arg(long)]
        limit: Option<usize>,
        /// The agent has to choose another password at the first sign-in.
        #[arg(long)]
        temporary: bool,
        /// Print the account as JSON.
        #[arg(long)]
        json: bool,
    },
    /// List the accounts.
    List {
        /// Print them as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Remove an account: its consoles close at once, its conversations go back to the line.
    Remove {
        login: String,
        /// Print the result as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Set a new password: every console of the account signs in again.
    Password {
        login: String,
        /// The agent has to choose another one at the next sign-in.
        #[arg(long)]
        temporary: bool,
        /// Print the result as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Remove the second factor of an agent who lost it: the password alone signs in until a new
    /// one is set up, and every console of the account signs in again.
    ResetSecondFactor {
        login: String,
        /// Print the result as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Part an account from the person at the issuer of [oidc] whom it belongs to: the next one
    /// with this e-mail address gets it, and every console of the account signs in again.
    UnlinkOidc {
        login: String,
        /// Print the result as JSON.
        #[arg(long)]
        json: bool,
    },
    /// End every sign-in of an account: its consoles close at once.
    SignOut {
        login: String,
        /// Print the result as JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Where the accounts are reached.
enum Accounts {
    /// Nobody has the store open: we have.
    Store(Store, Agents),
    Server(Admin),
}

/// A running server's admin listener.
struct Admin {
    client: reqwest::Client,
    base: String,
    key: String,
}

pub(super) async fn run(config: &Config, args: AgentArgs) -> anyhow::Result<ExitCode> {
    match args.command {
        AgentCommand::Add { login, name, site, role, limit, temporary, json } => {
            let first = config.sites.first().map(|site| site.id.clone());
            let sites = if site.is_empty() { first.into_iter().collect() } else { site };
            let roles: BTreeMap<String, Role> =
                sites.into_iter().map(|site| (site, role)).collect();
            let password = password()?;
            let desk = Accounts::open(config).await?;
            let new = NewAccount { login, name, password, roles, limit, temporary };
            let account = desk.add(new).await?;
            desk.close().await?;
            if json {
                println!("{}", serde_json::to_string_pretty(&account)?);
            } else {
                println!("{} can sign in as {:?}", account.agent.name, account.login);
            }
        }
        AgentCommand::List { json } => {
            let desk = Accounts::open(config).await?;
            let accounts = desk.list().await?;
            desk.close().await?;
            if json {
                println!("{}", serde_json::to_string_pretty(&accounts)?);
            } else {
                print_accounts(&accounts);
            }
        }
        AgentCommand::Remove { login, json } => {
            let desk = Accounts::open(config).await?;
            desk.remove(&login).await?;
            desk.close().await?;
            done(json, &login, "is removed")?;
        }
        AgentCommand::Password { login, temporary, json } => {
            let password = password()?;
            let desk = Accounts::open(config).await?;
            desk.set_password(&login, password, temporary).await?;
            desk.close().await?;
            done(json, &login, "has a new password")?;
        }
        AgentCommand::ResetSecondFactor { login, json } => {
            let desk = Accounts::open(config).await?;
            desk.reset_second_factor(&login).await?;
            desk.close().await?;
            done(json, &login, "signs in with the password alone")?;
        }
        AgentCommand::UnlinkOidc { login, json } => {
            let desk = Accounts::open(config).await?;
            desk.unlink(&login).await?;
            desk.close().await?;
            done(json, &login, "belongs to nobody at the issuer")?;
        }
        AgentCommand::SignOut { login, json } => {
            let desk = Accounts::open(config).await?;
            desk.sign_out(&login).await?;
            desk.close().await?;
            done(json, &login, "is signed out everywhere")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn done(json: bool, login: &str, what: &str) -> anyhow::Result<()> {
    if json {
        println!(
            "{}",
            serde_json::to_string_pretty(&serde_json::json!({ "login": login, "done": what }))?
        );
    } else {
        println!("{login} {what}");
    }
    Ok(())
}

fn print_accounts(accounts: &[Account]) {
    if accounts.is_empty() {
        println!("There are no agents yet; `frontdesk agent add` makes the first one.");
        return;
    }
    let mut table = Table::new();
    table.load_preset(comfy_table::presets::NOTHING).set_header([
        "login",
        "name",
        "roles",
        "limit",
        "signs in with",
    ]);
    for account in accounts {
        let role = |role: &Role| format!("{role:?}").to_lowercase();
        let roles: Vec<String> =
            account.roles.iter().map(|(site, of)| format!("{site}: {}", role(of))).collect();
        table.add_row([
            account.login.clone(),
            account.agent.name.clone(),
            roles.join(", "),
            account.limit.to_string(),
            match (account.oidc, account.temporary, account.second_factor) {
                (true, _, _) => "the issuer",
                (false, true, false) => "a temporary password",
                (false, true, true) => "a temporary password and a code",
                (false, false, false) => "a password",
                (false, false, true) => "a password and a code",
            }
            .into(),
        ]);
    }
    println!("{table}");
}

/// Typed twice at a prompt, or one line of standard input.
fn password() -> anyhow::Result<String> {
    if !std::io::stdin().is_terminal() {
        let mut line = String::new();
        std::io::stdin()
            .lock()
            .read_line(&mut line)
            .context("reading the password from standard input")?;
        let line = line.trim_end_matches(['\r', '\n']);
        anyhow::ensure!(
            !line.is_empty(),
            "standard input holds no password; type it at a terminal or pipe one line"
        );
        return Ok(line.to_owned());
    }
    let terminal = console::Term::stderr();
    let ask = |prompt: &str| -> anyhow::Result<String> {
        terminal.write_str(prompt)?;
        Ok(terminal.read_secure_line()?)
    };
    let password = ask("Password: ")?;
    if ask("Again: ")? != password {
        bail!("the two passwords differ; nothing was changed");
    }
    Ok(password)
}

impl Accounts {
    async fn open(config: &Config) -> anyhow::Result<Self> {
        let store = match Store::open(&config.store) {
            Ok(store) => store,
            Err(StoreError::InUse { .. }) => return Ok(Self::Server(Admin::of(config)?)),
            Err(error) => return Err(error.into()),
        };
        let parts = Parts {
            store: store.clone(),
            clock: Clock::system(),
            board: Board::new("command line"),
            started: std::time::Instant::now(),
            sites: config.sites.iter().map(|site| site.id.clone()).collect(),
            sign_in_h: config.console.sign_in_h,
            second_factor: config.console.second_factor,
            limit: config.console.limit,
            metrics: Metrics::new(),
        };
        let agents = Agents::load(parts).await?;
        Ok(Self::Store(store, agents))
    }

    async fn add(&self, new: NewAccount) -> anyhow::Result<Account> {
        match self {
            Self::Store(_, agents) => Ok(agents.add(new).await?),
            Self::Server(admin) => admin.ask(reqwest::Method::POST, "/v1/agents", Some(&new)).await,
        }
    }

    async fn list(&self) -> anyhow::Result<Vec<Account>> {
        #[derive(serde::Deserialize)]
        struct Listed {
            accounts: Vec<Account>,
        }
        match self {
            Self::Store(_, agents) => Ok(agents.accounts()),
            Self::Server(admin) => {
                let listed: Listed =
                    admin.ask(reqwest::Method::GET, "/v1/agents", None::<&()>).await?;
                Ok(listed.accounts)
            }
        }
    }

    async fn remove(&self, login: &str) -> anyhow::Result<()> {
        match self {
            Self::Store(_, agents) => Ok(agents.remove(&id(agents, login)?, None).await?),
            Self::Server(admin) => {
                admin
                    .tell(reqwest::Method::DELETE, &format!("/v1/agents/{login}"), None::<&()>)
                    .await
            }
        }
    }

    async fn set_password(
        &self,
        login: &str,
        password: String,
        temporary: bool,
    ) -> anyhow::Result<()> {
        match self {
            Self::Store(_, agents) => {
                let by = ChosenBy::Operator { temporary };
                Ok(agents.set_password(&id(agents, login)?, by, password, None).await?)
            }
            Self::Server(admin) => {
                let body = NewPassword { current: None, password, temporary };
                let path = format!("/v1/agents/{login}/password");
                admin.tell(reqwest::Method::PUT, &path, Some(&body)).await
            }
        }
    }

    async fn reset_second_factor(&self, login: &str) -> anyhow::Result<()> {
        match self {
            Self::Store(_, agents) => Ok(agents.reset_second_factor(&id(agents, login)?).await?),
            Self::Server(admin) => {
                let path = format!("/v1/agents/{login}/second-factor");
                admin.tell(reqwest::Method::DELETE, &path, None::<&()>).await
            }
        }
    }

    async fn unlink(&self, login: &str) -> anyhow::Result<()> {
        match self {
            Self::Store(_, agents) => Ok(agents.unlink(&id(agents, login)?).await?),
            Self::Server(admin) => {
                let path = format!("/v1/agents/{login}/oidc");
                admin.tell(reqwest::Method::DELETE, &path, None::<&()>).await
            }
        }
    }

    async fn sign_out(&self, login: &str) -> anyhow::Result<()> {
        match self {
            Self::Store(_, agents) => Ok(agents.end_sign_ins(&id(agents, login)?, None).await?),
            Self::Server(admin) => {
                let path = format!("/v1/agents/{login}/sign-ins");
                admin.tell(reqwest::Method::DELETE, &path, None::<&()>).await
            }
        }
    }

    async fn close(self) -> anyhow::Result<()> {
        match self {
            Self::Store(store, _) => Ok(store.close().await?),
            Self::Server(_) => Ok(()),
        }
    }
}

fn id(agents: &Agents, login: &str) -> anyhow::Result<String> {
    agents.id_of(login).with_context(|| {
        format!("there is no agent {login:?}; `frontdesk agent list` shows who there is")
    })
}

impl Admin {
    fn of(config: &Config) -> anyhow::Result<Self> {
        // A second installation changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let file = config.store.path.parent().unwrap_or(&config.store.path).join("admin.key");
        let key = std::fs::read_to_string(&file).with_context(|| {
            format!(
                "a server has the store open, and its admin key can't be read from {}",
                file.display()
            )
        })?;
        let base = format!("http://{}", config.server.admin_bind);
        Ok(Self {
            client: reqwest::Client::builder().no_proxy().build()?,
            base,
            key: key.trim().to_owned(),
        })
    }

    async fn send(
        &self,
        method: reqwest::Method,
        path: &str,
        body: Option<&impl serde::Serialize>,
    ) -> anyhow::Result<reqwest::Response> {
        // Logins may hold what an address must not.
        let url = reqwest::Url::parse(&self.base)
            .and_then(|base| base.join(&path.replace('+', "%2B")))?;
        let mut request = self.client.request(method, url).bearer_auth(&self.key);
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.with_context(|| {
            format!(
                "a server has the store open but does not answer at {} (server.admin_bind)",
                self.base
            )
        })?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let error: serde_json::Value = response.json().await.unwrap_or_default();
        let message = error.pointer("/error/message").and_then(serde_json::Value::as_str);
        bail!("{}", message.map_or_else(|| format!("the server answered {status}"), str::to_owned))
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: reqwest::Method,
        path: &str,
        body: Option<&impl serde::Serialize>,
    ) -> anyhow::Result<T> {
        self.send(method, path, body).await?.json().await.context("the server's answer")
    }

    async fn tell(
        &self,
        method: reqwest::Method,
        path: &str,
        body: Option<&impl serde::Serialize>,
    ) -> anyhow::Result<()> {
        self.send(method, path, body).await.map(|_| ())
    }
}
