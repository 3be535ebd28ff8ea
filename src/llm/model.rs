//! A chat GGUF: loading it, its chat template, and its tokens.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::model::params::LlamaModelParams;
use llama_cpp_2::token::LlamaToken;
use llama_cpp_2::token_type::LlamaTokenAttr;

use super::template::{CHATML, Prompt, Template, segments};
use super::thoughts::Thoughts;
use super::tokens::TokenId;
use super::{ChatMessage, LlmConfig, LlmError, ModelFacts, backend, gguf, yes_share};
use crate::clock::Clock;

/// Larger files are hashed only when the configuration lists sums: it would take long at every
/// start.
const HASHED_UP_TO_BYTES: u64 = 2 << 30;

/// A loaded model; shared between the thread that computes and everybody who counts tokens.
pub(crate) struct Model {
    llama: LlamaModel,
    template: Template,
    /// Texts of the tokens that steer the model, such as `<|im_end|>`.
    control_tokens: Vec<String>,
    /// The text of the token that begins every prompt, if the model wants one.
    bos: Option<(LlamaToken, String)>,
    /// Tokens that a yes, and a no, begin with.
    yes: Vec<LlamaToken>,
    no: Vec<LlamaToken>,
    facts: ModelFacts,
}

/// How an answer may spell them.
const YES: [&str; 6] = ["Yes", "yes", "YES", " Yes", " yes", " YES"];
const NO: [&str; 6] = ["No", "no", "NO", " No", " no", " NO"];

impl Model {
    /// Checks and loads the file that the configuration names. Blocks for as long as reading it
    /// takes.
    pub(crate) fn load(config: &LlmConfig, clock: Clock) -> anyhow::Result<Self> {
        let path = PathBuf::from(&config.model);
        let checked = gguf::check(&path, &config.allowed_sha256)?;
        let sha256 = match &checked.sha256 {
            Some(sum) => sum.clone(),
            None if checked.size_bytes <= HASHED_UP_TO_BYTES => {
                gguf::sha256(&path).with_context(|| format!("can't read {}", path.display()))?
            }
            None => String::new(),
        };
        let backend = backend::backend().map_err(|error| anyhow!(error))?;
        let params = LlamaModelParams::default().with_n_gpu_layers(config.gpu_layers);
        let llama = LlamaModel::load_from_file(backend, &path, &params).map_err(|error| {
            anyhow!(
                "llama.cpp can't load {}: {error}; its log lines (target llama-cpp-2) say why",
                path.display()
            )
        })?;
        if checked.causal == Some(false) {
            return Err(anyhow!(
                "{} is an embedding model ({}); [llm] needs a chat model",
                path.display(),
                checked.architecture
            ));
        }

        let vocab = llama.vocab();
        let text_of = |token: LlamaToken| {
            if token.0 < 0 {
                return String::new();
            }
            String::from_utf8_lossy(&vocab.token_to_piece(token, true, None)).into_owned()
        };
        let (bos, eos) = (text_of(vocab.bos()), text_of(vocab.eos()));
        let template = chat_template(&llama, &path, &bos, &eos, clock)?;
        let control_tokens = vocab
            .tokens()
            .filter(|&token| {
                vocab.attr(token).intersects(LlamaTokenAttr::Control | LlamaTokenAttr::Unknown)
            })
            .map(text_of)
            .filter(|text| !text.is_empty())
            .collect();
        let bos = (vocab.should_add_bos() && vocab.bos().0 >= 0).then(|| (vocab.bos(), bos));
        let file_name = || {
            path.file_stem().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
        };
        let facts = ModelFacts {
            engine: "llama".into(),
            name: if checked.name.is_empty() { file_name() } else { checked.name.clone() },
            parameters: llama.n_params(),
            size_bytes: checked.size_bytes,
            quantisation: checked.file_type.clone(),
            sha256,
            trained_context: llama.n_ctx_train(),
            context_tokens: config.context_tokens,
            thinking_tokens: config.thinking_tokens,
            parallel: config.parallel,
            threads: threads(config.threads),
            gpu_layers: config.gpu_layers,
        };
        // A token that both could begin with, as a mere space, tells nothing.
        let (yes, no) = (first_tokens(&llama, &YES), first_tokens(&llama, &NO));
        let only = |own: &[LlamaToken], other: &[LlamaToken]| -> Vec<LlamaToken> {
            own.iter().filter(|token| !other.contains(token)).copied().collect()
        };
        let (yes, no) = (only(&yes, &no), only(&no, &yes));
        Ok(Self { template, control_tokens, bos, yes, no, facts, llama })
    }

    pub(crate) fn facts(&self) -> &ModelFacts {
        &self.facts
    }

    pub(crate) fn llama(&self) -> &LlamaModel {
        &self.llama
    }

    /// Whether a beginning of a sequence can be shared by others: every token's state stands in its
    /// own cell and stays there. Recurrent models have one state for all, and sliding windows reuse
    /// the cells they have passed.
    pub(crate) fn shares_prefixes(&self) -> bool {
        let window = self
            .llama
            .meta_val_str("general.architecture")
            .and_then(|name| self.llama.meta_val_str(&format!("{name}.attention.sliding_window")));
        let sliding = window.is_ok_and(|tokens| tokens != "0");
        !(self.llama.is_recurrent() || self.llama.is_hybrid() || sliding)
    }

    /// A prompt's tokens: the rendered conversation, up to where the next token of the answer goes;
    /// and what takes the thoughts out of that answer, which may have so many tokens of them.
    pub(crate) fn prompt(
        &self,
        messages: &[ChatMessage],
        prefix: &str,
        thinking_tokens: u32,
    ) -> Result<(Vec<TokenId>, Thoughts), LlmError> {
        let rendered = self.template.render(messages, prefix, thinking_tokens);
        let Prompt { pieces, thoughts } =
            rendered.map_err(|error| LlmError::Engine(error.to_string()))?;
        let mut tokens = Vec::new();
        let segments = segments(&pieces, &self.control_tokens);
        if let Some((bos, text)) = &self.bos
            && !segments
                .first()
                .is_some_and(|first| first.parse_special && first.text.starts_with(text.as_str()))
        {
            tokens.push(bos.0);
        }
        for segment in segments {
            tokens.extend(self.tokens(&segment.text, segment.parse_special));
        }
        Ok((tokens, thoughts))
    }

    /// Whether the template has thoughts.
    pub(crate) fn thinks(&self) -> bool {
        self.template.thinks()
    }

    /// Tokens that end the thought that is open, as the template would write them; none if none is.
    pub(crate) fn ending(&self, thoughts: &Thoughts) -> VecDeque<LlamaToken> {
        let text = thoughts.ending().unwrap_or_default();
        self.tokens(&text, true).into_iter().map(LlamaToken).collect()
    }

    /// Tokens of plain text: nothing in it is a control token.
    pub(crate) fn text_tokens(&self, text: &str) -> Vec<TokenId> {
        self.tokens(text, false)
    }

    /// The bytes of an answer's token; empty for control tokens.
    pub(crate) fn bytes_of(&self, token: LlamaToken) -> Vec<u8> {
        self.llama.vocab().token_to_piece(token, false, None)
    }

    /// The same with the text of control tokens.
    pub(crate) fn marked_bytes_of(&self, token: LlamaToken) -> Vec<u8> {
        self.llama.vocab().token_to_piece(token, true, None)
    }

    /// How likely yes is rather than no, 0…1, where the model gives these logits to its vocabulary.
    pub(crate) fn yes_share(&self, logits: &[f32]) -> Option<f32> {
        let of = |tokens: &[LlamaToken]| -> Vec<f32> {
            tokens
                .iter()
                .filter_map(|token| logits.get(usize::try_from(token.0).ok()?))
                .copied()
                .collect()
        };
        yes_share(of(&self.yes), of(&self.no))
    }

    /// Whether a token ends the answer.
    pub(crate) fn ends(&self, token: LlamaToken) -> bool {
        self.llama.vocab().is_eog(token)
    }

    fn tokens(&self, text: &str, parse_special: bool) -> Vec<TokenId> {
        self.llama
            .vocab()
            .tokenize(text.as_bytes(), false, parse_special)
            .into_iter()
            .map(|token| token.0)
            .collect()
    }
}

/// The tokens that any of these spellings begins with, each once.
fn first_tokens(llama: &LlamaModel, spellings: &[&str]) -> Vec<LlamaToken> {
    let mut first: Vec<LlamaToken> = spellings
        .iter()
        .filter_map(|spelling| {
            llama.vocab().tokenize(spelling.as_bytes(), false, false).first().copied()
        })
        .collect();
    first.sort_unstable_by_key(|token| token.0);
    first.dedup();
    first
}

/// The file's own chat template, or ChatML with a warning.
fn chat_template(
    llama: &LlamaModel,
    path: &Path,
    bos: &str,
    eos: &str,
    clock: Clock,
) -> anyhow::Result<Template> {
    let own = llama.chat_template(None).ok().and_then(|template| template.to_string().ok());
    let why = match own.map(|source| Template::new(&source, bos, eos, clock.clone())) {
        Some(Ok(template)) => return Ok(template),
        Some(Err(error)) => error.to_string(),
        None => "the file has no chat template".into(),
    };
    tracing::warn!(model = %path.display(), why, "using the ChatML format; answers may be poor if the model wasn't trained on it");
    Ok(Template::new(CHATML, bos, eos, clock)?)
}

/// Threads to compute with: as configured, or one per physical core that this process may use.
fn threads(configured: u32) -> u32 {
    if configured > 0 {
        return configured;
    }
    let usable = std::thread::available_parallelism().map_or(1, usize::from);
    u32::try_from((usable / threads_per_core()).max(1)).unwrap_or(1)
}

/// How many logical processors share a core: two threads on one core are slower than one at this
/// work.
#[cfg(target_arch = "x86_64")]
fn threads_per_core() -> usize {
    let cpuid = raw_cpuid::CpuId::new();
    let smt = cpuid.get_extended_topology_info().and_then(|mut levels| {
        levels
            .find(|level| level.level_type() == raw_cpuid::TopologyType::SMT)
            .map(|level| level.processors())
    });
    smt.map_or(1, |threads| usize::from(threads).max(1))
}

#[cfg(not(target_arch = "x86_64"))]
fn threads_per_core() -> usize {
    1
}

/// The processor and the instruction sets that llama.cpp's kernels were compiled for, for the
/// start-up log.
#[must_use]
pub fn instruction_sets() -> String {
    let mut compiled: Vec<&str> = Vec::new();
    for (name, on) in [
        ("AVX-512 VNNI", cfg!(target_feature = "avx512vnni")),
        ("AVX-512 BF16", cfg!(target_feature = "avx512bf16")),
        ("AVX-512", cfg!(target_feature = "avx512f")),
        ("AVX2", cfg!(target_feature = "avx2")),
        ("FMA", cfg!(target_feature = "fma")),
        ("NEON", cfg!(target_feature = "neon")),
        ("dot product", cfg!(target_feature = "dotprod")),
        ("int8 matrix", cfg!(target_feature = "i8mm")),
    ] {
        if on {
            compiled.push(name);
        }
    }
    let compiled =
        if compiled.is_empty() { "the baseline only".into() } else { compiled.join(", ") };
    format!("{} on {}", compiled, processor())
}

#[cfg(target_arch = "x86_64")]
fn processor() -> String {
    let cpuid = raw_cpuid::CpuId::new();
    let name = cpuid
        .get_processor_brand_string()
        .map_or_else(|| "an x86-64 processor".into(), |b| b.as_str().trim().to_string());
    let unused = cpuid.get_extended_feature_info().is_some_and(|features| {
        (features.has_avx512vnni() && !cfg!(target_feature = "avx512vnni"))
            || (features.has_avx2() && !cfg!(target_feature = "avx2"))
    });
    if unused { format!("{name}, which has faster ones: build with scripts/start") } else { name }
}

#[cfg(not(target_arch = "x86_64"))]
fn processor() -> String {
    std::env::consts::ARCH.into()
}
