//! The chat template that comes with a model: messages → the text that the model was trained on.
//!
//! A template is Jinja, rendered as the `transformers` library does (`trim_blocks`,
//! `lstrip_blocks`, `raise_exception`, `strftime_now`, Python's string methods). It never sees what
//! people wrote: it is rendered over placeholders, and [`Segment`]s tell the tokenizer which text
//! is the template's own. So nobody can end their message early by writing `<|im_end|>` into it.

use minijinja::{Environment, Error, ErrorKind, Value, context};
use minijinja_contrib::pycompat::unknown_method_callback;

use super::thoughts::{self, Marks, Thoughts};
use super::{ChatMessage, Role};
use crate::clock::Clock;

/// For models that bring no template: the most common format.
pub const CHATML: &str = "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + \
                          '<|im_end|>' + '\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}\
                          {% endif %}";

const NAME: &str = "chat_template";
const OPEN: &str = "[[frontdesk-content-";
const CLOSE: &str = "]]";

/// A compiled chat template.
#[derive(Debug)]
pub struct Template {
    environment: Environment<'static>,
    bos: String,
    eos: String,
    /// How the model marks thoughts, if it thinks.
    marks: Option<Marks>,
    /// What the template calls the least effort, where it asks for one.
    least_effort: &'static str,
}

/// A rendered prompt.
#[derive(Clone, Debug)]
pub struct Prompt {
    pub pieces: Vec<Piece>,
    /// Takes the thoughts out of what follows.
    pub thoughts: Thoughts,
}

/// Why messages can't be rendered.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The template is not valid Jinja, or uses something unknown.
    #[error("the model's chat template can't be read: {0}")]
    Invalid(String),
    /// The template refused the messages, also with the system prompt moved into the first
    /// question.
    #[error("the model's chat template refuses the conversation: {0}")]
    Refused(String),
    /// The template left a message out.
    #[error("the model's chat template leaves out message {0} of the conversation")]
    LeavesOut(usize),
}

/// A stretch of a rendered prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// The template's own text; its control tokens are meant.
    Template(String),
    /// What somebody wrote; nothing in it is a control token.
    Content(String),
}

/// Text to tokenise in one go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    pub text: String,
    /// Whether control tokens are recognised in it.
    pub parse_special: bool,
}

impl Template {
    /// Compiles a template. `bos` and `eos` are the texts of the model's special tokens, empty if
    /// it has none. `clock` is for templates that put the date into the prompt.
    ///
    /// # Errors
    /// [`TemplateError::Invalid`] if it is not valid.
    pub fn new(source: &str, bos: &str, eos: &str, clock: Clock) -> Result<Self, TemplateError> {
        // As Jinja2 does.
        let source = source.replace("\r\n", "\n");
        let mut environment = Environment::new();
        environment.set_trim_blocks(true);
        environment.set_lstrip_blocks(true);
        environment.set_unknown_method_callback(unknown_method_callback);
        environment.add_function("raise_exception", |message: String| -> Result<Value, Error> {
            Err(Error::new(ErrorKind::InvalidOperation, message))
        });
        environment.add_filter("length", length);
        environment.add_filter("count", length);
        environment
            .add_function("strftime_now", move |format: &str| strftime(format, clock.now_ms()));
        environment
            .add_template_owned(NAME, without_generation_tags(&source))
            .map_err(|error| TemplateError::Invalid(in_words(&error)))?;
        Ok(Self {
            environment,
            bos: bos.into(),
            eos: eos.into(),
            marks: thoughts::marks_of(&source),
            least_effort: least_effort(&source),
        })
    }

    /// Renders a conversation up to the place where the assistant's next words go, and `prefix`
    /// after it. A template that knows no system role, or wants strictly alternating roles, gets
    /// the messages merged so that it takes them. The model may think so many tokens before; with 0
    /// the prompt ends behind an empty thought, where the template has thoughts.
    ///
    /// # Errors
    /// [`TemplateError`] if the template can't be made to take the messages.
    pub fn render(
        &self,
        messages: &[ChatMessage],
        prefix: &str,
        thinking_tokens: u32,
    ) -> Result<Prompt, TemplateError> {
        // An answer that stands already has been thought about.
        let thinking_tokens = if prefix.is_empty() { thinking_tokens } else { 0 };
        let mut pieces = self.render_once(messages, thinking_tokens).or_else(|error| {
            let merged = merge(messages);
            if merged == messages { Err(error) } else { self.render_once(&merged, thinking_tokens) }
        })?;
        let mut end = match pieces.last() {
            Some(Piece::Template(text)) => text.clone(),
            Some(Piece::Content(_)) | None => String::new(),
        };
        if let Some(marks) = self.marks.as_ref().filter(|_| thinking_tokens == 0) {
            let behind = thoughts::left_out(marks, &end);
            end.push_str(&behind);
            pieces.push(Piece::Template(behind));
        }
        let thoughts = match self.marks {
            _ if !prefix.is_empty() => Thoughts::none(),
            Some(marks) => Thoughts::of(marks, &end),
            None => Thoughts::of_unknown(),
        };
        if !prefix.is_empty() {
            pieces.push(Piece::Content(prefix.into()));
        }
        Ok(Prompt { pieces, thoughts })
    }

    /// Whether it has thoughts.
    #[must_use]
    pub fn thinks(&self) -> bool {
        self.marks.is_some()
    }

    fn render_once(
        &self,
        messages: &[ChatMessage],
        thinking_tokens: u32,
    ) -> Result<Vec<Piece>, TemplateError> {
        let refused = |error: Error| TemplateError::Refused(in_words(&error));
        let placeholders: Vec<Value> = messages
            .iter()
            .enumerate()
            .map(|(at, message)| context! { role => message.role, content => format!("{OPEN}{at}{CLOSE}") })
            .collect();
        let text = self
            .environment
            .get_template(NAME)
            .and_then(|template| {
                template.render(context! {
                    messages => placeholders,
                    add_generation_prompt => true,
                    bos_token => self.bos,
                    eos_token => self.eos,
                    // The names that templates have for it; nobody else looks at them.
                    enable_thinking => thinking_tokens > 0,
                    thinking => thinking_tokens > 0,
                    reasoning => thinking_tokens > 0,
                    thinking_budget => thinking_tokens,
                    reasoning_effort => self.least_effort,
                })
            })
            .map_err(refused)?;
        let (pieces, used) = split(&text, messages);
        match used.iter().position(|used| !used) {
            Some(at) => Err(TemplateError::LeavesOut(at + 1)),
            None => Ok(pieces),
        }
    }
}

/// The least effort that a template names: some refuse the words of others.
fn least_effort(source: &str) -> &'static str {
    let named = |word: &&str| {
        source.contains(&format!("'{word}'")) || source.contains(&format!("\"{word}\""))
    };
    ["none", "minimal", "low"].into_iter().find(named).unwrap_or("low")
}

/// As in Jinja2, what isn't defined has no length: many templates ask `tools|length`.
fn length(value: &Value) -> Result<usize, Error> {
    if value.is_undefined() {
        return Ok(0);
    }
    let kind = value.kind();
    value
        .len()
        .ok_or_else(|| Error::new(ErrorKind::InvalidOperation, format!("{kind} has no length")))
}

/// Joins pieces to as few segments as possible, so that words are tokenised as in one text. Content
/// in which a control token's text occurs, in full or together with what stands beside it, becomes
/// a segment of its own in which none is recognised.
#[must_use]
pub fn segments(pieces: &[Piece], control_tokens: &[String]) -> Vec<Segment> {
    let mut text = String::new();
    let ranges: Vec<_> = pieces
        .iter()
        .map(|piece| {
            let from = text.len();
            let (Piece::Template(part) | Piece::Content(part)) = piece;
            text.push_str(part);
            from..text.len()
        })
        .collect();
    let found = occurrences(&text, control_tokens);

    let mut segments: Vec<Segment> = Vec::new();
    for (piece, range) in pieces.iter().zip(ranges) {
        let hostile = matches!(piece, Piece::Content(_))
            && found.iter().any(|&(from, to)| from < range.end && range.start < to);
        let part = &text[range];
        match segments.last_mut() {
            _ if part.is_empty() => {}
            Some(last) if !hostile && last.parse_special => last.text.push_str(part),
            _ => segments.push(Segment { text: part.into(), parse_special: !hostile }),
        }
    }
    segments
}

/// Where the text of any control token occurs, overlapping ones included.
fn occurrences(text: &str, control_tokens: &[String]) -> Vec<(usize, usize)> {
    let mut by_first_byte: [Vec<&str>; 256] = std::array::from_fn(|_| Vec::new());
    for token in control_tokens {
        if let Some(&first) = token.as_bytes().first() {
            by_first_byte[usize::from(first)].push(token);
        }
    }
    let bytes = text.as_bytes();
    (0..bytes.len())
        .flat_map(|at| {
            by_first_byte[usize::from(bytes[at])]
                .iter()
                .filter(move |token| bytes[at..].starts_with(token.as_bytes()))
                .map(move |token| (at, at + token.len()))
        })
        .collect()
}

/// Cuts rendered text at its placeholders and puts the contents in. Also says which messages were
/// used.
fn split(text: &str, messages: &[ChatMessage]) -> (Vec<Piece>, Vec<bool>) {
    let mut pieces = Vec::new();
    let mut used = vec![false; messages.len()];
    let mut rest = text;
    while let Some((before, number, after)) = next_placeholder(rest) {
        pieces.push(Piece::Template(before.into()));
        if let Some(message) = messages.get(number) {
            pieces.push(Piece::Content(message.content.clone()));
            used[number] = true;
        }
        rest = after;
    }
    pieces.push(Piece::Template(rest.into()));
    (pieces, used)
}

fn next_placeholder(text: &str) -> Option<(&str, usize, &str)> {
    let (before, rest) = text.split_once(OPEN)?;
    let (number, after) = rest.split_once(CLOSE)?;
    Some((before, number.parse().ok()?, after))
}

/// The same conversation for stricter templates: no system role, and nobody speaks twice in a row.
fn merge(messages: &[ChatMessage]) -> Vec<ChatMessage> {
    let mut merged: Vec<ChatMessage> = Vec::new();
    for message in messages {
        let role = if message.role == Role::Assistant { Role::Assistant } else { Role::User };
        match merged.last_mut() {
            Some(last) if last.role == role => {
                last.content.push_str("\n\n");
                last.content.push_str(&message.content);
            }
            _ => merged.push(ChatMessage { role, content: message.content.clone() }),
        }
    }
    merged
}

/// `{% generation %}` marks answers for training and means nothing here, but isn't Jinja.
fn without_generation_tags(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(at) = rest.find("{%") {
        let Some(end) = rest[at..].find("%}").map(|end| at + end) else { break };
        let inner = &rest[at + 2..end];
        let word = inner.trim_matches(|c: char| c == '-' || c == '+' || c.is_whitespace());
        let replaced = match word {
            "generation" => inner.replace("generation", "if true"),
            "endgeneration" => inner.replace("endgeneration", "endif"),
            _ => inner.into(),
        };
        out.push_str(&rest[..at + 2]);
        out.push_str(&replaced);
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}

/// An error of minijinja with its causes, in one line.
fn in_words(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// The part of `strftime` that chat templates use, in UTC.
fn strftime(format: &str, now_ms: u64) -> String {
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    const DAYS: [&str; 7] =
        ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];
    let seconds = now_ms / 1000;
    let days = seconds / 86_400;
    let (year, month, day) = civil_from_days(days);
    let month_name = MONTHS[month as usize - 1];
    let day_name = DAYS[(days % 7) as usize];
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);

    let mut out = String::new();
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('Y') => out.push_str(&year.to_string()),
            Some('y') => out.push_str(&format!("{:02}", year % 100)),
            Some('m') => out.push_str(&format!("{month:02}")),
            Some('d') => out.push_str(&format!("{day:02}")),
            Some('e') => out.push_str(&format!("{day:2}")),
            Some('B') => out.push_str(month_name),
            Some('b' | 'h') => out.push_str(&month_name[..3]),
            Some('A') => out.push_str(day_name),
            Some('a') => out.push_str(&day_name[..3]),
            Some('H') => out.push_str(&format!("{hour:02}")),
            Some('M') => out.push_str(&format!("{minute:02}")),
            Some('S') => out.push_str(&format!("{second:02}")),
            Some('%') => out.push('%'),
            Some(other) => out.extend(['%', other]),
            None => out.push('%'),
        }
    }
    out
}

/// Year, month and day of a count of days since 1970-01-01. Howard Hinnant, "chrono-Compatible
/// Low-Level Date Algorithms".
pub(crate) fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let era = days / 146_097;
    let of_era = days % 146_097;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LLAMA3: &str = "{{- bos_token }}{%- set date = strftime_now('%d %b %Y') %}\n{%- for message in messages %}\n    {{- \
                          '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' + message['content'] | trim + \
                          '<|eot_id|>' }}\n{%- endfor %}{{- date }}{%- if add_generation_prompt %}{{- \
                          '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{%- endif %}";
    const NO_SYSTEM: &str = "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not \
                             supported') }}{% endif %}{% for message in messages %}{% if (message['role'] == 'user') != \
                             (loop.index0 % 2 == 0) %}{{ raise_exception('Roles must alternate') }}{% endif %}{{ \
                             '<turn>' + message['role'] + '\n' + message['content'].strip() + '<end>\n' }}{% endfor %}{% \
                             if add_generation_prompt %}{{ '<turn>model\n' }}{% endif %}";

    fn message(role: Role, content: &str) -> ChatMessage {
        ChatMessage { role, content: content.into() }
    }

    fn render(source: &str, messages: &[ChatMessage], prefix: &str) -> String {
        let template =
            Template::new(source, "<s>", "</s>", Clock::manual(1_753_000_000_000)).unwrap();
        let prompt = template.render(messages, prefix, 0).unwrap();
        prompt
            .pieces
            .iter()
            .map(|(Piece::Template(text) | Piece::Content(text))| text.as_str())
            .collect()
    }

    #[test]
    fn templates_render() {
        let talk = [
            message(Role::System, "Be brief."),
            message(Role::User, "Hi"),
            message(Role::User, "there"),
        ];
        insta::assert_snapshot!(render(CHATML, &talk, "Hel"), @r"
        <|im_start|>system
        Be brief.<|im_end|>
        <|im_start|>user
        Hi<|im_end|>
        <|im_start|>user
        there<|im_end|>
        <|im_start|>assistant
        Hel
        ");
        insta::assert_snapshot!(render(LLAMA3, &talk[..2], ""), @r"
        <s><|start_header_id|>system<|end_header_id|>

        Be brief.<|eot_id|><|start_header_id|>user<|end_header_id|>

        Hi<|eot_id|>20 Jul 2025<|start_header_id|>assistant<|end_header_id|>
        ");
        // The system prompt moves into the question, and two questions in a row become one.
        insta::assert_snapshot!(render(NO_SYSTEM, &talk, ""), @r"
        <s><turn>user
        Be brief.

        Hi

        there<end>
        <turn>model
        ");
    }

    /// The end of a prompt, and whether the model may think so many tokens in what follows.
    #[track_caller]
    fn check_end(source: &str, thinking_tokens: u32, expected: &str, thinks: bool) {
        let template = Template::new(source, "", "", Clock::manual(0)).unwrap();
        let prompt = template.render(&[message(Role::User, "Hi")], "", thinking_tokens).unwrap();
        let Some((Piece::Template(behind), rest)) = prompt.pieces.split_last() else {
            panic!("no prompt")
        };
        let end = match rest.last() {
            Some(Piece::Template(text)) => text.clone() + behind,
            Some(Piece::Content(_)) | None => behind.clone(),
        };
        assert_eq!((end.as_str(), prompt.thoughts.thinks()), (expected, thinks));
    }

    /// Templates as those of current models are built.
    #[test]
    fn prompts_end_without_a_thought_or_with_one() {
        let talk = "{% for m in messages %}{{ m.content }}{% endfor %}";
        // Qwen, GLM: a switch, and an empty thought without.
        let switched = format!(
            "{talk}A:{{% if enable_thinking is defined and enable_thinking is false %}}<think>\n\n</think>\n\n{{% endif %}}"
        );
        check_end(&switched, 0, "A:<think>\n\n</think>\n\n", false);
        check_end(&switched, 9, "A:", false);
        // DeepSeek R1, MiniMax, Step: a thought always.
        let always = format!("{talk}A:<think>\n{{# </think> #}}");
        check_end(&always, 0, "A:<think>\n\n</think>\n\n", false);
        check_end(&always, 9, "A:<think>\n", true);
        // DeepSeek V3.1: another switch.
        let other = format!("{talk}A:{{{{ '<think>' if thinking else '</think>' }}}}");
        check_end(&other, 0, "A:</think>", false);
        check_end(&other, 9, "A:<think>", true);
        // gpt-oss: an effort, and channels.
        let harmony = format!(
            "{{{{ reasoning_effort }}}}{talk}A:{{# '<|channel|>' + channel + '<|message|>' #}}<|start|>assistant"
        );
        check_end(&harmony, 0, "A:<|start|>assistant<|channel|>final<|message|>", false);
        check_end(&harmony, 9, "A:<|start|>assistant", true);
        // Seed-OSS: a budget, which is told and leaves the thought open.
        let budget = format!(
            "{talk}A:{{% if thinking_budget == 0 %}}<seed:think>{{% endif %}}{{# </seed:think> #}}"
        );
        check_end(&budget, 0, "A:<seed:think></seed:think>", false);
        check_end(&budget, 9, "A:", false);
        // Apriel: steps in plain words.
        let steps = format!("{talk}Here are my reasoning steps:\n{{# [BEGIN FINAL RESPONSE] #}}");
        check_end(&steps, 0, "Here are my reasoning steps:\n\n[BEGIN FINAL RESPONSE]\n", false);
        check_end(&steps, 9, "Here are my reasoning steps:\n", true);
        // Magistral: the model begins by itself, if at all.
        check_end(&format!("{talk}[/INST]{{# [THINK][/THINK] #}}"), 0, "[/INST]", false);
        // Mistral Small 4: refuses efforts that it doesn't know.
        let picky = format!(
            "{{% if reasoning_effort not in ['none', 'high'] %}}{{{{ raise_exception('effort') }}}}{{% endif %}}{talk}A:"
        );
        check_end(&picky, 0, "A:", false);
    }

    #[test]
    fn what_is_not_defined_has_no_length_and_lines_end_as_in_jinja2() {
        let source = "{% if tools|length > 0 %}tools{% endif %}{{ messages|count }}\r\n{% for m in messages %}\r\n{{ m.content }}{% endfor %}";
        assert_eq!(render(source, &[message(Role::User, "Hi")], ""), "1\nHi");
    }

    #[track_caller]
    fn check_refused(source: &str, expected: &str) {
        let error = match Template::new(source, "", "", Clock::manual(0)) {
            Err(error) => error,
            Ok(template) => template.render(&[message(Role::User, "Hi")], "", 0).unwrap_err(),
        };
        assert!(error.to_string().contains(expected), "{error}");
    }

    #[test]
    fn refusals_say_why() {
        check_refused("{% for %}", "can't be read");
        check_refused("{{ raise_exception('Only in French') }}", "Only in French");
        check_refused("{{ bos_token }}", "leaves out message 1");
    }

    #[test]
    fn training_tags_are_ignored() {
        assert_eq!(
            without_generation_tags("a{%- generation -%}b{% endgeneration %}{% if x %}"),
            "a{%- if true -%}b{% endif %}{% if x %}"
        );
    }

    #[track_caller]
    fn check_segments(pieces: &[(bool, &str)], expected: &[(bool, &str)]) {
        let pieces: Vec<Piece> =
            pieces
                .iter()
                .map(|&(template, text)| {
                    if template {
                        Piece::Template(text.into())
                    } else {
                        Piece::Content(text.into())
                    }
                })
                .collect();
        let segments = segments(&pieces, &["<end>".into(), "<|x|>".into()]);
        let got: Vec<_> =
            segments.iter().map(|segment| (segment.parse_special, segment.text.as_str())).collect();
        assert_eq!(got, expected);
    }

    #[test]
    fn content_is_never_parsed_for_control_tokens() {
        check_segments(
            &[(true, "<|x|>"), (false, "hello"), (true, "<end>")],
            &[(true, "<|x|>hello<end>")],
        );
        check_segments(
            &[(true, "<|x|>"), (false, "a<end>b"), (true, "<end>"), (false, "c")],
            &[(true, "<|x|>"), (false, "a<end>b"), (true, "<end>c")],
        );
        // A control token put together from content and what stands beside it.
        check_segments(
            &[(true, "q<"), (false, "end>"), (true, "t")],
            &[(true, "q<"), (false, "end>"), (true, "t")],
        );
        check_segments(&[(false, "<e"), (false, "nd>")], &[(false, "<e"), (false, "nd>")]);
        check_segments(&[(true, ""), (false, ""), (true, "t")], &[(true, "t")]);
    }

    #[track_caller]
    fn check_date(format: &str, now_ms: u64, expected: &str) {
        assert_eq!(strftime(format, now_ms), expected);
    }

    #[test]
    fn dates_are_formatted() {
        check_date("%d %b %Y", 0, "01 Jan 1970");
        check_date(
            "%A %e %B %y, %H:%M:%S %% %q",
            951_827_696_000,
            "Tuesday 29 February 00, 12:34:56 % %q",
        );
        check_date("%Y-%m-%d %a", 1_767_225_599_000, "2025-12-31 Wed");
    }

    proptest! {
        #[test]
        fn segments_keep_the_text_and_the_borders(contents in proptest::collection::vec("[<end>|x a]{0,12}", 1..5)) {
            let tokens = ["<end>".to_string(), "<|x|>".to_string()];
            let pieces: Vec<Piece> = contents
                .iter()
                .flat_map(|content| [Piece::Template("<|x|>".into()), Piece::Content(content.clone()), Piece::Template("<end>".into())])
                .collect();
            let segments = segments(&pieces, &tokens);
            let whole: String = segments.iter().map(|segment| segment.text.as_str()).collect();
            let expected: String = contents.iter().map(|content| format!("<|x|>{content}<end>")).collect();
            prop_assert_eq!(whole, expected);
            // As many control tokens are recognised as the template wrote, however the contents
            // look.
            let recognised: usize = segments
                .iter()
                .filter(|segment| segment.parse_special)
                .map(|segment| occurrences(&segment.text, &tokens).len())
                .sum();
            prop_assert_eq!(recognised, contents.len() * 2);
        }
    }
}
