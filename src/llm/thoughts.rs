//! What a model thinks before it answers, and the marks that chat formats put around it. Pure.
//!
//! Thoughts are no answer: they go to nobody and through no gate. Where a template can't be told to
//! leave them out, its prompt is ended behind an empty thought; a thought that begins all the same
//! is cut after its allowance by writing its closing mark in the model's place, as llama-server's
//! `--reasoning-budget` does.

/// How one chat format marks thoughts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marks {
    /// What begins a thought; empty where every answer begins with one.
    open: &'static str,
    /// What ends it.
    close: &'static str,
    /// What is written to end a thought, if it isn't `close` with line breaks around it.
    forced: &'static str,
}

impl Marks {
    const fn pair(open: &'static str, close: &'static str) -> Self {
        Self { open, close, forced: "" }
    }

    /// Text that ends a thought, as the template itself would write it.
    #[must_use]
    pub fn ending(&self) -> String {
        if self.forced.is_empty() { format!("\n{}\n\n", self.close) } else { self.forced.into() }
    }

    /// True if a prompt with this end leaves the model in the middle of a thought.
    fn are_open_in(&self, prompt: &str) -> bool {
        if self.open.is_empty() {
            return !prompt.trim_end().ends_with(self.close);
        }
        let opened = prompt.rfind(self.open);
        opened.is_some() && opened > prompt.rfind(self.close)
    }
}

/// The formats in use in 2026, as their templates have them. The first two let every answer begin
/// with a thought.
const FORMATS: &[Marks] = &[
    // gpt-oss: thoughts are messages of their own, and what is for the reader follows the last of
    // these marks.
    Marks {
        open: "",
        close: "<|channel|>final<|message|>",
        forced: "<|end|><|start|>assistant<|channel|>final<|message|>",
    },
    // Apriel.
    Marks { open: "", close: "[BEGIN FINAL RESPONSE]", forced: "\n[BEGIN FINAL RESPONSE]\n" },
    // Qwen, DeepSeek, GLM, MiniMax, Step, Nemotron, Kimi K2 and most others.
    Marks::pair("<think>", "</think>"),
    // Magistral and Ministral.
    Marks { open: "[THINK]", close: "[/THINK]", forced: "[/THINK]" },
    // Seed-OSS.
    Marks { open: "<seed:think>", close: "</seed:think>", forced: "</seed:think>" },
    // Gemma 4.
    Marks { open: "<|channel>thought", close: "<channel|>", forced: "<channel|>" },
    // Command A Reasoning.
    Marks { open: "<|START_THINKING|>", close: "<|END_THINKING|>", forced: "<|END_THINKING|>" },
    // Kimi-VL.
    Marks::pair("◁think▷", "◁/think▷"),
    Marks::pair("<thinking>", "</thinking>"),
];

/// The marks that a chat template knows, if any.
#[must_use]
pub fn marks_of(template: &str) -> Option<Marks> {
    // gpt-oss's template puts the word between its marks together from parts.
    let harmony = template.contains("<|channel|>") && template.contains("<|message|>");
    FORMATS
        .iter()
        .find(|marks| {
            template.contains(marks.close) || (harmony && marks.close.starts_with("<|channel|>"))
        })
        .copied()
}

/// What is appended to a prompt so that the answer follows without a thought; empty if it does
/// anyway. `prompt` is its end.
#[must_use]
pub fn left_out(marks: &Marks, prompt: &str) -> String {
    match () {
        () if !marks.are_open_in(prompt) => String::new(),
        // Between the mark of the speaker and the answer stands the channel alone.
        () if marks.close.starts_with("<|channel|>") => marks.close.into(),
        () => marks.ending(),
    }
}

/// Where the text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Nothing was said yet, and a thought may begin.
    Before,
    Thought,
    Answer,
}

/// Takes thoughts out of what a model writes. Only what stands before the answer is a thought: a
/// page about these marks may be quoted.
#[derive(Clone, Debug)]
pub struct Thoughts {
    formats: Vec<Marks>,
    /// The format of the thought that is or was open.
    current: Option<Marks>,
    place: Place,
    /// Text that isn't decided, with control tokens and without.
    marked: Vec<u8>,
    plain: Vec<u8>,
    /// A thought ended: the line breaks behind it belong to it.
    ended_one: bool,
    /// Tokens of thoughts so far.
    tokens: usize,
}

impl Thoughts {
    /// For a model whose template knows these marks. `prompt` is the end of the prompt, which may
    /// have begun a thought.
    #[must_use]
    pub fn of(marks: Marks, prompt: &str) -> Self {
        let open = marks.are_open_in(prompt);
        let place = match () {
            () if open => Place::Thought,
            () if marks.open.is_empty() => Place::Answer,
            () => Place::Before,
        };
        // Behind a thought that the prompt ended, a line break is none of the answer either.
        let ended_one = prompt.contains(marks.close);
        Self { current: Some(marks).filter(|_| open), place, ended_one, ..Self::with(vec![marks]) }
    }

    /// For an answer that goes on: everything is text.
    #[must_use]
    pub fn none() -> Self {
        Self { place: Place::Answer, ..Self::with(Vec::new()) }
    }

    /// For a template that names no marks, or isn't known: any format may come but those in which
    /// every answer begins with a thought, which can't be told from an answer.
    #[must_use]
    pub fn of_unknown() -> Self {
        Self::with(FORMATS.iter().filter(|marks| !marks.open.is_empty()).copied().collect())
    }

    fn with(formats: Vec<Marks>) -> Self {
        Self {
            formats,
            current: None,
            place: Place::Before,
            marked: Vec::new(),
            plain: Vec::new(),
            ended_one: false,
            tokens: 0,
        }
    }

    /// Takes a token's bytes: `marked` with the text of control tokens, `plain` without. Gives what
    /// belongs to the answer.
    pub fn push(&mut self, marked: &[u8], plain: &[u8]) -> Vec<u8> {
        if self.place == Place::Answer {
            return plain.to_vec();
        }
        let before = self.thinks();
        let answer = self.sort_out(marked, plain);
        self.tokens += usize::from(before || self.thinks());
        answer
    }

    fn sort_out(&mut self, marked: &[u8], plain: &[u8]) -> Vec<u8> {
        self.marked.extend_from_slice(marked);
        self.plain.extend_from_slice(plain);
        loop {
            match self.place {
                Place::Answer => return std::mem::take(&mut self.plain),
                Place::Thought => {
                    let Some(marks) = self.current else { return Vec::new() };
                    let Some(at) = find(&self.marked, marks.close.as_bytes()) else {
                        let keep = self.marked.len().min(marks.close.len() - 1);
                        self.marked.drain(..self.marked.len() - keep);
                        self.plain.clear();
                        return Vec::new();
                    };
                    self.marked.drain(..at + marks.close.len());
                    // What follows in the same token is text of the answer: no token is half a
                    // control token.
                    self.plain = self.marked.clone();
                    self.ended_one = true;
                    self.place = if marks.open.is_empty() { Place::Answer } else { Place::Before };
                    self.current = None;
                    if self.place == Place::Answer {
                        trim(&mut self.plain);
                        self.marked.clear();
                        // The line break behind the mark may be a token of its own.
                        if self.plain.is_empty() {
                            self.place = Place::Before;
                            self.formats.clear();
                        }
                    }
                }
                Place::Before => {
                    let space =
                        self.marked.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
                    let text = &self.marked[space..];
                    let begun = self
                        .formats
                        .iter()
                        .find(|marks| text.starts_with(marks.open.as_bytes()))
                        .copied();
                    if let Some(marks) = begun {
                        self.marked.drain(..space + marks.open.len());
                        self.plain.clear();
                        self.current = Some(marks);
                        self.place = Place::Thought;
                    } else if text.is_empty()
                        || self.formats.iter().any(|marks| marks.open.as_bytes().starts_with(text))
                    {
                        return Vec::new();
                    } else {
                        self.place = Place::Answer;
                        self.marked.clear();
                        if self.ended_one {
                            trim(&mut self.plain);
                        }
                    }
                }
            }
        }
    }

    /// What was held back, now that nothing more comes: the beginning of a mark that never came
    /// whole. A thought that never ended is none of it.
    #[must_use]
    pub fn finish(&mut self) -> Vec<u8> {
        if self.place == Place::Thought { Vec::new() } else { std::mem::take(&mut self.plain) }
    }

    /// True while the model thinks.
    #[must_use]
    pub fn thinks(&self) -> bool {
        self.place == Place::Thought
    }

    /// Tokens of thoughts so far, most of their marks' counted.
    #[must_use]
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// What ends an answer, where the template has marks: one that ends a thought, and one on a
    /// line of its own that begins another. In the middle of an answer a small model repeats
    /// itself.
    #[must_use]
    pub fn stops(&self) -> Vec<String> {
        let [marks] = &self.formats[..] else { return Vec::new() };
        let again = (!marks.open.is_empty()).then(|| format!("\n{}", marks.open));
        again.into_iter().chain([marks.close.to_owned()]).collect()
    }

    /// What to write to end the thought that is open.
    #[must_use]
    pub fn ending(&self) -> Option<String> {
        self.current.filter(|_| self.thinks()).map(|marks| marks.ending())
    }
}

fn trim(text: &mut Vec<u8>) {
    let space = text.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    text.drain(..space);
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn marks(close: &str) -> Marks {
        *FORMATS.iter().find(|marks| marks.close == close).unwrap()
    }

    /// What is left of a text that comes in these tokens. `⟨…⟩` is a control token.
    fn answer(mut thoughts: Thoughts, tokens: &[&str]) -> (String, usize) {
        let mut left = Vec::new();
        for token in tokens {
            let marked = token.replace(['⟨', '⟩'], "");
            let plain = if token.starts_with('⟨') { "" } else { token };
            left.extend(thoughts.push(marked.as_bytes(), plain.as_bytes()));
        }
        left.extend(thoughts.finish());
        (String::from_utf8(left).unwrap(), thoughts.tokens())
    }

    #[track_caller]
    fn check(close: &str, prompt: &str, tokens: &[&str], expected: &str) {
        let (left, _) = answer(Thoughts::of(marks(close), prompt), tokens);
        assert_eq!(left, expected, "{tokens:?}");
    }

    #[test]
    fn thoughts_are_taken_out_however_they_are_cut() {
        let think = "</think>";
        check(
            think,
            "assistant\n",
            &["<think>", "\nWell", ".\n", "</think>", "\n\n", "Yes", "."],
            "Yes.",
        );
        check(think, "assistant\n", &["<", "thi", "nk>hm</th", "ink>\n", "\nYes."], "Yes.");
        // The prompt began the thought.
        check(think, "assistant\n<think>\n", &["Well.", "</think>", "Yes."], "Yes.");
        check(think, "<think>\n\n</think>\n\n", &["Yes", "."], "Yes.");
        // A second thought right behind the first.
        check(think, "", &["<think>a</think>", "\n", "<think>b</think>", "Yes."], "Yes.");
        // A thought that never ends is no answer, and half a mark is text.
        check(think, "", &["<think>", "on and on"], "");
        check(think, "", &["<thin"], "<thin");
        check(think, "", &["\n ", "Yes"], "\n Yes");
        // Behind the first words, the marks are what somebody writes about.
        check(think, "", &["Write <think>", " to think."], "Write <think> to think.");
    }

    #[test]
    fn control_tokens_are_marks_and_no_text() {
        check("[/THINK]", "", &["⟨[THINK]⟩", "Well.", "⟨[/THINK]⟩", "Yes."], "Yes.");
        check("[/THINK]", "", &["⟨<other>⟩", "Yes."], "Yes.");
        let harmony = "<|channel|>final<|message|>";
        let start = "<|start|>assistant";
        check(
            harmony,
            start,
            &[
                "⟨<|channel|>⟩",
                "analysis",
                "⟨<|message|>⟩",
                "Well.",
                "⟨<|end|>⟩",
                "⟨<|start|>⟩",
                "assistant",
                "⟨<|channel|>⟩",
                "final",
                "⟨<|message|>⟩",
                "Yes",
                ".",
            ],
            "Yes.",
        );
        check(harmony, start, &["⟨<|channel|>⟩", "final", "⟨<|message|>⟩", "Yes."], "Yes.");
        check(harmony, "<|start|>assistant<|channel|>final<|message|>", &["Yes."], "Yes.");
        check(
            "[BEGIN FINAL RESPONSE]",
            "steps:\n",
            &["One.", "\n[BEGIN FINAL", " RESPONSE]", "\n", "Yes."],
            "Yes.",
        );
        check("<channel|>", "<|channel>thought\n<channel|>", &["Yes."], "Yes.");
        check(
            "<channel|>",
            "model\n",
            &["⟨<|channel>⟩", "thought", "\nhm", "⟨<channel|>⟩", "Yes."],
            "Yes.",
        );
    }

    #[test]
    fn marks_in_an_answer_end_it() {
        assert_eq!(Thoughts::of(marks("</think>"), "").stops(), ["\n<think>", "</think>"]);
        let harmony = "<|channel|>final<|message|>";
        assert_eq!(Thoughts::of(marks(harmony), "<|start|>assistant").stops(), [harmony]);
        assert!(Thoughts::none().stops().is_empty());
    }

    #[test]
    fn a_prompt_ends_behind_an_empty_thought() {
        let check = |close: &str, prompt: &str, expected: &str| {
            assert_eq!(left_out(&marks(close), prompt), expected)
        };
        check("</think>", "assistant\n<think>\n", "\n</think>\n\n");
        check("</think>", "assistant\n<think></think>", "");
        check("</think>", "assistant\n", "");
        check("</seed:think>", "<seed:think><seed:cot_budget_reflect>", "</seed:think>");
        check("<|channel|>final<|message|>", "<|start|>assistant", "<|channel|>final<|message|>");
        check(
            "[BEGIN FINAL RESPONSE]",
            "Here are my reasoning steps:\n",
            "\n[BEGIN FINAL RESPONSE]\n",
        );
    }

    #[test]
    fn a_server_s_format_is_found_out() {
        assert_eq!(
            answer(Thoughts::of_unknown(), &["<think>a", "</think>", "Yes."]),
            ("Yes.".into(), 2)
        );
        assert_eq!(answer(Thoughts::of_unknown(), &["◁think▷a◁/think▷", "Yes."]).0, "Yes.");
        assert_eq!(answer(Thoughts::of_unknown(), &["Yes."]), ("Yes.".into(), 0));
        assert_eq!(answer(Thoughts::none(), &["<think>Yes."]).0, "<think>Yes.");
    }

    #[test]
    fn the_marks_are_the_template_s_own() {
        let of = |template: &str| marks_of(template).map(|marks| marks.close);
        assert_eq!(
            of("{{ '<|start|>assistant<|channel|>' + name + '<|message|>' }}"),
            Some("<|channel|>final<|message|>")
        );
        assert_eq!(of("{% if x %}<think>{% endif %}</think>"), Some("</think>"));
        assert_eq!(of("[THINK]{{ x }}[/THINK]"), Some("[/THINK]"));
        assert_eq!(of("{{ message.content }}"), None);
    }

    proptest! {
        #[test]
        fn where_tokens_end_changes_nothing(
            parts in prop::collection::vec(prop::sample::select(vec![
                "<think>", "</think>", "<", "think", ">", "a", "\n", " ", "[THINK]", "Yes", "家",
            ]), 0..12),
            cuts in prop::collection::vec(0_usize..40, 0..8),
            opened in any::<bool>(),
        ) {
            let text = parts.concat();
            let prompt = if opened { "<think>" } else { "" };
            let thoughts = || Thoughts::of(marks("</think>"), prompt);
            let mut bytes = thoughts();
            let mut whole = bytes.push(text.as_bytes(), text.as_bytes());
            whole.extend(bytes.finish());
            let mut at: Vec<usize> = cuts.into_iter().filter(|at| *at <= text.len()).chain([0, text.len()]).collect();
            at.sort_unstable();
            let mut cut = thoughts();
            let mut left = Vec::new();
            for pair in at.windows(2) {
                let token = &text.as_bytes()[pair[0]..pair[1]];
                left.extend(cut.push(token, token));
            }
            left.extend(cut.finish());
            prop_assert_eq!(left, whole);
        }
    }
}
