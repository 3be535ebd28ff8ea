use super::*;

fn moment(text: &str, _end: bool) -> Option<u64> {
    let mut digits = text.get(..10)?.split('-').map(str::parse::<u64>);
    let (year, month, day) = (digits.next()?.ok()?, digits.next()?.ok()?, digits.next()?.ok()?);
    Some(((year * 12 + month) * 31 + day) * 1_000)
}

/// What a CSV comes to: a line a row, its offer in brackets.
fn told(csv: &str, hints: &Hints) -> Vec<String> {
    let (sheet, _) = csv_sheet(csv);
    let context = Context { hints, language: "en", separated: true, moment };
    let reading = read(sheet, &context);
    let mut out: Vec<String> = reading.texts.iter().map(|(line, text)| format!("{line}: {text}")).collect();
    for row in reading.rows {
        let mut text: Vec<String> = row.fields.iter().map(|(label, value)| format!("{label}: {value}")).collect();
        text.extend(row.question_and_answer.map(|(question, answer)| format!("{question} {answer}")));
        text.extend(row.prose);
        let mut line =
            format!("{}{}", row.headings.iter().map(|h| format!("<{h}> ")).collect::<String>(), text.join("; "));
        if let Some(offer) = row.offer {
            let none = String::new();
            let part = |text: &Option<String>| text.as_ref().unwrap_or(&none).clone();
            line.push_str(&format!(
                " [{}|{}|{}|{}<{}|{}/{}|{:?}|{:?}{}]",
                offer.id,
                offer.name,
                part(&offer.variant),
                part(&offer.price),
                part(&offer.before),
                part(&offer.currency),
                part(&offer.per),
                offer.stock,
                offer.available,
                if offer.backorder { " later" } else { "" }
            ));
        }
        out.push(line);
    }
    out.extend(reading.bad.iter().map(|(line, reason)| format!("bad {line}: {reason}")));
    for left in reading.understood.iter().flat_map(|understood| &understood.left_out) {
        out.push(format!("left {}x{}: {}", left.rows, left.line, left.reason));
    }
    out
}

#[test]
fn shared_cases() {
    for entry in std::env::var("TB_FILES").unwrap_or_default().split(':').filter(|f| !f.is_empty()) {
        let bytes = std::fs::read(entry).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        println!("=== {entry}");
        let (sheet, _) = csv_sheet(&text);
        let hints = Hints::default();
        let context = Context { hints: &hints, language: "en", separated: true, moment };
        for u in read(sheet, &context).understood {
            println!("header {:?} rows {} products {}", u.header, u.rows, u.products);
            for c in u.columns {
                println!("    {:28} {:?} {:?} ({})", c.name, c.kind, c.telling, c.why);
            }
        }
        for line in told(&text, &Hints::default()) {
            println!("  {line}");
        }
    }
}
