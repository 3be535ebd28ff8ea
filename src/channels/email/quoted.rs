//! What somebody wrote in an e-mail, without what their program quoted below it, and without their
//! signature. Pure.

/// Longest line that introduces a quotation, in characters.
const MAX_INTRODUCTION: usize = 200;

/// A text without its signature and, in a reply, without what is quoted.
pub(super) fn own_words(text: &str, is_reply: bool) -> String {
    let text = text.replace("\r\n", "\n");
    let all: Vec<&str> = text.lines().map(str::trim_end).collect();
    let lines = unsigned(&all);
    if !is_reply {
        return lines.join("\n").trim().to_owned();
    }
    let lines = &lines[..quotation(lines).unwrap_or(lines.len())];
    let mut kept: Vec<&str> = Vec::new();
    for line in lines {
        if line.starts_with('>') {
            // What introduces it is the program's, too: in any language it ends with a colon.
            let last = kept.iter().rposition(|line| !line.is_empty());
            if let Some(last) =
                last.filter(|last| introduces(kept[*last]) && !kept[*last].starts_with('>'))
            {
                kept.truncate(last);
            }
        } else {
            kept.push(line);
        }
    }
    kept.join("\n").trim().to_owned()
}

/// What stands above the signature, which two dashes begin. A quoted one is not the writer's.
fn unsigned<'a, 'b>(lines: &'a [&'b str]) -> &'a [&'b str] {
    let written = |line: &&str| !line.is_empty();
    let end = lines
        .iter()
        .enumerate()
        .find(|(i, line)| **line == "--" && lines[..*i].iter().any(written));
    &lines[..end.map_or(lines.len(), |(end, _)| end)]
}

/// Where the earlier message begins that a program put below, without marking its lines.
fn quotation(lines: &[&str]) -> Option<usize> {
    (0..lines.len()).find(|&i| {
        let line = lines[i].trim();
        if line.starts_with('>') {
            return false;
        }
        // An introduction may be broken into two lines.
        let joined = lines.get(i + 1).map(|next| format!("{line} {}", next.trim()));
        let marked = |from: usize| {
            lines[from..]
                .iter()
                .find(|line| !line.is_empty())
                .is_some_and(|line| line.starts_with('>'))
        };
        if dated(line) && !marked(i + 1) {
            return true;
        }
        if !line.is_empty() && joined.is_some_and(|joined| dated(&joined)) && !marked(i + 2) {
            return true;
        }
        let ruled = |line: &str, mark: char| {
            line.len() >= 5 && line.starts_with(mark) && line.ends_with(mark)
        };
        (ruled(line, '-') || ruled(line, '_'))
            && lines[i + 1..].iter().take(4).any(|line| is_header(line))
            || is_header(line)
                && lines[i..].iter().take(5).filter(|line| is_header(line)).count() >= 3
    })
}

fn introduces(line: &str) -> bool {
    line.chars().count() <= MAX_INTRODUCTION && line.trim_end().ends_with([':', '：'])
}

/// A line that introduces a quotation and names when or who: an address, or a year and a time of
/// day.
fn dated(line: &str) -> bool {
    introduces(line) && (has_address(line) || has_year(line) && has_time(line))
}

fn has_address(line: &str) -> bool {
    line.split(|c: char| c.is_whitespace() || "<>()[]:,;\"'".contains(c)).any(|word| {
        word.split_once('@')
            .is_some_and(|(local, domain)| !local.is_empty() && domain.contains('.'))
    })
}

fn has_year(line: &str) -> bool {
    line.split(|c: char| !c.is_ascii_digit())
        .any(|word| word.len() == 4 && (word.starts_with("19") || word.starts_with("20")))
}

fn has_time(line: &str) -> bool {
    let bytes = line.as_bytes();
    bytes.windows(4).any(|four| {
        four[0].is_ascii_digit()
            && four[1] == b':'
            && four[2].is_ascii_digit()
            && four[3].is_ascii_digit()
    })
}

/// `Name: value` as programs list who wrote, when, to whom and about what; a star stands around the
/// name in some.
fn is_header(line: &str) -> bool {
    let line = line.trim_start_matches('*');
    let Some((name, value)) = line.split_once([':', '：']) else { return false };
    let name = name.trim_end_matches('*').trim();
    let short = name.chars().count() <= 20 && name.split_whitespace().count() <= 2;
    short
        && name.chars().next().is_some_and(|c| c.is_alphabetic() && !c.is_lowercase())
        && !value.trim().is_empty()
}

/// Text whose lines a program broke (RFC 3676): broken ones end in a space, which `joined` says
/// isn't part of the text.
pub(super) fn unflowed(text: &str, joined: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.replace("\r\n", "\n").lines() {
        let line = line.strip_prefix(' ').unwrap_or(line);
        // The line before a signature ends it, and a quotation is marked anew on each line.
        if line != "-- " && line.ends_with(' ') && !line.starts_with('>') {
            out.push_str(if joined { &line[..line.len() - 1] } else { line });
        } else {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

/// The text of an HTML document; in a reply that which stands before what the program marks as
/// quoted.
pub(super) fn text_of_html(html: &str, is_reply: bool) -> String {
    // What programs put around the earlier message: most; Gmail; Outlook on the web and on the
    // desk; Yahoo.
    const QUOTED: [&str; 6] = [
        "<blockquote",
        "gmail_quote",
        "divrplyfwdmsg",
        "appendonsend",
        "border-top:solid #e1e1e1",
        "yahoo_quoted",
    ];
    // Of the same length as `html`, so that places in one are places in the other.
    let small = html.to_ascii_lowercase();
    let end = is_reply.then(|| QUOTED.iter().filter_map(|mark| small.find(mark)).min()).flatten();
    // The mark stands within a tag.
    let end = end.map_or(html.len(), |end| small[..=end].rfind('<').unwrap_or(end));
    let mut broken = String::with_capacity(html.len());
    let mut from = 0;
    for (at, _) in small[..end].match_indices('<') {
        let tag = &small[at..end];
        if ["</div", "</tr", "</li", "</h", "</table", "</ul", "</blockquote"]
            .iter()
            .any(|close| tag.starts_with(close))
        {
            broken.push_str(&html[from..at]);
            broken.push_str("<br>");
            from = at;
        }
    }
    broken.push_str(&html[from..end]);
    let text = mail_parser::decoders::html::html_to_text(&broken);
    text.lines().map(str::trim).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_programs_quote_is_left_out_in_any_language() {
        let replies = [
            "Danke!\n\nAm Mo., 3. Nov. 2025 um 10:12 Uhr schrieb Laden <hilfe@laden.example>:\n\n> Zwei Meter.\n> Gern.",
            "Danke!\n\nAm Mo., 3. Nov. 2025 um 10:12 Uhr schrieb Laden\n<hilfe@laden.example>:\n\nZwei Meter.",
            "Danke!\n\n2025年11月3日(月) 10:12 店 <help@shop.example>:\n> 2メートルです。",
            "Danke!\n\n于2025年11月3日周一 10:12写道：\n> 两米。",
            "Danke!\n\n-----Ursprüngliche Nachricht-----\nVon: Laden <hilfe@laden.example>\nGesendet: Montag\nAn: Ann\nBetreff: x\n\nZwei Meter.",
            "Danke!\n________________________________\nDe : Boutique <aide@boutique.example>\nEnvoyé : lundi\nÀ : Ann\n\nDeux mètres.",
            "Danke!\n\nFrom: Shop <help@shop.example>\nSent: Monday\nTo: Ann\nSubject: x\n\nTwo metres.",
            "Danke!\n-- \nAnn Smith\nMarketing",
            "> Two metres.\n\nDanke!",
        ];
        for reply in replies {
            assert_eq!(own_words(reply, true), "Danke!", "{reply}");
        }
    }

    #[test]
    fn what_somebody_wrote_stays() {
        let between = "> Two metres.\nIs that with the pegs?\n> It weighs 3 kg.\nThat is a lot.";
        assert_eq!(own_words(between, true), "Is that with the pegs?\nThat is a lot.");
        let list = "I need three things:\n- a tent\n- a mat\nPrice: 20 EUR\nWhen: tomorrow";
        assert_eq!(own_words(list, true), list);
        let first = "My order from 2025, placed at 10:12:\n> blue tent\nWhere is it?";
        assert_eq!(own_words(first, false), first, "nothing is quoted in a first message");
        assert_eq!(own_words("--\nhi", false), "--\nhi");
    }

    #[test]
    fn broken_lines_are_joined() {
        assert_eq!(
            unflowed("A long \r\nline.\r\n Next\r\n-- \r\nAnn", false),
            "A long line.\nNext\n-- \nAnn\n"
        );
        assert_eq!(unflowed("你 \r\n好", true), "你好\n");
    }

    #[test]
    fn html_of_replies_ends_where_the_quotation_begins() {
        let html = "<html><head><style>p{}</style></head><body><div>Danke!</div><div>Ann &amp; Bob</div>\
                    <div class=\"gmail_quote\"><div>On Monday wrote:</div><blockquote>Two metres.</blockquote></div></body></html>";
        assert_eq!(text_of_html(html, true).trim(), "Danke!\nAnn & Bob");
        assert!(text_of_html(html, false).contains("Two metres."));
        assert_eq!(text_of_html("<div", true).trim(), "");
    }
}
