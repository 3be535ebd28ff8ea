//! What the subject of an e-mail says about the e-mail itself. Pure.

/// How mail programs mark a reply, before a colon, in the languages that they speak: Re of Latin
/// and most, AW German, SV Danish, Norwegian and Swedish, VS Finnish, Antw Dutch, R and RIF
/// Italian, RES Portuguese, Odp Polish, YNT Turkish, BLS Indonesian, ΑΠ Greek, 回复 and 答复 Chinese,
/// 回覆 traditional Chinese, 返信 Japanese.
const REPLIES: [&str; 16] = [
    "re", "aw", "sv", "vs", "antw", "r", "rif", "res", "odp", "ynt", "bls", "απ", "回复", "答复",
    "回覆", "返信",
];

/// How the answers of mail servers to somebody away begin, as Exchange, Outlook and others write
/// them.
const AWAY: [&str; 23] = [
    "automatic reply",
    "auto reply",
    "autoreply",
    "auto-reply",
    "automatic response",
    "autoresponse",
    "out of office",
    "out of the office",
    "out-of-office",
    "out of office autoreply",
    "out of office reply",
    "automatische antwort",
    "automatische antwortnachricht",
    "abwesenheitsnotiz",
    "abwesenheitsnachricht",
    "abwesenheit",
    "réponse automatique",
    "message d'absence",
    "absence du bureau",
    "absent du bureau",
    "respuesta automática",
    "respuesta automatica",
    "fuera de la oficina",
];

/// What stands behind the marks of a reply ("Re: AW: …"); `None` where there is none.
pub(super) fn without_reply(subject: &str) -> Option<&str> {
    let mut rest = subject.trim();
    let mut found = None;
    while let Some((mark, behind)) = rest.split_once([':', '：']) {
        // Some count: Re[2], Re(3), Re^2, RE 2.
        let word = mark
            .trim()
            .trim_end_matches(|c: char| c.is_ascii_digit() || "[]()^ ".contains(c))
            .to_lowercase();
        if !REPLIES.contains(&word.as_str()) {
            break;
        }
        rest = behind.trim();
        found = Some(rest);
    }
    found
}

/// Whether a machine says that its person is away: the whole subject does, or what stands before a
/// colon or a dash. "Out of office chairs?" is a question.
pub(super) fn is_automatic(subject: &str) -> bool {
    let subject = subject.trim().to_lowercase().replace('’', "'");
    // In brackets the words may stand by themselves, and before them what a mail server put there:
    // "[EXTERNAL] …".
    let (inside, behind) = match subject.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((inside, behind)) => (inside, behind.trim_start()),
        None => ("", subject.as_str()),
    };
    [inside, behind].into_iter().any(|text| {
        AWAY.iter().filter_map(|words| text.strip_prefix(words)).any(|rest| {
            let rest = rest.trim_start().trim_start_matches(['!', '.']).trim_start();
            rest.is_empty() || rest.starts_with([':', '：', '-', '–', '—', '|'])
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_marked_in_many_languages() {
        let check = |subject: &str, expected: Option<&str>| {
            assert_eq!(without_reply(subject), expected, "{subject}")
        };
        check("Re: Order 7", Some("Order 7"));
        check("AW: WG: Zelt", Some("WG: Zelt"));
        check("RE: Re[2]: sv:  tent", Some("tent"));
        check("回复：帐篷", Some("帐篷"));
        check("Re:", Some(""));
        check("Order 7", None);
        check("Return: which address?", None);
        check("Size: 12:30", None);
        check("R2D2: how tall?", None);
    }

    #[test]
    fn who_is_away_is_told_from_who_asks() {
        for away in [
            "Automatic reply: Your order",
            "Out of Office",
            "Out of office AutoReply: Re: Your order",
            "Automatische Antwort: Ihre Bestellung",
            "Abwesenheitsnotiz",
            "Réponse automatique : Votre commande",
            "Absence du bureau",
            "Respuesta automática: Su pedido",
            "Fuera de la oficina - Su pedido",
            "[Auto-Reply] Your order",
            "[EXTERNAL] Automatic reply: Your order",
        ] {
            assert!(is_automatic(away), "{away}");
        }
        for asks in [
            "Out of office chairs?",
            "Do you sell an automatic reply system",
            "Automatic reply to my order never came",
            "Abwesenheit bei der Zustellung",
            "Re: Order 7",
            "",
        ] {
            assert!(!is_automatic(asks), "{asks}");
        }
    }
}
