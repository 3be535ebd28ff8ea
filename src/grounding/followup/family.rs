//! Which member of a family of products a message means that names none in full: "the 60" and "the
//! other one" after the Corrie 45, "and in Long?" after the Hush 0. Pure.

use std::ops::Range;

use super::words::{Which, closes, is_article, is_size, tokens, which, without_opening};
use crate::grounding::claims::ProductName;
use crate::language::{content_words, is_common_somewhere};

/// What a site sells, as its rows call it.
#[derive(Clone, Copy, Debug)]
pub struct Sold<'a> {
    pub name: &'a str,
    /// What tells a row from others of its name: "Long", "40 L".
    pub variant: Option<&'a str>,
}

fn words(text: &str) -> Vec<String> {
    tokens(text).into_iter().map(|(_, word)| word).collect()
}

/// The names that tell the members of a family apart, in their order in the catalogue: those that
/// begin like the one that was spoken of and go on differently.
pub(super) fn family<'a>(spoken: &str, products: &'a [ProductName]) -> Vec<&'a str> {
    let first = words(spoken).into_iter().next();
    let named: Vec<(&str, Vec<String>)> = products
        .iter()
        .map(|product| (product.shown(), words(product.shown())))
        .filter(|(_, own)| own.len() > 1 && own.first() == first.as_ref())
        .collect();
    // "Glint Pro" is no lamp of its own beside "Glint Pro 600".
    let begins = |own: &[String]| {
        named.iter().any(|(_, other)| other.len() > own.len() && other.starts_with(own))
    };
    named.iter().filter(|(_, own)| !begins(own)).map(|(shown, _)| *shown).collect()
}

/// A part of a message and the member of the family that it means.
pub(super) fn meant<'a>(
    question: &str,
    spoken: &str,
    family: &[&'a str],
) -> Option<(Range<usize>, &'a str)> {
    let others: Vec<&str> = family.iter().copied().filter(|name| *name != spoken).collect();
    if others.len() == family.len() {
        return None;
    }
    by_part(question, family, &others).or_else(|| {
        let (at, which) = which(question)?;
        let number =
            |name: &str| words(name).iter().rev().find_map(|word| word.parse::<u32>().ok());
        let own = number(spoken);
        let sized = || others.iter().filter_map(|name| Some((number(name)?, *name)));
        let member = match (which, others.as_slice()) {
            (_, [other]) => Some(*other),
            (Which::Larger, _) => {
                sized().filter(|(size, _)| Some(*size) > own).min().map(|(_, name)| name)
            }
            (Which::Smaller, _) => {
                sized().filter(|(size, _)| Some(*size) < own).max().map(|(_, name)| name)
            }
            (Which::Other, _) => None,
        }?;
        Some((at, member))
    })
}

/// "The 60", "the carbon one", "and minus 7?": words that only one member has in its name.
fn by_part<'a>(
    question: &str,
    family: &[&'a str],
    others: &[&'a str],
) -> Option<(Range<usize>, &'a str)> {
    let named: Vec<(&str, Vec<String>)> = family.iter().map(|name| (*name, words(name))).collect();
    let telling = |word: &str| {
        let mut holding = named.iter().filter(|(_, own)| own.iter().any(|own| is_form(word, own)));
        let (name, _) = holding.next()?;
        holding.next().is_none().then_some(*name)
    };
    let own = tokens(question);
    let opened = without_opening(question).map(|rest| question.len() - rest.len());
    let mut at = 0;
    while let Some((range, word)) = own.get(at) {
        let article =
            at.checked_sub(1).and_then(|at| own.get(at)).filter(|(_, word)| is_article(word));
        let found = telling(word).filter(|name| others.contains(name));
        if let Some(name) = found.filter(|_| article.is_some() || opened == Some(range.start)) {
            let mut last = at;
            while own
                .get(last + 1)
                .is_some_and(|(_, word)| telling(word) == Some(name) || closes(word))
            {
                last += 1;
            }
            let (end, _) = own.get(last)?;
            let start = article.map_or(range.start, |(range, _)| range.start);
            return Some((start..end.end, name));
        }
        at += 1;
    }
    None
}

/// The one product that a text names by a part of its name, "the low ones", where no other family
/// has a member that is called so.
pub(super) fn named_by_part<'a>(text: &str, products: &'a [ProductName]) -> Option<&'a str> {
    let own = tokens(text);
    let mut firsts: Vec<String> =
        products.iter().filter_map(|product| words(product.shown()).into_iter().next()).collect();
    firsts.sort_unstable();
    firsts.dedup();
    let mut found = firsts.iter().filter_map(|first| {
        let family = family(first, products);
        let (at, name) = by_part(text, &family, &family)?;
        let closed = own.iter().any(|(word, said)| word.end == at.end && closes(said));
        (closed && family.len() > 1).then_some(name)
    });
    let name = found.next()?;
    found.next().is_none().then_some(name)
}

/// "60er" and "60l" are forms of "60".
fn is_form(word: &str, name: &str) -> bool {
    let rest = word.strip_prefix(name);
    let number = name.bytes().all(|byte| byte.is_ascii_digit());
    rest.is_some_and(|rest| {
        rest.is_empty() || number && rest.len() <= 2 && rest.chars().all(char::is_alphabetic)
    })
}

/// The question before, asked of another variant of what was spoken of: "What does the Hush 0
/// cost?" and then "and in Long?". `glossed` is the message in English, where it is of another
/// language. `None` where it says more than which variant.
pub(super) fn other_variant(
    question: &str,
    glossed: Option<&str>,
    previous: &str,
    spoken: &str,
    sold: &[Sold<'_>],
) -> Option<String> {
    let name = words(spoken);
    let mut variants: Vec<&str> = sold
        .iter()
        .filter(|sold| words(sold.name).starts_with(&name))
        .filter_map(|sold| sold.variant)
        .collect();
    variants.sort_unstable();
    variants.dedup();
    let all: Vec<Vec<String>> = variants.iter().map(|variant| words(variant)).collect();
    let telling = |variant: &[String], word: &str| {
        variant.iter().any(|own| is_form(word, own))
            && !all.iter().all(|other| other.iter().any(|own| is_form(word, own)))
    };
    let asked = |text: &str| {
        let said = words(without_opening(text).unwrap_or(text));
        let known = |word: &String| {
            is_size(word)
                || is_article(word)
                || is_common_somewhere(word)
                || content_words(word).next().is_none()
                || all.iter().flatten().any(|own| is_form(word, own))
        };
        if !said.iter().all(known) {
            return None;
        }
        let held = |variant: &[String]| said.iter().filter(|word| telling(variant, word)).count();
        let most = all.iter().map(|variant| held(variant)).max().filter(|most| *most > 0)?;
        // "Wide" is the one that is no more than wide.
        let most_of = variants.iter().filter(|variant| held(&words(variant)) == most);
        let length = |variant: &&&str| words(label(variant)).len();
        let shortest = most_of.clone().map(|variant| length(&variant)).min()?;
        let mut best = most_of.filter(|variant| length(variant) == shortest);
        let found = best.next()?;
        best.next().is_none().then_some(*found)
    };
    let found = asked(question).or_else(|| asked(glossed?))?;
    let shown = label(found);
    let spelt = tokens(previous);
    let run = |wanted: &[String]| {
        let at = spelt
            .windows(wanted.len().max(1))
            .position(|window| window.iter().map(|(_, word)| word).eq(wanted.iter()))?;
        Some(spelt.get(at)?.0.start..spelt.get(at + wanted.len() - 1)?.0.end)
    };
    let mut text = previous.to_owned();
    let before =
        variants.iter().filter_map(|variant| Some((run(&words(label(variant)))?, *variant)));
    match before.max_by_key(|(at, _)| at.len()) {
        Some((_, variant)) if variant == found => return None,
        Some((at, _)) => text.replace_range(at, shown),
        None => text.insert_str(run(&name)?.end, &format!(" {shown}")),
    }
    Some(text)
}

/// What a variant is called, without its measures: "Long Wide" of "Long Wide 196 x 63 cm". One that
/// is a measure is called by it.
fn label(variant: &str) -> &str {
    let end = variant.find(|c: char| c.is_ascii_digit()).unwrap_or(variant.len());
    match variant.get(..end).map(str::trim) {
        Some("") | None => variant,
        Some(words) => words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grounding::claims;

    const NAMES: &[&str] = &[
        "Vale 20 bottle",
        "Vale 35 bottle",
        "Vale 50 bottle",
        "Orla Birch chair",
        "Orla Ash chair",
        "Orla spare screw",
    ];

    #[track_caller]
    fn check(spoken: &str, question: &str, expected: Option<(&str, &str)>) {
        let products = claims::products(NAMES.iter().copied());
        let found = meant(question, spoken, &family(spoken, &products));
        assert_eq!(found.map(|(at, name)| (&question[at], name)), expected, "{question}");
    }

    #[test]
    fn a_member_is_told_by_what_it_alone_is_called() {
        check("Vale 20", "what does the 35 weigh?", Some(("the 35", "Vale 35")));
        check("Vale 20", "und der 50er?", Some(("der 50er", "Vale 50")));
        check("Vale 20", "and 50?", Some(("50", "Vale 50")));
        check("Orla Birch", "is the ash one in stock?", Some(("the ash one", "Orla Ash")));
        // A number by itself counts something, and what was spoken of is no other.
        check("Vale 20", "can I have 35 of them?", None);
        check("Vale 20", "what does the 20 weigh?", None);
        check("Orla Birch", "is the screw included?", None);
    }

    #[test]
    fn a_part_of_a_name_names_what_alone_is_called_so() {
        let products = claims::products(NAMES.iter().copied());
        let named = |text: &str| named_by_part(text, &products);
        assert_eq!(named("My chair wobbles, it's the birch one."), Some("Orla Birch"));
        assert_eq!(named("My chair is of birch."), None);
        assert_eq!(named("Is the birch hard?"), None);
        assert_eq!(named("Which one?"), None);
    }

    #[test]
    fn the_other_one_is_one_of_two() {
        check("Orla Ash", "how high is the other one?", Some(("the other one", "Orla Birch")));
        check("Orla Ash", "Was wiegt der leichtere?", Some(("der leichtere", "Orla Birch")));
        check("Vale 20", "how high is the other one?", None);
        check("Vale 20", "how high is the bigger one?", Some(("the bigger one", "Vale 35")));
        check("Vale 35", "et le plus petit ?", Some(("le plus petit", "Vale 20")));
        check("Vale 50", "and the bigger one?", None);
    }

    #[test]
    fn a_variant_is_put_in_place_of_the_one_before() {
        let sold = |variant| Sold { name: "Vale 20 bottle", variant: Some(variant) };
        let sold = [sold("Slim 6 cm"), sold("Wide 9 cm"), sold("Extra Wide 12 cm")];
        let asked = |previous: &str, question: &str, glossed: Option<&str>| {
            other_variant(question, glossed, previous, "Vale 20", &sold)
        };
        let slim = "What does the Vale 20 Slim cost?";
        let wide = Some("What does the Vale 20 Wide cost?".to_owned());
        assert_eq!(asked(slim, "and in slim?", None), None);
        assert_eq!(asked(slim, "and in wide?", None), wide);
        assert_eq!(asked("What does the Vale 20 cost?", "and 9 cm?", None), wide);
        let extra =
            asked("Que coûte le Vale 20 ?", "et en extra large ?", Some("and in extra wide ?"));
        assert_eq!(extra.as_deref(), Some("Que coûte le Vale 20 Extra Wide ?"));
        assert_eq!(asked(slim, "and how do I clean the wide one?", None), None);
    }
}
