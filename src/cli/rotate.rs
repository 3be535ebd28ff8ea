//! `rotate`: new keys for old ones, by the running server or, without one, in the store.

use std::process::ExitCode;

use reqwest::Method;
use serde_json::json;

use crate::cli::remote::Remote;
use crate::config::Config;
use crate::keyring::Keyring;
use crate::store::{Store, StoreError};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  frontdesk rotate visitors     sign visitors' tokens with a new key; twice, and tokens of the first one end
  frontdesk rotate admin        make a new admin.key; the one before ends at once

A running server does it without a break. Keys of [[auth.keys]] are changed in the configuration: add the new one, take the
old one out when nobody uses it any more. So are the keys of signed tokens ([[sites.jwt.keys]]).")]
pub struct RotateArgs {
    /// Whose key.
    which: Which,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Which {
    /// The key that visitors' tokens are signed with.
    Visitors,
    /// The key in admin.key.
    Admin,
}

pub(super) async fn run(config: &Config, args: &RotateArgs) -> anyhow::Result<ExitCode> {
    match Store::open(&config.store) {
        Ok(store) => {
            let keyring = Keyring::open(store.clone(), &config.store.path).await?;
            match args.which {
                Which::Visitors => keyring.change_visitor_key().await?,
                Which::Admin => drop(keyring.change_admin_key().await?),
            }
            store.close().await?;
        }
        Err(error @ StoreError::InUse { .. }) => {
            let path = match args.which {
                Which::Visitors => "/v1/keys/visitors/rotate",
                Which::Admin => "/v1/keys/admin/rotate",
            };
            Remote::of(config)
                .map_err(|cause| cause.context(error))?
                .done(Method::POST, path, json!({}))
                .await?;
        }
        Err(error) => return Err(error.into()),
    }
    let beside = config.store.path.parent().unwrap_or(&config.store.path);
    match args.which {
        Which::Visitors => println!(
            "Visitors' tokens are signed with a new key. Those of the key before are good until the next change; visitors \
             who come back meanwhile get new ones."
        ),
        Which::Admin => {
            println!(
                "The new key is in {}; the one before is no longer good.",
                beside.join("admin.key").display()
            )
        }
    }
    Ok(ExitCode::SUCCESS)
}
