//! Numbered clauses and questions → headings. Written as `4. Cancelling` over a paragraph, Markdown
//! takes them for the items of a list, and whoever quotes a list for the steps of an instruction.

/// Longest title of a clause, in characters and words, and longest question in characters.
const MAX_TITLE: usize = 60;
const MAX_TITLE_WORDS: usize = 8;
const MAX_QUESTION: usize = 200;
/// A paragraph below a clause's title has at least this many characters, or ends like a sentence.
const MIN_PARAGRAPH: usize = 40;

/// What a line that begins with a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Question,
    Title,
    /// An item of a list.
    Item,
}

struct Numbered {
    line: usize,
    /// 1 for `4.`, 2 for `4.1`.
    depth: usize,
    last: u32,
    kind: Kind,
}

/// Text or Markdown with numbered clauses and questions as headings.
pub(super) fn as_headings(text: &str) -> String {
    let lines: Vec<&str> = text.split('\n').collect();
    let mut found: Vec<Numbered> = Vec::new();
    let mut fenced = false;
    for (at, line) in lines.iter().enumerate() {
        fenced ^= line.trim_start().starts_with("```");
        if let Some((numbers, title)) = numbered(line).filter(|_| !fenced) {
            let kind = kind(title, &lines, at);
            found.push(Numbered {
                line: at,
                depth: numbers.len(),
                last: numbers[numbers.len() - 1],
                kind,
            });
        }
    }
    // Runs of numbers that count up; deeper ones stand within.
    let mut levels: Vec<Option<usize>> = vec![None; lines.len()];
    let mut start = 0;
    while start < found.len() {
        let mut end = start + 1;
        while end < found.len() && goes_on(&found[start..end], &found[end]) {
            end += 1;
        }
        mark(&lines, &found[start..end], &mut levels);
        start = end;
    }
    mark_questions(&lines, &mut levels);
    if levels.iter().all(Option::is_none) {
        return text.to_owned();
    }
    let mut out = Vec::with_capacity(lines.len());
    for (line, level) in lines.iter().zip(levels) {
        match level {
            Some(level) => {
                let title = line.trim().replace("**", "").replace('\\', "");
                // Clauses are referred to by their numbers, questions aren't.
                let question = numbered(&title)
                    .map(|(_, rest)| rest)
                    .filter(|rest| rest.ends_with(['?', '？', '؟']));
                out.push(format!("{} {}", "#".repeat(level), question.unwrap_or(&title)));
                out.push(String::new());
            }
            None => out.push((*line).to_owned()),
        }
    }
    out.join("\n")
}

/// The numbers that a line begins with, and what follows: `4. Title`, `4) Title`, `4.1 Title`, `§ 4
/// Title`.
fn numbered(line: &str) -> Option<(Vec<u32>, &str)> {
    let line = line.trim_start_matches("**");
    let (section, mut rest) = match line.strip_prefix('§') {
        Some(rest) => (true, rest.trim_start()),
        None => (false, line),
    };
    let mut numbers = Vec::new();
    let mut closed = false;
    loop {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if !(1..=3).contains(&digits) {
            break;
        }
        numbers.push(rest[..digits].parse().ok()?);
        rest = &rest[digits..];
        closed = false;
        match rest.strip_prefix(['.', ')', '．', '、']) {
            Some(after) => (rest, closed) = (after, true),
            None => break,
        }
    }
    // `\.` is a number that was no list's where it was written.
    let rest = rest.strip_prefix("\\.").inspect(|_| closed = true).unwrap_or(rest);
    let spaced = rest.starts_with([' ', '\t', '\u{A0}']);
    let title = rest.trim();
    let marked = section || closed || numbers.len() > 1;
    (marked && spaced && !numbers.is_empty() && numbers.len() <= 4 && !title.is_empty())
        .then_some((numbers, title))
}

fn kind(title: &str, lines: &[&str], at: usize) -> Kind {
    let title = title.trim_matches('*').trim();
    let below = lines[at + 1..].iter().enumerate().find(|(_, line)| !line.trim().is_empty());
    let Some((gap, below)) = below else { return Kind::Item };
    let below_starts = below.trim_start();
    if numbered(below).is_some() || below_starts.starts_with('#') {
        return Kind::Item;
    }
    if title.ends_with(['?', '？', '؟']) && title.chars().count() <= MAX_QUESTION {
        return Kind::Question;
    }
    let bullets = ["- ", "* ", "• ", "| "].iter().any(|mark| below_starts.starts_with(mark));
    let short =
        title.chars().count() <= MAX_TITLE && title.split_whitespace().count() <= MAX_TITLE_WORDS;
    let ends = title.ends_with(['.', ',', ';', ':', '!', '。', '：', '，']);
    let paragraph = bullets
        || below.chars().count() >= MIN_PARAGRAPH
        || below.trim_end().ends_with(['.', '。', ':']);
    // A line that goes on with a small letter is the same sentence.
    let begins_anew = gap > 0 || bullets || !below_starts.starts_with(char::is_lowercase);
    let indented = gap == 0 && below.starts_with(' ') && !bullets;
    if short && !ends && paragraph && begins_anew && !indented { Kind::Title } else { Kind::Item }
}

fn goes_on(run: &[Numbered], next: &Numbered) -> bool {
    let same = run.iter().rev().find(|one| one.depth == next.depth);
    match same {
        Some(one) => next.last == one.last + 1 || next.depth > 1 && next.last == 1,
        // The first of a deeper level, or the level above goes on.
        None => next.last == 1 && run.last().is_some_and(|last| next.depth > last.depth),
    }
}

/// Gives the titles of a run their levels, if it is one of clauses or questions.
fn mark(lines: &[&str], run: &[Numbered], levels: &mut [Option<usize>]) {
    let titled = run.iter().filter(|one| one.kind != Kind::Item).count();
    let questions = run.iter().filter(|one| one.kind == Kind::Question).count();
    let clauses =
        run.len() > 1 && titled * 10 >= run.len() * 7 && !is_instruction(lines, run[0].line);
    if !clauses && questions * 2 < run.len() {
        return;
    }
    let above = lines[..run[0].line].iter().rev().find(|line| line.starts_with('#'));
    let outer = above.map_or(1, |line| line.bytes().take_while(|byte| *byte == b'#').count());
    for one in run {
        if one.kind == Kind::Question || one.kind == Kind::Title && clauses {
            levels[one.line] = Some((outer + one.depth).min(6));
        }
    }
}

/// Questions that are paragraphs of their own, each with an answer below, where there is more than
/// one: a page of them.
fn mark_questions(lines: &[&str], levels: &mut [Option<usize>]) {
    let mut found = Vec::new();
    let mut fenced = false;
    let mut outer = 1;
    for (at, line) in lines.iter().enumerate() {
        fenced ^= line.trim_start().starts_with("```");
        if line.starts_with('#') {
            outer = line.bytes().take_while(|byte| *byte == b'#').count();
        }
        let bare = line.trim().trim_matches('*').trim();
        let alone = at == 0 || lines[at - 1].trim().is_empty() || lines[at - 1].starts_with('#');
        let plain =
            !line.starts_with([' ', '#', '-', '>', '|', '\t']) && levels[at].is_none() && !fenced;
        let asks = bare.ends_with(['?', '？', '؟'])
            && bare.matches(['?', '？', '؟', '.', '。']).count() == 1;
        let below = lines[at + 1..].iter().find(|line| !line.trim().is_empty());
        let answered = below.is_some_and(|below| {
            let below = below.trim().trim_matches('*');
            !below.starts_with('#') && !below.ends_with(['?', '？', '؟'])
        });
        if plain
            && alone
            && asks
            && answered
            && bare.chars().count() <= MAX_QUESTION
            && numbered(line).is_none()
        {
            found.push((at, (outer + 1).min(6)));
        }
    }
    if found.len() > 1 || levels.iter().any(Option::is_some) {
        found.into_iter().for_each(|(at, level)| levels[at] = Some(level));
    }
}

/// Whether what stands above says that steps follow.
fn is_instruction(lines: &[&str], at: usize) -> bool {
    const WORDS: [&str; 16] = [
        "how to",
        "steps",
        "step by step",
        "guide",
        "instructions",
        "anleitung",
        "schritt",
        "so geht",
        "étapes",
        "comment ",
        "pasos",
        "cómo ",
        "passaggi",
        "stappen",
        "steg",
        "kroki",
    ];
    let mut above = lines[..at].iter().rev().filter(|line| !line.trim().is_empty());
    let leads_in = above
        .next()
        .is_some_and(|line| line.trim_end().ends_with([':', '：']) && !line.starts_with('#'));
    let heading = lines[..at].iter().rev().find(|line| line.starts_with('#'));
    let heading = heading.map(|line| line.to_lowercase()).unwrap_or_default();
    leads_in
        || heading.ends_with(['?', '？', ':'])
        || WORDS.iter().any(|word| heading.contains(word))
}

#[cfg(test)]
mod tests {
    use super::as_headings;

    #[test]
    fn clauses_and_questions_are_headings_and_steps_are_not() {
        let check = |text: &str, expected: &str| assert_eq!(as_headings(text), expected, "{text}");
        check(
            "# Terms\n\n1. Scope\nThese terms hold for every booking with us.\n\n2. Prices\nPrices are in euros, taxes included.",
            "# Terms\n\n## 1. Scope\n\nThese terms hold for every booking with us.\n\n## 2. Prices\n\nPrices are in euros, taxes included.",
        );
        check(
            "4. Wann öffnen Sie?\n\nUm neun.\n\n5. Und am Sonntag?\n\nGar nicht.",
            "## Wann öffnen Sie?\n\n\nUm neun.\n\n## Und am Sonntag?\n\n\nGar nicht.",
        );
        check(
            "# Help\n\nDo you ship abroad?\nYes, everywhere.\n\n**Is it free?**\n\nNo.",
            "# Help\n\n## Do you ship abroad?\n\nYes, everywhere.\n\n## Is it free?\n\n\nNo.",
        );
        check("Why us? Because.\n\nReally?\n\nYes.", "Why us? Because.\n\nReally?\n\nYes.");
        for steps in [
            "To reset it:\n\n1. Hold the button\n\nIt blinks three times after a while of waiting.\n\n2. Let go\n\nThe lamp goes off, and on again.",
            "1. Close the book by clicking on its name in the\ntop left corner.\n2. Open it again.",
            "1. Wash it.\n2. Dry it.",
            "# How to wash it\n\n1. Soak\n\nIn warm water for about an hour or two.\n\n2. Rinse\n\nIn cold water until it runs clear.",
        ] {
            check(steps, steps);
        }
    }
}
