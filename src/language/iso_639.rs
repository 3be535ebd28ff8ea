//! The languages that have a code of two letters.

/// The codes of ISO 639-1 that are in use.
const CODES: &str = "aa ab ae af ak am an ar as av ay az ba be bg bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz \
                     ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii \
                     ik io is it iu ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi \
                     mk ml mn mr ms mt my na nb nd ne ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw \
                     sa sc sd se sg si sk sl sm sn so sq sr ss st su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk \
                     ur uz ve vi vo wa wo xh yi yo za zh zu";

/// A language's code, known for good.
#[must_use]
pub(super) fn code(text: &str) -> Option<&'static str> {
    CODES.split(' ').find(|known| *known == text)
}

/// Whether a text is a language's code as ISO 639-1 writes it, in lower case.
#[must_use]
pub fn is_iso_639_1(code: &str) -> bool {
    self::code(code).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_two_letters_each_once_in_order() {
        let codes: Vec<&str> = CODES.split(' ').collect();
        assert!(
            codes
                .iter()
                .all(|code| code.len() == 2 && code.bytes().all(|b| b.is_ascii_lowercase()))
        );
        assert!(codes.is_sorted_by(|a, b| a < b));
        for no_code in ["", "english", "EN", "de-AT", "qq", "eng"] {
            assert!(!is_iso_639_1(no_code), "{no_code}");
        }
        // What is told by a text or written for the widget has a code.
        assert!(["en", "de", "sv", "zh", "ar", "ja"].into_iter().all(is_iso_639_1));
    }
}
