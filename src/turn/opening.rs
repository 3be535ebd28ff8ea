//! Questions for opening hours: of the lines of hours that were found, those of the day that is
//! asked for. Where the documents tell of several places, what the question names decides, or
//! nothing is told.

use super::shelf::send_whole;
use super::{Ask, Cited, Outlet, Spine, TurnError};
use crate::conversation::Verdict;
use crate::grounding::{self, Unit, units};
use crate::language::week::{self, Asked, Line, Stated, When};
use crate::retrieval::Hit;
use crate::wording::{Figures, Hours};

/// Lines of hours that are told at most, and words beside days and hours that one may have.
const MAX_LINES: usize = 9;
const MAX_OTHERS: usize = 5;
/// Days of the week that lines have to be about, where nothing says that they are opening hours.
const MIN_DAYS: usize = 5;
/// Longest line, in bytes.
const MAX_BYTES: usize = 240;

/// Lines of hours under one heading.
#[derive(Debug)]
struct Group {
    heading: String,
    /// The heading and what it stands under, folded, with the lines' own words.
    words: String,
    lines: Vec<(Unit, Line)>,
}

impl Group {
    fn days(&self) -> usize {
        (0..7).filter(|day| self.stated().any(|stated| stated.days[*day])).count()
    }

    fn stated(&self) -> impl Iterator<Item = &Stated> {
        self.lines.iter().flat_map(|(_, line)| &line.stated)
    }

    fn names(&self, word: &str) -> bool {
        let stem: String = word.chars().take(word.chars().count().max(5) - 1).collect();
        self.words.split(' ').any(|own| own.starts_with(&stem))
    }
}

/// What is told: lines, and yes or no before them.
#[derive(Debug)]
pub(super) struct TimesAnswer {
    lines: Vec<Unit>,
    yes: Option<bool>,
    text: String,
}

impl TimesAnswer {
    /// What is said, line by line, with the pieces of documents that it is made of.
    pub(super) fn of(lines: Vec<Unit>, told: &[String]) -> Self {
        let text = match told {
            [only] => only.clone(),
            all => all.iter().map(|line| format!("- {line}")).collect::<Vec<_>>().join("\n"),
        };
        Self { lines, yes: None, text }
    }

    #[cfg(test)]
    pub(super) fn text(&self) -> &str {
        &self.text
    }
}

/// The hours of the day that a question asks for. `None` for another question, and where the
/// documents don't surely tell.
pub(super) fn ask(spine: &Spine, ask: &Ask, hits: &[Hit], language: &str) -> Option<TimesAnswer> {
    let asked = week::asked(&ask.question, language)?;
    tell(&asked, hits, language, spine.prompts.wording().figures(language))
}

/// Whether a question asks for hours without saying of which day: other answers come first.
pub(super) fn is_general(question: &str, language: &str) -> bool {
    week::asked(question, language)
        .is_some_and(|asked| matches!(asked.when, When::Always | When::Near))
}

fn tell(asked: &Asked, hits: &[Hit], language: &str, figures: &Figures) -> Option<TimesAnswer> {
    let mut groups: Vec<Group> =
        hits.iter().enumerate().flat_map(|(at, hit)| groups(at, hit, language)).collect();
    groups.retain(|group| asked.of.iter().all(|word| group.names(word)));
    let covers = |line: &Line| line.stated.iter().any(|stated| is_of(stated, &asked.when));
    let main = groups.iter().map(Group::days).max()?;
    let lines: Vec<&(Unit, Line)> = match asked.when {
        When::Date(..) | When::Holidays => {
            groups.iter().flat_map(|group| &group.lines).filter(|(_, line)| covers(line)).collect()
        }
        _ => {
            let mut best = groups.iter().filter(|group| group.days() == main);
            let group = best.next()?;
            // Two shops, each with its hours.
            let same = |other: &Group| {
                let texts = |group: &Group| {
                    group.lines.iter().map(|(unit, _)| unit.text.clone()).collect::<Vec<_>>()
                };
                texts(other) == texts(group)
            };
            if main == 0 || !best.all(same) {
                return None;
            }
            group.lines.iter().filter(|(_, line)| covers(line)).collect()
        }
    };
    if lines.is_empty() || lines.len() > MAX_LINES {
        return None;
    }
    let foreign = |unit: &Unit| {
        hits.get(unit.passage)
            .is_some_and(|hit| ![language, "und"].contains(&hit.passage.language.as_str()))
    };
    let mut told: Vec<String> = Vec::new();
    for (unit, line) in &lines {
        let text = match foreign(unit) {
            true => in_words(line, unit, &asked.when, &figures.hours)?,
            false => unit.text.trim().to_owned(),
        };
        if !told.contains(&text) {
            told.push(text);
        }
    }
    let stated = || {
        let all = lines.iter().flat_map(|(_, line)| &line.stated);
        all.filter(|stated| is_of(stated, &asked.when))
    };
    let plain = lines.iter().all(|(_, line)| line.others.is_empty());
    let yes = match (asked.yes_no && plain, stated().all(|s| s.closed && !s.open)) {
        (true, true) => Some(false),
        (true, false) if stated().all(|stated| stated.open && !stated.closed) => Some(true),
        _ => None,
    };
    let lines = lines.into_iter().map(|(unit, _)| unit.clone()).collect();
    Some(TimesAnswer { yes, ..TimesAnswer::of(lines, &told) })
}

/// Whether what is stated is of the day that is asked for.
fn is_of(stated: &Stated, when: &When) -> bool {
    match when {
        When::Days(days) => days.iter().zip(stated.days).any(|(asked, own)| *asked && own),
        When::Date(date, named) => stated.dates.contains(date) || *named && stated.holidays,
        When::Holidays => stated.holidays,
        When::Near | When::Always => stated.days.contains(&true),
    }
}

/// The lines of hours of a passage, by heading.
fn groups(at: usize, hit: &Hit, language: &str) -> Vec<Group> {
    let passage = &hit.passage;
    // A text without a language has the site's words, or those of records.
    let own = if passage.language == "und" { language } else { passage.language.as_str() };
    if passage.product.is_some() {
        return Vec::new();
    }
    let above = format!("{} {}", passage.title, passage.headings.join(" "));
    let under = week::is_of_opening(&above, own);
    let mut groups: Vec<Group> = Vec::new();
    for unit in grounding::for_visitors(units(at, &passage.text)) {
        let unit = Unit { text: as_line(&unit.text), ..unit };
        if unit.text.len() > MAX_BYTES || unit.text.trim_end().ends_with(['?', '？']) {
            continue;
        }
        let line = week::line(&unit.text, own);
        if line.stated.is_empty() || line.others.len() > MAX_OTHERS {
            continue;
        }
        match groups.last_mut().filter(|group| group.heading == unit.heading) {
            Some(group) => group.lines.push((unit, line)),
            None => groups.push(Group {
                heading: unit.heading.clone(),
                words: String::new(),
                lines: vec![(unit, line)],
            }),
        }
    }
    groups.retain(|group| {
        under
            || week::is_of_opening(&group.heading, own)
            || group.lines.iter().any(|(_, line)| line.of_opening)
            || group.days() >= MIN_DAYS
    });
    for group in &mut groups {
        let lines: Vec<&str> = group.lines.iter().map(|(unit, _)| unit.text.as_str()).collect();
        let all = format!("{above} {} {}", group.heading, lines.join(" "));
        group.words = crate::retrieval::columns::folded(&all);
    }
    groups
}

/// A record's row as a line: `close: 14:00; day: saturday; open: 10:00.` is `Saturday:
/// 10:00–14:00`.
fn as_line(text: &str) -> String {
    let row = text.trim().trim_end_matches('.');
    let parts: Vec<(&str, &str)> =
        row.split("; ").filter_map(|part| part.split_once(": ")).collect();
    let of = |names: &[&str]| {
        let found = parts.iter().find(|(label, _)| {
            let label = label.to_lowercase();
            names.iter().any(|name| label.ends_with(name))
        });
        found.map(|(_, value)| value.trim_end_matches('.').trim())
    };
    let day = of(&["day", "days", "dayofweek", "weekday", "tag", "jour", "dia", "giorno", "dag"]);
    let from = of(&["open", "opens", "from", "start", "von", "de", "apertura"]);
    let until = of(&["close", "closes", "to", "until", "end", "bis", "a", "chiusura"]);
    match (day, from, until) {
        (Some(day), Some(from), Some(until)) => {
            let mut letters = day.chars();
            let first = letters.next().into_iter().flat_map(char::to_uppercase);
            format!("{}: {from}–{until}", first.chain(letters).collect::<String>())
        }
        _ => text.to_owned(),
    }
}

/// A line in another language's words: `Samstag 9:00–17:00`. `None` where it says more than that.
fn in_words(line: &Line, unit: &Unit, when: &When, hours: &Hours) -> Option<String> {
    let [stated] = line.stated.as_slice() else { return None };
    if !line.others.is_empty() || stated.open == stated.closed || unit.text.contains('(') {
        return None;
    }
    let days: Vec<usize> = (0..7)
        .filter(|day| stated.days[*day])
        .filter(|day| match when {
            When::Days(asked) => asked[*day],
            _ => true,
        })
        .collect();
    let (first, last) = (*days.first()?, *days.last()?);
    let name = |day: usize| hours.days.get(day).map_or("", String::as_str);
    let named = match (days.len(), last - first + 1 == days.len()) {
        (7, _) => hours.daily.clone(),
        (1, _) => name(first).to_owned(),
        (_, true) => format!("{}{}{}", name(first), hours.to, name(last)),
        _ => days.iter().map(|day| name(*day)).collect::<Vec<_>>().join(&hours.comma),
    };
    if stated.closed {
        return Some(format!("{named} {}", hours.closed));
    }
    let text = unit.text.replace(['–', '—', '-'], " ");
    let times: Vec<&str> = text.split_whitespace().filter_map(time).collect();
    let spans: Vec<String> = times.chunks(2).map(|span| span.join("–")).collect();
    // Every hour has its end.
    let even = !times.is_empty() && times.len().is_multiple_of(2);
    even.then(|| format!("{named} {}", spans.join(&hours.comma)))
}

/// A word that is an hour with its minutes.
fn time(word: &str) -> Option<&str> {
    let bare = word.trim_matches(|c: char| !c.is_ascii_digit());
    let (hour, minute) = bare.split_once([':', '.', 'h'])?;
    (hour.len() <= 2 && minute.len() == 2).then_some(bare)
}

/// Sends what is told, with the lines' documents as its sources.
pub(super) async fn send(
    spine: &Spine,
    ask: &Ask,
    hits: &[Hit],
    told: &TimesAnswer,
    language: &str,
    out: &mut Outlet,
) -> Result<Verdict, TurnError> {
    let figures = spine.prompts.wording().figures(language);
    let text = match told.yes {
        Some(yes) => {
            let word = if yes { &figures.yes } else { &figures.no };
            format!("{word}{} {}", figures.stop, told.text)
        }
        None => told.text.clone(),
    };
    let mut cited = Cited::default();
    let mut citations = Vec::new();
    for unit in &told.lines {
        let Some(hit) = hits.get(unit.passage) else { continue };
        let quote = hit.passage.text.get(unit.range.clone()).map_or(unit.text.as_str(), str::trim);
        citations.extend(cited.add(hit, unit.passage, &unit.heading, quote));
    }
    send_whole(spine, ask, &text, cited, citations, out).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wording::Wording;

    fn hits(passages: &[(&str, &str, &str)]) -> Vec<Hit> {
        let hit = |(title, language, text): &(&str, &str, &str)| {
            let mut hit = crate::prompt::tests::hit(text);
            hit.passage.title = (*title).to_owned();
            hit.passage.headings.clear();
            hit.passage.language = (*language).to_owned();
            hit.passage.product = None;
            hit
        };
        passages.iter().map(hit).collect()
    }

    #[track_caller]
    fn check(
        passages: &[(&str, &str, &str)],
        question: &str,
        language: &str,
        expected: Option<(Option<bool>, &str)>,
    ) {
        let asked = week::asked(question, language).unwrap();
        let hits = hits(passages);
        let told = tell(&asked, &hits, language, Wording::built_in().figures(language));
        let told = told.as_ref().map(|told| (told.yes, told.text.as_str()));
        assert_eq!(told, expected, "{question}");
    }

    const SHOP: (&str, &str, &str) = (
        "Visit us",
        "en",
        "### Opening hours\n\n- Mon: closed\n- Tue–Fri: 9.00–18.00\n- Sat: 10.00–16.00\n- Sun: 11.00–15.00 (December only)\n\n\
         ### Holidays\n\n- 24 December: 9.00–13.00\n- Boxing Day: closed\n",
    );

    #[test]
    fn the_line_of_the_day_answers() {
        let yes = Some(true);
        check(&[SHOP], "are you open on saturday?", "en", Some((yes, "Sat: 10.00–16.00")));
        check(&[SHOP], "are you open mondays", "en", Some((Some(false), "Mon: closed")));
        check(
            &[SHOP],
            "what time do you open on wednesday?",
            "en",
            Some((None, "Tue–Fri: 9.00–18.00")),
        );
        // What it is said with may change it.
        let sunday = "Sun: 11.00–15.00 (December only)";
        check(&[SHOP], "are you open on sunday?", "en", Some((None, sunday)));
        check(&[SHOP], "is the shop closed on monday?", "en", Some((None, "Mon: closed")));
        check(
            &[SHOP],
            "are you open on 26 December?",
            "en",
            Some((Some(false), "Boxing Day: closed")),
        );
        check(
            &[SHOP],
            "are you open on christmas eve",
            "en",
            Some((yes, "24 December: 9.00–13.00")),
        );
        // No line is of that day.
        check(&[SHOP], "are you open on 1 January?", "en", None);
        check(&[SHOP], "Habt ihr am Samstag offen?", "de", Some((yes, "Samstag 10.00–16.00")));
        check(&[SHOP], "Habt ihr am Sonntag offen?", "de", None);
    }

    #[test]
    fn of_several_places_the_one_that_is_named() {
        let text = "### Shop\n\n- Mon–Sat: 9:00–18:00\n\n### Workshop\n\n- Mon–Sat: 13:00–17:00\n";
        let both = [("Opening hours", "en", text)];
        check(
            &both,
            "is the workshop open on monday?",
            "en",
            Some((Some(true), "Mon–Sat: 13:00–17:00")),
        );
        check(&both, "are you open on monday?", "en", None);
        check(&both, "is the car park open on monday?", "en", None);
    }

    #[test]
    fn rows_of_records_are_lines() {
        assert_eq!(as_line("close: 14:00; day: saturday; open: 10:00."), "Saturday: 10:00–14:00");
        assert_eq!(as_line("Sat: 9:00"), "Sat: 9:00");
    }
}
