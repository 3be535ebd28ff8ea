//! `config.toml`: every section is owned by its module and gathered here. Environment variables win
//! over the file (`FRONTDESK_SERVER_BIND=0.0.0.0:80` for `bind` in `[server]`), an unknown key is
//! an error that names the nearest known one.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use explain::suggestion;
use rules::Mistakes;
use serde::{Deserialize, Serialize};

use crate::agents::oidc::OidcConfig;
use crate::gaps::GapsConfig;
use crate::http::auth::AuthConfig;
use crate::http::limits::ServerConfig;
use crate::intent::registry::IntentConfig;
use crate::llm::LlmConfig;
use crate::retrieval::KnowledgeConfig;
use crate::retrieval::embedder::EmbedderConfig;
use crate::secret;
use crate::session::SessionsConfig;
use crate::session::desk::ConsoleConfig;
use crate::signals::SignalsConfig;
use crate::site::Site;
use crate::store::StoreConfig;
use crate::telemetry::LogConfig;
use crate::turn::AnswersConfig;

mod difference;
mod explain;
mod rules;

/// All options. Relative paths count from the directory of the file they stand in.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub server: ServerConfig,
    pub auth: AuthConfig,
    pub sessions: SessionsConfig,
    pub store: StoreConfig,
    pub knowledge: KnowledgeConfig,
    pub embedder: EmbedderConfig,
    pub llm: LlmConfig,
    pub answers: AnswersConfig,
    pub signals: SignalsConfig,
    pub gaps: GapsConfig,
    pub console: ConsoleConfig,
    pub oidc: OidcConfig,
    pub intent: IntentConfig,
    pub log: LogConfig,
    /// The brands or shops that this server serves; the first one is the default of the command
    /// line.
    pub sites: Vec<Site>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            server: ServerConfig::default(),
            auth: AuthConfig::default(),
            sessions: SessionsConfig::default(),
            store: StoreConfig::default(),
            knowledge: KnowledgeConfig::default(),
            embedder: EmbedderConfig::default(),
            llm: LlmConfig::default(),
            answers: AnswersConfig::default(),
            signals: SignalsConfig::default(),
            gaps: GapsConfig::default(),
            console: ConsoleConfig::default(),
            oidc: OidcConfig::default(),
            intent: IntentConfig::default(),
            log: LogConfig::default(),
            sites: vec![Site::default()],
        }
    }
}

impl Config {
    /// Reads a file and the environment.
    ///
    /// # Errors
    /// When the file can't be read, isn't TOML, has an unknown key or values that make no sense;
    /// the text says where. No text of the file is quoted that may be a secret.
    pub fn load(path: &Path) -> anyhow::Result<Self> {
        Self::load_and(path, |_, _| {})
    }

    /// As [`Config::load`], and looks at all that a server needs beside its own directories: files
    /// with secrets of channels, folders of documents.
    ///
    /// # Errors
    /// As [`Config::load`], and when such a file or folder isn't there.
    pub fn load_to_serve(path: &Path) -> anyhow::Result<Self> {
        Self::load_and(path, Self::check_files)
    }

    fn load_and(path: &Path, further: impl Fn(&Self, &mut Mistakes)) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| {
            format!("can't read the configuration {}; name another with --config", path.display())
        })?;
        let base =
            path.parent().filter(|base| !base.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let read = || Self::read(&text, std::env::vars())?.rebased(base).checked(further);
        read().with_context(|| format!("in the configuration {}", path.display()))
    }

    /// Reads options from TOML text and environment variables.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(
        text: &str,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> anyhow::Result<Self> {
        Self::read(text, environment)?.checked(|_, _| {})
    }

    fn read(
        text: &str,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> anyhow::Result<Self> {
        // The text by itself first: its errors have line numbers.
        explain::read::<Self>(text).map_err(anyhow::Error::msg)?;
        let mut table: toml::Table = explain::read(text).map_err(anyhow::Error::msg)?;
        let defaults =
            toml::Table::try_from(Self::default()).context("the default configuration")?;
        for (name, value) in environment {
            set_from_environment(&mut table, &defaults, &name, &value)?;
        }
        explain::convert(table).map_err(anyhow::Error::msg)
    }

    /// With the secrets that stand in files of their own, if all is well.
    fn checked(mut self, further: impl Fn(&Self, &mut Mistakes)) -> anyhow::Result<Self> {
        let mut mistakes = Mistakes::default();
        for (key, file, option) in [
            (&mut self.llm.api_key, &self.llm.api_key_file, "llm.api_key"),
            (&mut self.knowledge.api_key, &self.knowledge.api_key_file, "knowledge.api_key"),
            (&mut self.oidc.client_secret, &self.oidc.client_secret_file, "oidc.client_secret"),
        ] {
            mistakes.attempt(secret::fill(key, file, option));
        }
        for site in &mut self.sites {
            for error in site.read_secrets() {
                mistakes.add(format!("site {:?}: {error:#}", site.id));
            }
        }
        self.check_values(&mut mistakes);
        further(&self, &mut mistakes);
        mistakes.none()?;
        Ok(self)
    }

    /// The site with this id.
    #[must_use]
    pub fn site(&self, id: &str) -> Option<&Site> {
        self.sites.iter().find(|site| site.id == id)
    }

    /// With relative paths as seen from `base`.
    pub(crate) fn rebased(mut self, base: &Path) -> Self {
        let rebase = |path: &mut PathBuf| {
            if path.is_relative() {
                *path = base.join(&*path);
            }
        };
        for file in [
            &mut self.llm.api_key_file,
            &mut self.knowledge.api_key_file,
            &mut self.oidc.client_secret_file,
        ] {
            if !file.as_os_str().is_empty() {
                rebase(file);
            }
        }
        rebase(&mut self.store.path);
        rebase(&mut self.knowledge.path);
        rebase(&mut self.knowledge.index);
        rebase(&mut self.knowledge.uploads);
        rebase(&mut self.embedder.model);
        for model in [&mut self.knowledge.multilingual, &mut self.knowledge.reranker] {
            // Empty means none.
            if !model.as_os_str().is_empty() {
                rebase(model);
            }
        }
        rebase(&mut self.answers.prompts);
        rebase(&mut self.intent.models);
        for site in &mut self.sites {
            for path in [&mut site.knowledge, &mut site.widget.logo].into_iter().flatten() {
                rebase(path);
            }
            site.secret_files().for_each(&rebase);
        }
        if self.llm.engine == "llama" {
            let mut model = PathBuf::from(&self.llm.model);
            rebase(&mut model);
            self.llm.model = model.to_string_lossy().into_owned();
        }
        self
    }
}

/// Applies one environment variable, if it names an option.
fn set_from_environment(
    table: &mut toml::Table,
    defaults: &toml::Table,
    name: &str,
    value: &str,
) -> anyhow::Result<()> {
    let Some(rest) = name.strip_prefix("FRONTDESK_") else { return Ok(()) };
    let rest = rest.to_ascii_lowercase();
    let Some((section, key)) = rest.split_once('_') else { return Ok(()) };
    if section == "sites" {
        return set_of_site(table, name, key, value);
    }
    let Some(toml::Value::Table(known)) = defaults.get(section) else { return Ok(()) };
    let Some(default) = known.get(key) else {
        bail!(
            "the environment variable {name} names no option of [{section}]{}",
            suggestion(key, known.keys())
        );
    };
    let parsed = match default {
        toml::Value::Integer(_) => value.parse().map(toml::Value::Integer).ok(),
        toml::Value::Float(_) => value.parse().map(toml::Value::Float).ok(),
        toml::Value::Boolean(_) => value.parse().map(toml::Value::Boolean).ok(),
        toml::Value::Array(_) => Some(toml::Value::Array(
            value
                .split(',')
                .filter(|item| !item.is_empty())
                .map(|item| toml::Value::String(item.trim().into()))
                .collect(),
        )),
        _ => Some(toml::Value::String(value.into())),
    };
    let Some(parsed) = parsed else {
        bail!(
            "the environment variable {name} is {value:?}, but {section}.{key} takes a {}",
            default.type_str()
        );
    };
    let section = table.entry(section).or_insert_with(|| toml::Value::Table(toml::Table::new()));
    if let toml::Value::Table(section) = section {
        section.insert(key.to_owned(), parsed);
    }
    Ok(())
}

/// Applies an environment variable of a site: `FRONTDESK_SITES_<ID>_<KEY>`, the id in capitals with
/// `_` for `-`, or `FRONTDESK_SITES_<ID>_<TABLE>_<KEY>` for a table that the file has for the site.
/// The value is a string.
fn set_of_site(table: &mut toml::Table, name: &str, rest: &str, value: &str) -> anyhow::Result<()> {
    let sites = table.get_mut("sites").and_then(toml::Value::as_array_mut);
    let of_site = |site: &toml::Value| {
        let id = site.get("id")?.as_str()?.replace('-', "_");
        Some(rest.strip_prefix(&id)?.strip_prefix('_')?.to_owned())
    };
    // Of "shop" and "shop_de" the longer one is meant.
    let found = sites.into_iter().flatten().filter_map(|site| of_site(site).map(|key| (key, site)));
    let Some((key, site)) = found.min_by_key(|(key, _)| key.len()) else {
        bail!(
            "the environment variable {name} names no site of the configuration; write FRONTDESK_SITES_<ID>_<KEY>"
        );
    };
    let Some(site) = site.as_table_mut() else { return Ok(()) };
    let below = site.iter_mut().find_map(|(part, value)| {
        let key = key.strip_prefix(part.as_str())?.strip_prefix('_')?.to_owned();
        Some((key, value.as_table_mut()?))
    });
    match below {
        Some((key, part)) => part.insert(key, toml::Value::String(value.into())),
        None => site.insert(key, toml::Value::String(value.into())),
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, environment: &[(&str, &str)], expected: &str) {
        let environment =
            environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let error = Config::parse(text, environment).unwrap_err();
        assert!(format!("{error:#}").contains(expected), "{error:#}");
    }

    #[test]
    fn mistakes_are_named() {
        check("[server]\nbindd = \"x\"", &[], "did you mean `bind`?");
        check("[servr]", &[], "did you mean `server`?");
        check("[llm]\nparallel = 0", &[], "must be 1 to 256");
        check("[llm]\nparallel = \"many\"", &[], "parallel");
        check(
            "[server]\nbind = \"localhost\"",
            &[],
            "server.bind is \"localhost\"; it must be an address and a port",
        );
        check("[server]\nadmin_bind = \"127.0.0.1:8080\"", &[], "they need two ports");
        check(
            "[server]\npublic_origins = [\"chat.example\"]",
            &[],
            "\"chat.example\" is no origin",
        );
        check("[server]\nping_s = 0", &[], "server.ping_s is 0; it must be 1 or more");
        check("[server]\ndead_s = 20", &[], "server.dead_s is 20 and server.ping_s 20");
        check(
            "[sessions]\nretain_days = 100000000000000",
            &[],
            "at most 36500, which is 100 years",
        );
        check("[llm]\ntemperature = -0.5", &[], "llm.temperature is -0.5; it must be 0 or more");
        check("[llm]\ntemperature = nan", &[], "llm.temperature is NaN");
        check("[llm]\ntop_p = 7.0", &[], "llm.top_p is 7; it must be 0 to 1");
        check(
            "[llm]\ncontext_tokens = 911",
            &[],
            "llm.context_tokens is 911; it must be at least 912",
        );
        check("[llm]\nengine = \"llamacpp\"", &[], "engine is \"llamacpp\"");
        check("[llm]\nengine = \"http://\"", &[], "empty host");
        check(
            "[answers]\nmin_confidence = 62.0",
            &[],
            "answers.min_confidence is 62; it must be 0 to 1",
        );
        check("[log]\nlevel = \"loud\"", &[], "log.level has \"loud\"");
        check(
            "[log]\nlevel = \"info,frontdesk::llm=loud\"",
            &[],
            "log.level has \"frontdesk::llm=loud\"",
        );
        let site = |lines: &str| format!("[[sites]]\nid = \"a\"\n{lines}");
        check(
            &site("language = \"english\""),
            &[],
            "site \"a\": language is \"english\"; it must be an ISO 639-1",
        );
        check(&site("origins = [\"shop.example\"]"), &[], "the origin \"shop.example\" is not one");
        check(&site(&site("")), &[], "two sites have the id \"a\"");
        let channel = "[[sites.channels]]\nplatform = \"webhook\"\nbase_url = \"https://a.example\"\n\
                       secrets = [\"whsec_0123456789abcdef\"]\n";
        check(&site(&channel.repeat(2)), &[], "site \"a\" has two channels \"webhook\"");
        let both =
            "[[sites.channels]]\nplatform = \"telegram\"\ntoken = \"1:a\"\ntoken_file = \"t\"";
        check(&site(both), &[], "token and token_file are both set");
        check("sites = []", &[], "no [[sites]]");
        check("[[sites]]\nid = \"A b\"", &[], "use 1 to 32");
        check("[server]\ntrusted_proxies = [\"proxy\"]", &[], "write 10.0.0.7 or 10.0.0.0/8");
        check("", &[("FRONTDESK_LLM_PARALEL", "3")], "did you mean `parallel`?");
        check("", &[("FRONTDESK_LLM_PARALLEL", "many")], "takes a integer");
    }

    #[test]
    fn all_mistakes_are_told_at_once() {
        let key = |name: &str, sha256: &str, rest: &str| {
            format!(
                "[[auth.keys]]\nname = {name:?}\nsha256 = {sha256:?}\nscopes = [\"chat\"]\n{rest}\n"
            )
        };
        let sum = "0123456789abcdef".repeat(4);
        let keys = key("crm", "fd_the-key-itself", "")
            + &key("crm", &sum, "site = \"nope\"")
            + &key("erp", &sum, "");
        let error = Config::parse(&format!("[llm]\ntop_p = -1.0\n{keys}"), []).unwrap_err();
        insta::assert_snapshot!(format!("{error:#}"), @r#"
        5 mistakes:
          [[auth.keys]] "crm": sha256 has 17 characters; it must be the key's SHA-256, 64 of 0-9 and a-f, as `frontdesk key` prints it
          [[auth.keys]] "crm": two keys have this name; the log tells them apart by it
          [[auth.keys]] "crm": site is "nope", which is none of the sites: default
          [[auth.keys]] "erp": another key has the same sha256; each name needs a key of its own
          llm.top_p is -1; it must be 0 to 1
        "#);
    }

    #[test]
    fn who_serves_needs_files_and_folders_that_are_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        let text = "[[sites]]\nid = \"shop\"\nknowledge = \"documents\"\n[[sites.channels]]\n\
                    platform = \"telegram\"\ntoken_file = \"telegram.token\"\nsecrets = [\"0123456789abcdef\"]\n";
        std::fs::write(&path, text).unwrap();
        // A backup is made all the same.
        Config::load(&path).unwrap();
        let error = format!("{:#}", Config::load_to_serve(&path).unwrap_err());
        for missing in ["documents", "telegram.token"] {
            assert!(error.contains(folder.path().join(missing).to_str().unwrap()), "{error}");
        }
        std::fs::create_dir(folder.path().join("documents")).unwrap();
        std::fs::write(folder.path().join("telegram.token"), "1:a").unwrap();
        assert_eq!(Config::load_to_serve(&path).unwrap().warnings(), Vec::<String>::new());
        std::fs::write(&path, "").unwrap();
        let warnings = Config::load_to_serve(&path).unwrap().warnings();
        assert!(warnings.concat().contains("there is no such folder"), "{warnings:?}");
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let environment = [
            ("FRONTDESK_LLM_PARALLEL".to_owned(), "3".to_owned()),
            ("FRONTDESK_CACHE".to_owned(), "x".to_owned()),
        ];
        assert_eq!(Config::parse("[llm]\nparallel = 2", environment).unwrap().llm.parallel, 3);
    }

    #[test]
    fn secrets_come_from_the_file_the_environment_or_files_of_their_own() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        let long = |start: &str| format!("{start}-0123456789abcdef0123456789abcdef");
        std::fs::write(folder.path().join("outcomes"), format!("{}\n", long("outcomes"))).unwrap();
        std::fs::write(folder.path().join("jwt"), long("jwt")).unwrap();
        std::fs::write(folder.path().join("llm"), "sk-remote\r\n").unwrap();
        let text = "[llm]\napi_key_file = \"llm\"\n[[sites]]\nid = \"shop\"\noutcomes_secret_file = \"outcomes\"\n\
                    [sites.jwt]\nalgorithm = \"HS256\"\nkey_file = \"jwt\"\n";
        std::fs::write(&path, text).unwrap();
        let config = Config::load(&path).unwrap();
        let site = config.site("shop").unwrap();
        assert_eq!(config.llm.api_key, "sk-remote");
        assert_eq!(site.outcomes_secret, Some(long("outcomes")));
        assert_eq!(site.jwt.as_ref().unwrap().key, long("jwt"));

        let text = "[[sites]]\nid = \"shop\"\n[[sites]]\nid = \"shop-de\"\n[sites.jwt]\nalgorithm = \"HS256\"\n";
        let environment = [
            ("FRONTDESK_SITES_SHOP_DE_JWT_KEY", "jwt"),
            ("FRONTDESK_SITES_SHOP_OUTCOMES_SECRET", "shop"),
        ];
        let environment = environment.map(|(name, start)| (name.to_owned(), long(start)));
        let config = Config::parse(text, environment).unwrap();
        assert_eq!(config.site("shop-de").unwrap().jwt.as_ref().unwrap().key, long("jwt"));
        assert_eq!(config.site("shop").unwrap().outcomes_secret, Some(long("shop")));

        check(text, &[], "an HS256 secret needs at least 32 bytes");
        check(text, &[("FRONTDESK_SITES_BANK_OUTCOMES_SECRET", "x")], "names no site");
        check(text, &[("FRONTDESK_SITES_SHOP_OUTCOMS_SECRET", "x")], "outcoms_secret");
        check("[llm]\napi_key = \"a\"\napi_key_file = \"b\"", &[], "both set");
        check("[llm]\napi_key_file = \"/nothing/here\"", &[], "can't read /nothing/here");
    }

    /// There the configuration's folder is read-only, and relative paths count from it.
    #[test]
    fn the_unit_and_the_image_write_below_their_own_folder() {
        let unit = include_str!("../deploy/frontdesk.service");
        let image = include_str!("../deploy/Containerfile");
        for (text, of_line) in [(unit, "Environment="), (image, "")] {
            let options = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
                let option = line.trim_start_matches("ENV ").trim().trim_end_matches(" \\");
                option
                    .strip_prefix(of_line)?
                    .split_once('=')
                    .filter(|(name, _)| name.starts_with("FRONTDESK_"))
            });
            let environment = options.map(|(name, value)| (name.to_owned(), value.to_owned()));
            let config = Config::read(include_str!("../config.toml"), environment).unwrap();
            let config = config.rebased(Path::new("/etc/frontdesk"));
            for path in [
                config.store.path,
                config.knowledge.index,
                config.knowledge.uploads,
                config.intent.models,
            ] {
                assert!(path.starts_with("/var/lib/frontdesk/"), "{}", path.display());
            }
            assert!(
                config.knowledge.path.starts_with("/etc/frontdesk"),
                "{}",
                config.knowledge.path.display()
            );
        }
    }

    #[test]
    fn the_file_in_the_repository_names_every_option_with_its_default() {
        let text = include_str!("../config.toml");
        let given: toml::Table = text.parse().unwrap();
        let mut defaults = toml::Table::try_from(Config::default()).unwrap();
        defaults.remove("sites");
        for (section, options) in &defaults {
            for (key, default) in options.as_table().unwrap() {
                if (section.as_str(), key.as_str()) == ("auth", "keys") {
                    // An empty list there would forbid the [[auth.keys]] that `frontdesk key`
                    // prints.
                    continue;
                }
                let stands = given
                    .get(section)
                    .and_then(|s| s.get(key))
                    .unwrap_or_else(|| panic!("{section}.{key} is not in config.toml"));
                // Options of 32 bits print as the nearest 64-bit number.
                let alike = match (stands, default) {
                    (toml::Value::Float(a), toml::Value::Float(b)) => (a - b).abs() < 1e-6,
                    (a, b) => a == b,
                };
                assert!(
                    alike,
                    "{section}.{key} is {stands} in config.toml but {default} by default"
                );
            }
        }
        Config::parse(text, []).unwrap();
    }
}
