//! The models that are known by name, and which of them fit a machine. Pure, but for
//! `models/hub.rs`.

use serde::{Deserialize, Serialize};

pub mod hub;

/// What a model is for, and so which option names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Chat,
    Embedder,
    Multilingual,
    Reranker,
}

impl Role {
    /// Section and key of `config.toml`.
    #[must_use]
    pub fn option(self) -> (&'static str, &'static str) {
        match self {
            Self::Chat => ("llm", "model"),
            Self::Embedder => ("embedder", "model"),
            Self::Multilingual => ("knowledge", "multilingual"),
            Self::Reranker => ("knowledge", "reranker"),
        }
    }

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Embedder => "embedder",
            Self::Multilingual => "multilingual",
            Self::Reranker => "reranker",
        }
    }
}

/// A file on the Hugging Face hub.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct HubFile {
    /// `owner/name`.
    pub repository: String,
    pub file: String,
    /// Branch, tag or commit.
    #[serde(default = "main_branch")]
    pub revision: String,
}

fn main_branch() -> String {
    "main".to_owned()
}

/// One model; the fields are explained at the head of `models.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    pub name: String,
    pub role: Role,
    pub languages: Vec<String>,
    pub licence: String,
    pub file: String,
    pub bytes: Option<u64>,
    pub sha256: Option<String>,
    pub parameters_m: u64,
    pub hub: Option<HubFile>,
    #[serde(default)]
    pub packages: Vec<String>,
    pub measured: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelsFile {
    models: Vec<Model>,
}

/// All known models, those of one role from the smallest to the largest.
///
/// # Errors
/// When the built-in catalogue is broken, which a test rules out.
pub fn catalogue() -> anyhow::Result<Vec<Model>> {
    Ok(toml::from_str::<ModelsFile>(include_str!("../models.toml"))?.models)
}

/// What a machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Machine {
    pub cores: u64,
    /// `None` where the system doesn't tell.
    pub memory_mib: Option<u64>,
}

/// Millions of parameters that one processor core may have to compute for a chat: a rule of thumb,
/// not a measurement.
const CHAT_PER_CORE: u64 = 1_000;

impl Model {
    /// MiB of memory that it takes, about: its file, or 5 bits for each parameter, and as much
    /// again for what it computes, at most a GiB.
    #[must_use]
    pub fn memory_mib(&self) -> u64 {
        let file = self.bytes.map_or(self.parameters_m * 625 / 1_000, |bytes| bytes >> 20);
        file + file.min(1_024)
    }

    /// Whether it runs well on this machine: in half of its memory, and if it is to talk, fast
    /// enough without a GPU.
    #[must_use]
    pub fn fits(&self, machine: Machine) -> bool {
        let has_room = machine.memory_mib.is_none_or(|memory| self.memory_mib() <= memory / 2);
        has_room && (self.role != Role::Chat || self.parameters_m <= machine.cores * CHAT_PER_CORE)
    }
}

/// The one of each role that is recommended: the largest that fits and was tried here, or for
/// `chat`, where what was tried is too small to phrase, the largest that fits.
#[must_use]
pub fn recommended(models: &[Model], role: Role, machine: Machine) -> Option<&Model> {
    // Of several equally large ones the first is named: the last of the reversed order.
    let fitting = models.iter().rev().filter(|model| model.role == role && model.fits(machine));
    fitting
        .filter(|model| role == Role::Chat || model.measured.is_some())
        .max_by_key(|model| model.parameters_m)
}

/// The configuration's text with the role's option set to `path`; comments and order stay. An
/// option or section that isn't there is added.
#[must_use]
pub fn with_option(text: &str, role: Role, path: &str) -> String {
    let (section, key) = role.option();
    let line = format!("{key} = {}", toml::Value::from(path));
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let header = format!("[{section}]");
    let Some(start) = lines.iter().position(|line| line.trim() == header) else {
        lines.extend([String::new(), header, line]);
        return lines.join("\n") + "\n";
    };
    let rest = || lines.iter().enumerate().skip(start + 1);
    let end = rest()
        .find(|(_, line)| line.trim_start().starts_with('['))
        .map_or(lines.len(), |(at, _)| at);
    let is_option = |line: &str| line.split_once('=').is_some_and(|(name, _)| name.trim() == key);
    let place =
        rest().take_while(|(at, _)| *at < end).find(|(_, line)| is_option(line)).map(|(at, _)| at);
    match place.and_then(|at| lines.get_mut(at)) {
        Some(old) => *old = line,
        None => lines.insert(start + 1, line),
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_is_sound() {
        let models = catalogue().unwrap();
        for model in &models {
            let name = &model.name;
            assert_eq!(
                models
                    .iter()
                    .filter(|other| other.name == *name || other.file == model.file)
                    .count(),
                1,
                "{name}"
            );
            assert!(model.hub.is_some() || !model.packages.is_empty(), "{name} comes from nowhere");
            assert!(model.sha256.as_ref().is_none_or(|sum| sum.len() == 64), "{name}");
            assert!(!model.languages.is_empty() && model.parameters_m > 0, "{name}");
        }
        let script = include_str!("../scripts/models");
        for model in models.iter().filter(|model| !model.packages.is_empty()) {
            let line = format!("{}  {}", model.sha256.as_deref().unwrap_or_default(), model.file);
            assert!(script.contains(&line), "scripts/models doesn't make {}", model.name);
        }
    }

    #[test]
    fn a_small_machine_is_not_told_to_take_a_large_model() {
        let models = catalogue().unwrap();
        #[track_caller]
        fn check(
            models: &[Model],
            role: Role,
            cores: u64,
            memory_mib: u64,
            expected: Option<&str>,
        ) {
            let machine = Machine { cores, memory_mib: Some(memory_mib) };
            assert_eq!(
                recommended(models, role, machine).map(|model| model.name.as_str()),
                expected
            );
        }
        check(&models, Role::Chat, 2, 4_096, Some("smollm2-135m"));
        check(&models, Role::Chat, 8, 8_192, Some("qwen3-4b"));
        check(&models, Role::Chat, 16, 65_536, Some("qwen3-8b"));
        check(&models, Role::Reranker, 2, 2_048, Some("ms-marco-minilm-l-12-v2"));
        check(&models, Role::Reranker, 2, 64, None);
    }

    #[test]
    fn an_option_is_set_and_the_rest_stays() {
        #[track_caller]
        fn check(text: &str, expected: &str) {
            assert_eq!(with_option(text, Role::Reranker, "m/x.gguf"), expected);
        }
        check(
            "[knowledge]\n# Why.\nreranker = \"old\"\n\n[llm]\nreranker = 1\n",
            "[knowledge]\n# Why.\nreranker = \"m/x.gguf\"\n\n[llm]\nreranker = 1\n",
        );
        check(
            "[knowledge]\npath = \"k\"\n",
            "[knowledge]\nreranker = \"m/x.gguf\"\npath = \"k\"\n",
        );
        check("[llm]\n", "[llm]\n\n[knowledge]\nreranker = \"m/x.gguf\"\n");
    }
}
