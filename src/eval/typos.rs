//! Questions with spelling mistakes, the same ones for the same seed: whether search and answers
//! bear them.

use super::Question;
use crate::language::content_words;

/// Mistakes put into content words of each question, in different words as long as there are any.
pub fn misspell(questions: &mut [Question], mistakes: usize, seed: u64) {
    for (number, question) in (0_u64..).zip(questions) {
        let mut random =
            Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(number).wrapping_add(1));
        question.question = misspelt(&question.question, mistakes, &mut random);
    }
}

/// Words shorter than this are left alone.
const MIN_LETTERS: usize = 5;

fn misspelt(text: &str, mistakes: usize, random: &mut Random) -> String {
    let mut pieces: Vec<String> = Vec::new();
    for c in text.chars() {
        match pieces.last_mut() {
            Some(last)
                if last.chars().next().is_some_and(char::is_alphanumeric)
                    == c.is_alphanumeric() =>
            {
                last.push(c)
            }
            _ => pieces.push(c.to_string()),
        }
    }
    let is_word = |piece: &String| {
        piece.len() >= MIN_LETTERS
            && piece.bytes().all(|b| b.is_ascii_alphabetic())
            && content_words(piece).next().is_some()
    };
    let mut places: Vec<usize> =
        pieces.iter().enumerate().filter(|(_, piece)| is_word(piece)).map(|(at, _)| at).collect();
    for left in (1..places.len()).rev() {
        places.swap(left, random.below(left + 1));
    }
    for at in places.iter().cycle().take(if places.is_empty() { 0 } else { mistakes }) {
        if let Some(piece) = pieces.get_mut(*at) {
            *piece = mistake(piece, random);
        }
    }
    pieces.concat()
}

/// One slip of the fingers behind the first letter: a letter left out, doubled, swapped with the
/// next, or another.
fn mistake(word: &str, random: &mut Random) -> String {
    const VOWELS: &[char] = &['a', 'e', 'i', 'o', 'u'];
    let mut letters: Vec<char> = word.chars().collect();
    if letters.len() < 3 {
        return word.to_owned();
    }
    let at = 1 + random.below(letters.len() - 2);
    match random.below(4) {
        0 => {
            letters.remove(at);
        }
        1 => letters.insert(at, letters[at]),
        2 if letters[at] != letters[at + 1] => letters.swap(at, at + 1),
        _ => {
            let own = VOWELS.iter().position(|vowel| *vowel == letters[at].to_ascii_lowercase());
            letters[at] = match own {
                Some(own) => VOWELS[(own + 1 + random.below(VOWELS.len() - 1)) % VOWELS.len()],
                None => char::from(b'a' + u8::try_from(random.below(26)).unwrap_or(0)),
            };
        }
    }
    letters.into_iter().collect()
}

/// SplitMix64 (Steele, Lea, Flood, 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit.max(1) as u64).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_few_and_the_same_for_a_seed() {
        let with = |mistakes, seed| {
            let mut questions =
                vec![
                    Question::plain("How long is the warranty on a Tarn 3 tent in Switzerland?");
                    3
                ];
            misspell(&mut questions, mistakes, seed);
            questions.into_iter().map(|question| question.question).collect::<Vec<_>>()
        };
        let clean = "How long is the warranty on a Tarn 3 tent in Switzerland?";
        assert_eq!(with(0, 1), [clean; 3]);
        assert_eq!(with(2, 7), with(2, 7));
        assert_ne!(with(2, 7), with(2, 8));
        for seed in 0..50 {
            for text in with(1, seed) {
                assert!(strsim::osa_distance(&text, clean) <= 1, "{text}");
            }
            for text in with(2, seed) {
                assert!(
                    strsim::osa_distance(&text, clean) <= 2
                        && text.starts_with("How long is the w"),
                    "{text}"
                );
            }
        }
        let mut chinese = vec![Question::plain("退货政策是什么？")];
        misspell(&mut chinese, 2, 1);
        assert_eq!(chinese[0].question, "退货政策是什么？");
    }
}
