//! Exports of tickets and conversations among the documents: customers' words and addresses are no
//! knowledge.
//!
//! Told by structure, not by a product's name: people with addresses, states that only a case has,
//! threads of messages.

use serde_json::{Map, Value};

use super::table::Sheet;

/// Records that are looked at.
const SAMPLE: usize = 50;
/// Signs that must come together.
const ENOUGH: usize = 3;

/// What makes records look like an export of tickets or conversations, in words; `None` if they
/// don't.
pub(super) fn signs<'a>(records: impl Iterator<Item = &'a Map<String, Value>>) -> Option<String> {
    let mut count = 0_usize;
    let (mut people, mut states, mut threads, mut turns, mut named) =
        (0_usize, 0_usize, 0_usize, 0_usize, 0_usize);
    let mut found: Vec<String> = Vec::new();
    let mut note = |name: String| {
        if !found.contains(&name) && found.len() < 4 {
            found.push(name);
        }
    };
    for record in records.take(SAMPLE) {
        count += 1;
        if let Some(name) = person(record, "", 0) {
            people += 1;
            note(name);
        }
        if let Some(name) = record.iter().find_map(|(key, value)| state(key, value)) {
            states += 1;
            note(name);
        }
        if let Some(name) = record.iter().find_map(|(key, value)| thread(key, value)) {
            threads += 1;
            note(name);
        }
        if is_turn(record) {
            turns += 1;
            note("role".to_owned());
        }
        if let Some(key) = record.keys().find(|key| is_case(key)) {
            named += 1;
            note(key.clone());
        }
    }
    let most = |seen: usize| seen * 2 >= count.max(1);
    let weight = |seen: usize, weight: usize| if most(seen) { weight } else { 0 };
    let total = weight(people, 2)
        + weight(states, 1)
        + weight(threads, 3)
        + weight(named, 2)
        + weight(turns, 3);
    (count > 0 && total >= ENOUGH).then(|| found.join(", "))
}

/// The same of a sheet whose first row of several cells names its columns.
pub(super) fn signs_of_sheet(sheet: &Sheet) -> Option<String> {
    let header = sheet
        .rows
        .iter()
        .position(|(_, cells)| cells.iter().filter(|cell| !cell.is_empty()).count() > 2)?;
    let (_, names) = sheet.rows.get(header)?;
    let record = |(_, cells): &(usize, Vec<String>)| -> Map<String, Value> {
        let named =
            names.iter().zip(cells).filter(|(name, cell)| !name.is_empty() && !cell.is_empty());
        named.map(|(name, cell)| (name.clone(), Value::String(cell.clone()))).collect()
    };
    let records: Vec<Map<String, Value>> =
        sheet.rows.iter().skip(header + 1).take(SAMPLE).map(record).collect();
    signs(records.iter())
}

fn normal(key: &str) -> String {
    key.chars().filter(|char| char.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn is_email(value: &str) -> bool {
    let value = value.trim();
    let Some((name, host)) = value.rsplit_once('@') else { return false };
    !name.is_empty()
        && host.contains('.')
        && !value.contains(char::is_whitespace)
        && value.len() < 255
}

/// Whoever wrote: a person's field with an address in it.
fn person(record: &Map<String, Value>, path: &str, depth: usize) -> Option<String> {
    const PEOPLE: [&str; 14] = [
        "author",
        "customer",
        "requester",
        "contact",
        "sender",
        "from",
        "visitor",
        "user",
        "reporter",
        "submitter",
        "client",
        "customeremail",
        "requesteremail",
        "fromemail",
    ];
    record.iter().find_map(|(key, value)| {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        let is_person = PEOPLE.contains(&normal(key).as_str());
        match value {
            Value::String(text)
                if is_email(text) && (is_person || depth > 0 && path_is_person(&path, &PEOPLE)) =>
            {
                Some(path)
            }
            Value::Object(inner) if depth < 4 => person(inner, &path, depth + 1),
            Value::Array(items) if depth < 4 => items
                .iter()
                .take(3)
                .filter_map(Value::as_object)
                .find_map(|inner| person(inner, &path, depth + 1)),
            _ => None,
        }
    })
}

fn path_is_person(path: &str, people: &[&str]) -> bool {
    path.split('.').any(|key| people.contains(&normal(key).trim_end_matches('s')))
}

/// A state that only a case has.
fn state(key: &str, value: &Value) -> Option<String> {
    let is_state =
        matches!(normal(key).as_str(), "state" | "status" | "ticketstatus" | "ticketstate");
    let states = [
        "open",
        "closed",
        "pending",
        "solved",
        "resolved",
        "snoozed",
        "onhold",
        "new",
        "waiting",
        "escalated",
    ];
    let known = value.as_str().is_some_and(|value| states.contains(&normal(value).as_str()));
    (is_state && known).then(|| key.to_owned())
}

/// Messages, each of somebody.
fn thread(key: &str, value: &Value) -> Option<String> {
    let messages = match value {
        Value::Array(items) => items,
        // Some exports wrap them: `{"conversation_parts": {"conversation_parts": [..]}}`.
        Value::Object(inner) => inner.values().find_map(Value::as_array)?,
        _ => return None,
    };
    let is_message = |message: &Value| {
        let Some(message) = message.as_object() else { return false };
        let has = |names: &[&str]| message.keys().any(|key| names.contains(&normal(key).as_str()));
        has(&["body", "text", "content", "message", "plainbody", "htmlbody"])
            && has(&[
                "author",
                "authorid",
                "from",
                "role",
                "sender",
                "user",
                "senderid",
                "sendertype",
                "direction",
                "speaker",
            ])
    };
    (!messages.is_empty() && messages.iter().take(5).all(is_message)).then(|| key.to_owned())
}

/// A turn of a chat: who speaks, and what.
fn is_turn(record: &Map<String, Value>) -> bool {
    let role = record.iter().find(|(key, _)| {
        matches!(normal(key).as_str(), "role" | "sender" | "speaker" | "sendertype")
    });
    let speaker = role.and_then(|(_, value)| value.as_str()).map(normal);
    let known = [
        "user",
        "assistant",
        "customer",
        "agent",
        "bot",
        "visitor",
        "client",
        "contact",
        "operator",
    ];
    speaker.is_some_and(|speaker| known.contains(&speaker.as_str()))
}

fn is_case(key: &str) -> bool {
    matches!(
        normal(key).as_str(),
        "ticket"
            | "ticketid"
            | "requester"
            | "requesterid"
            | "assignee"
            | "assigneeid"
            | "conversationid"
            | "ticketnumber"
            | "satisfactionrating"
            | "conversationparts"
            | "slapolicy"
            | "firstresponsetime"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sheets_of_cases_are_told_from_price_lists() {
        let sheet = |csv: &str| crate::retrieval::ingest::table::csv_sheet(csv).0;
        let cases = "Ticket ID,Subject,Requester email,Status\n1,Broken,a@mail.example,open\n2,Late,b@mail.example,solved\n";
        assert!(signs_of_sheet(&sheet(cases)).is_some());
        assert_eq!(
            signs_of_sheet(&sheet("Shop,Town,Email,Status\nQuay,Cork,quay@shop.example,open\n")),
            None
        );
    }

    #[test]
    fn cases_of_customers_are_told_from_knowledge() {
        let check = |json: &str, expected: bool| {
            let value: Vec<Map<String, Value>> =
                serde_json::from_str(json).expect("an array of objects");
            assert_eq!(signs(value.iter()).is_some(), expected, "{json}");
        };
        check(
            r#"[{"id":1,"subject":"Broken","requester":{"email":"a@b.example"},"status":"open"}]"#,
            true,
        );
        check(r#"[{"subject":"Hi","messages":[{"from":"x","body":"hello"}]}]"#, true);
        check(r#"[{"role":"user","content":"hi"},{"role":"assistant","content":"hello"}]"#, true);
        check(r#"[{"name":"Mara","email":"mara@shop.example","job":"Sales"}]"#, false);
        check(r#"[{"title":"Opening","body":"We are open.","status":"open"}]"#, false);
        check(
            r#"[{"title":"A","body":"b","author":{"name":"Mara","email":"m@shop.example"}}]"#,
            false,
        );
        check(r#"[{"name":"Coat","price":5,"status":"active"}]"#, false);
    }
}
