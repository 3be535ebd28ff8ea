//! Bytes of tokens → text that may be shown: whole UTF-8, nothing of a stop string.

/// What [`TextStream::push`] lets through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Piece {
    /// Text to emit; may be empty while bytes are held back.
    pub text: String,
    /// A stop string came; the stream lets nothing more through.
    pub stopped: bool,
}

/// Joins the bytes of tokens to text.
///
/// A token may end in the middle of a character, and a stop string may be spread over several
/// tokens. So an unfinished character and the longest ending that could still become a stop string
/// are held back until they are decided.
#[derive(Clone, Debug, Default)]
pub struct TextStream {
    stops: Vec<String>,
    /// The beginning of a character whose other bytes have not come.
    bytes: Vec<u8>,
    /// Whole characters that may be the beginning of a stop string.
    held: String,
    stopped: bool,
}

impl TextStream {
    /// A stream that ends before any of `stops`; empty strings among them are ignored.
    #[must_use]
    pub fn new(stops: &[String]) -> Self {
        Self {
            stops: stops.iter().filter(|stop| !stop.is_empty()).cloned().collect(),
            ..Self::default()
        }
    }

    /// Takes the bytes of one token. Bytes that can't be UTF-8 are left out: half a character, as
    /// small models write them, tells a reader nothing.
    pub fn push(&mut self, bytes: &[u8]) -> Piece {
        if self.stopped {
            return Piece { text: String::new(), stopped: true };
        }
        self.bytes.extend_from_slice(bytes);
        let decoded = take_whole_characters(&mut self.bytes);
        self.held.push_str(&decoded);

        if let Some(at) = self.stops.iter().filter_map(|stop| self.held.find(stop.as_str())).min() {
            self.stopped = true;
            self.held.truncate(at);
            return Piece { text: std::mem::take(&mut self.held), stopped: true };
        }
        let undecided = self.undecided();
        let rest = self.held.split_off(self.held.len() - undecided);
        Piece { text: std::mem::replace(&mut self.held, rest), stopped: false }
    }

    /// What was held back, now that nothing more comes. An unfinished character is dropped.
    #[must_use]
    pub fn finish(self) -> String {
        self.held
    }

    /// Length of the longest ending of `held` that is the beginning of a stop string.
    fn undecided(&self) -> usize {
        let longest = self.stops.iter().map(|stop| stop.len() - 1).max().unwrap_or(0);
        let from = self.held.len().saturating_sub(longest);
        self.held
            .char_indices()
            .map(|(at, _)| at)
            .filter(|&at| at >= from)
            .find(|&at| self.stops.iter().any(|stop| stop.starts_with(&self.held[at..])))
            .map_or(0, |at| self.held.len() - at)
    }
}

/// Removes every whole character from the front of `bytes`, and what can't become one.
fn take_whole_characters(bytes: &mut Vec<u8>) -> String {
    let mut text = String::new();
    let mut rest = bytes.as_slice();
    loop {
        match std::str::from_utf8(rest) {
            Ok(whole) => {
                text.push_str(whole);
                rest = &[];
                break;
            }
            Err(error) => {
                let (whole, broken) = rest.split_at(error.valid_up_to());
                text.push_str(&String::from_utf8_lossy(whole));
                match error.error_len() {
                    Some(length) => rest = &broken[length..],
                    None => {
                        rest = broken;
                        break;
                    }
                }
            }
        }
    }
    let keep = rest.len();
    bytes.drain(..bytes.len() - keep);
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn run(tokens: &[&[u8]], stops: &[&str]) -> (Vec<String>, bool) {
        let stops: Vec<String> = stops.iter().map(ToString::to_string).collect();
        let mut stream = TextStream::new(&stops);
        let mut pieces = Vec::new();
        for token in tokens {
            let piece = stream.push(token);
            pieces.push(piece.text);
            if piece.stopped {
                return (pieces, true);
            }
        }
        pieces.push(stream.finish());
        (pieces, false)
    }

    #[track_caller]
    fn check(tokens: &[&[u8]], stops: &[&str], expected: &[&str], stopped: bool) {
        let (pieces, ended) = run(tokens, stops);
        assert_eq!(
            (pieces.iter().map(String::as_str).collect::<Vec<_>>(), ended),
            (expected.to_vec(), stopped)
        );
    }

    #[test]
    fn characters_come_whole() {
        check(&[b"caf", b"\xc3", b"\xa9!"], &[], &["caf", "", "é!", ""], false);
        check(&[b"\xf0\x9f", b"\x8d\x95"], &[], &["", "🍕", ""], false);
        check(&[b"a\xffb"], &[], &["ab", ""], false);
        // A lead byte followed by something else can't become a character any more.
        check(&[b"\xe4", b"x"], &[], &["", "x", ""], false);
        check(&[b"cut \xf0\x9f"], &[], &["cut ", ""], false);
    }

    #[test]
    fn stops_are_found_across_tokens() {
        check(&[b"Hello\nUs", b"er: x"], &["\nUser:"], &["Hello", ""], true);
        check(&[b"Hello\nUs", b"ually"], &["\nUser:"], &["Hello", "\nUsually", ""], false);
        check(&[b"ab"], &["b", "ab"], &[""], true);
        check(&[b"aab"], &["ab"], &["a"], true);
        check(&[b"aa", b"b"], &["aab"], &["", ""], true);
        check(&[b"tail\n"], &["\n\n"], &["tail", "\n"], false);
        check(&[b"x"], &[""], &["x", ""], false);
    }

    /// What the stream should let through, computed on the whole text at once.
    fn expected(text: &str, stops: &[String]) -> (String, bool) {
        match stops
            .iter()
            .filter(|stop| !stop.is_empty())
            .filter_map(|stop| text.find(stop.as_str()))
            .min()
        {
            Some(at) => (text[..at].to_string(), true),
            None => (text.to_string(), false),
        }
    }

    proptest! {
        #[test]
        fn any_cut_gives_the_same_text(
            text in "[ab\n🍕né]{0,24}",
            stops in proptest::collection::vec("[ab\n🍕é]{0,3}", 0..3),
            cuts in proptest::collection::vec(0usize..80, 0..12),
        ) {
            let bytes = text.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let mut stream = TextStream::new(&stops);
            let (mut out, mut stopped) = (String::new(), false);
            for pair in cuts.windows(2) {
                let piece = stream.push(&bytes[pair[0]..pair[1]]);
                out.push_str(&piece.text);
                stopped |= piece.stopped;
            }
            out.push_str(&stream.finish());
            // Cut finely, a stop that ends first wins over one that begins first; both end the
            // answer before a stop.
            let (whole, found) = expected(&text, &stops);
            prop_assert_eq!(stopped, found);
            prop_assert!(text.starts_with(&out));
            prop_assert!(out.len() >= whole.len() || !found);
            prop_assert!(!stops.iter().any(|stop| !stop.is_empty() && out.contains(stop.as_str())));
            if !found {
                prop_assert_eq!(out, text);
            }
        }

        #[test]
        fn byte_by_byte_gives_the_text(text in "\\PC{0,40}") {
            let mut stream = TextStream::new(&[]);
            let mut out = String::new();
            for byte in text.as_bytes() {
                out.push_str(&stream.push(std::slice::from_ref(byte)).text);
            }
            out.push_str(&stream.finish());
            prop_assert_eq!(out, text);
        }

        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..64), cut in 0usize..64) {
            let cut = cut.min(bytes.len());
            let mut stream = TextStream::new(&["\n".into()]);
            let first = stream.push(&bytes[..cut]);
            let second = stream.push(&bytes[cut..]);
            prop_assert!(!first.text.contains('\n') && !second.text.contains('\n'));
        }
    }
}
