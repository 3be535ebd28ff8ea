//! When a person should step in, as far as the conversation alone shows it. Pure.

/// True if the visitor asks for a person in so many words.
#[must_use]
pub fn asks_for_person(text: &str) -> bool {
    const PHRASES: &[&str] = &[
        "talk to a person",
        "talk to a human",
        "speak to a person",
        "speak to a human",
        "speak to someone",
        "talk to someone",
        "real person",
        "human agent",
        "live agent",
        "customer service representative",
        "talk to an agent",
        "speak to an agent",
        "转人工",
        "人工客服",
        "真人客服",
    ];
    let text = text.to_lowercase();
    PHRASES.iter().any(|phrase| text.contains(phrase))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asking_for_a_person_is_understood() {
        for (text, expected) in [
            ("Can I talk to a human?", true),
            ("请转人工", true),
            ("Is the jacket for a tall person?", false),
            ("", false),
        ] {
            assert_eq!(asks_for_person(text), expected, "{text}");
        }
    }
}
