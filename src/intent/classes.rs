//! What a visitor wants, as one of the site's own classes, or none of them. A linear layer over the
//! text's embedding beside its words and pieces of words is mixed with a discriminant over the
//! embedding alone; a few examples a class suffice. Where there are many, support vector machines
//! over embedding and words take part, or take over, as far as they do better on texts that none of
//! them saw.

use rustc_hash::{FxHashMap, FxHashSet, FxHasher};
use serde::{Deserialize, Serialize};
use std::hash::Hasher as _;

use crate::intent::discriminant::{Discriminant, SHRINKAGE};
use crate::intent::margins::{Margins, Row};
use crate::intent::metrics;
use crate::intent::network::{Network, Recipe, Targets};
use crate::intent::train::TrainError;
use crate::language::words::words_with_apostrophes;

/// A labelled utterance, as files and agents' corrections have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Example {
    pub text: String,
    pub intent: String,
}

/// A trained classifier.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Classes {
    /// In alphabetical order.
    pub names: Vec<String>,
    grams: Grams,
    layer: Network,
    discriminant: Discriminant,
    /// `None` where they don't do better than the other two.
    margins: Option<Words>,
    /// What the outputs of layer, discriminant and margins count in the mix; so chosen that the
    /// probabilities are as often right as they say.
    weights: [f32; 3],
    /// The mean vector of each class, of length 1.
    centers: Vec<Vec<f32>>,
    /// Below this [`Guess::familiar`] a text is about none of the classes.
    pub threshold: f32,
}

/// The support vector machines with the words that they know.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Words {
    grams: Grams,
    margins: Margins,
}

/// What a text is about.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Guess {
    /// Index into [`Classes::names`].
    pub class: usize,
    /// Calibrated, among the classes.
    pub probability: f32,
    /// How much the text is like anything known: higher is more. Ordered, no probability.
    pub familiar: f32,
    /// Whether it is likely about one of the classes.
    pub in_scope: bool,
}

/// Rows with this label are about none of the classes: they set the threshold and are no class
/// themselves.
pub const OUT_OF_SCOPE: &[&str] = &["oos", "out_of_scope", "none"];
/// Places that words and pieces of words are hashed into: few where each costs a weight in a dense
/// layer, many for the machines.
const HASHED: usize = 2048;
const HASHED_FOR_MARGINS: usize = 1 << 14;
/// By how much the machines must be right more often to take part.
const BETTER: f32 = 0.003;
/// Length of the hashed part beside the embedding's 1.
const GRAMS_WEIGHT: f32 = 0.5;
/// Share of known texts that the threshold lets pass when there are no examples of others.
const KEPT: f32 = 0.95;
/// Parts of the cross-validation behind weights and threshold.
const FOLDS: usize = 5;

impl Classes {
    /// Learns from examples and their vectors (each of length 1). `called` are further examples
    /// that are learned from and never measured on: what classes are called, see [`called`].
    /// `progress` hears of each of the `total` fits.
    ///
    /// # Errors
    /// When there are fewer than two classes.
    pub fn fit(
        examples: &[Example],
        vectors: &[Vec<f32>],
        called: &[(Example, Vec<f32>)],
        seed: u64,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Self, TrainError> {
        let known: Vec<usize> =
            (0..examples.len()).filter(|i| !is_out_of_scope(&examples[*i].intent)).collect();
        let mut names: Vec<String> = known.iter().map(|i| examples[*i].intent.clone()).collect();
        names.sort_unstable();
        names.dedup();
        if names.len() < 2 {
            return Err(TrainError::TooFewClasses { classes: names.len() });
        }
        let labels: Vec<u32> = known
            .iter()
            .map(|i| {
                names
                    .binary_search(&examples[*i].intent)
                    .ok()
                    .and_then(|at| u32::try_from(at).ok())
                    .unwrap_or(0)
            })
            .collect();
        let texts: Vec<&str> = known.iter().map(|i| examples[*i].text.as_str()).collect();
        let called: Vec<(&str, &[f32], u32)> = called
            .iter()
            .filter_map(|(example, vector)| {
                let label = u32::try_from(names.binary_search(&example.intent).ok()?).ok()?;
                Some((example.text.as_str(), vector.as_slice(), label))
            })
            .collect();
        let fit_part = |texts: &[&str], vectors: &[&[f32]], labels: &[u32]| {
            let texts: Vec<&str> =
                texts.iter().copied().chain(called.iter().map(|(text, ..)| *text)).collect();
            let vectors: Vec<&[f32]> = vectors
                .iter()
                .copied()
                .chain(called.iter().map(|(_, vector, _)| *vector))
                .collect();
            let labels: Vec<u32> =
                labels.iter().copied().chain(called.iter().map(|(.., label)| *label)).collect();
            Self::fit_part(&names, &texts, &vectors, &labels, seed)
        };
        let vectors_of = |rows: &[usize]| -> Vec<&[f32]> {
            rows.iter().map(|i| vectors[*i].as_slice()).collect()
        };

        // Outputs for texts that the layer didn't see: what weights and threshold are set on.
        let mut outside = Vec::new();
        let folds = spread(&labels, FOLDS);
        let total = FOLDS + 1;
        for fold in 0..FOLDS {
            let (train, test): (Vec<usize>, Vec<usize>) =
                (0..known.len()).partition(|i| folds[*i] != fold);
            let pick = |rows: &[usize]| -> (Vec<&str>, Vec<usize>, Vec<u32>) {
                (
                    rows.iter().map(|i| texts[*i]).collect(),
                    rows.iter().map(|i| known[*i]).collect(),
                    rows.iter().map(|i| labels[*i]).collect(),
                )
            };
            let (train_texts, train_rows, train_labels) = pick(&train);
            let (test_texts, test_rows, test_labels) = pick(&test);
            let part = fit_part(&train_texts, &vectors_of(&train_rows), &train_labels)?;
            let test_vectors = vectors_of(&test_rows);
            let outputs = part.outputs(&test_texts, &test_vectors)?;
            for (output, label) in outputs.into_iter().zip(test_labels) {
                outside.push((output, label));
            }
            progress(fold + 1, total);
        }
        let mut classes = fit_part(&texts, &vectors_of(&known), &labels)?;
        progress(total, total);
        (classes.weights, classes.margins) = match mix(&outside) {
            weights @ [.., 0.0] => (weights, None),
            weights => (weights, classes.margins),
        };
        let mut inside: Vec<f32> =
            outside.iter().map(|(output, _)| classes.guess_of(output).familiar).collect();
        inside.sort_by(f32::total_cmp);
        let foreign: Vec<usize> =
            (0..examples.len()).filter(|i| is_out_of_scope(&examples[*i].intent)).collect();
        classes.threshold = if foreign.is_empty() {
            #[expect(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a rank"
            )]
            let at = ((1.0 - KEPT) * inside.len() as f32) as usize;
            inside.get(at).copied().unwrap_or(f32::NEG_INFINITY)
        } else {
            let texts: Vec<&str> = foreign.iter().map(|i| examples[*i].text.as_str()).collect();
            let guesses = classes.guess(&texts, &vectors_of(&foreign))?;
            best_threshold(&inside, &guesses.iter().map(|guess| guess.familiar).collect::<Vec<_>>())
        };
        Ok(classes)
    }

    fn fit_part(
        names: &[String],
        texts: &[&str],
        vectors: &[&[f32]],
        labels: &[u32],
        seed: u64,
    ) -> Result<Self, TrainError> {
        let grams = Grams::fit(texts, HASHED);
        let rows = grams.rows(texts, vectors);
        let width = vectors.first().map_or(0, |vector| vector.len()) + HASHED;
        // Enough steps for few examples, enough passes for many.
        let batch = 256;
        let epochs = STEPS.div_ceil(texts.len().div_ceil(batch).max(1)).max(PASSES);
        let recipe = Recipe {
            hidden: Vec::new(),
            epochs,
            batch,
            rate: RATE,
            decay: DECAY,
            dropout: 0.0,
            patience: None,
            seed,
        };
        let scaled: Vec<f32> = rows.iter().map(|x| x * SCALE).collect();
        let layer =
            Network::fit(&recipe, width, &scaled, Targets::Classes { labels, count: names.len() })?;
        let words = Grams::fit(texts, HASHED_FOR_MARGINS);
        let rows: Vec<Row<'_>> =
            texts.iter().zip(vectors).map(|(text, vector)| words.row(text, vector)).collect();
        let margins = Margins::fit(&rows, labels, names.len(), HASHED_FOR_MARGINS, seed);
        Ok(Self {
            names: names.to_vec(),
            grams,
            margins: Some(Words { grams: words, margins }),
            layer,
            discriminant: Discriminant::fit(vectors, labels, names.len(), SHRINKAGE)?,
            weights: [0.5, 0.5, 0.0],
            centers: centers(vectors, labels, names.len()),
            threshold: f32::NEG_INFINITY,
        })
    }

    /// What it is made of.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self.weights {
            [_, _, 0.0] => "linear layer and discriminant",
            [0.0, 0.0, _] => "support vector machines",
            _ => "linear layer, discriminant and support vector machines",
        }
    }

    /// What texts with these vectors are about.
    ///
    /// # Errors
    /// When the vectors aren't as long as in training: another embedding model.
    pub fn guess(&self, texts: &[&str], vectors: &[&[f32]]) -> Result<Vec<Guess>, TrainError> {
        Ok(self.outputs(texts, vectors)?.iter().map(|output| self.guess_of(output)).collect())
    }

    fn outputs(&self, texts: &[&str], vectors: &[&[f32]]) -> Result<Vec<Output>, TrainError> {
        let count = self.names.len();
        let rows: Vec<f32> =
            self.grams.rows(texts, vectors).into_iter().map(|x| x * SCALE).collect();
        let (layer, discriminant) =
            (self.layer.predict(&rows)?, self.discriminant.logits(vectors)?);
        let both =
            layer.chunks(count).zip(discriminant.chunks(count)).zip(texts.iter().zip(vectors));
        Ok(both
            .map(|((layer, discriminant), (text, vector))| Output {
                layer: layer.to_vec(),
                discriminant: discriminant.to_vec(),
                margins: self
                    .margins
                    .as_ref()
                    .and_then(|words| words.margins.of(&words.grams.row(text, vector))),
                near: self.near(vector),
            })
            .collect())
    }

    /// Cosine with the nearest class's center.
    fn near(&self, vector: &[f32]) -> f32 {
        let cosines =
            self.centers.iter().map(|center| center.iter().zip(vector).map(|(a, b)| a * b).sum());
        cosines.fold(-1.0, f32::max)
    }

    fn guess_of(&self, output: &Output) -> Guess {
        let logits = output.mixed(self.weights);
        let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let class = logits.iter().position(|z| *z == top).unwrap_or(0);
        let sum: f32 = logits.iter().map(|z| (z - top).exp()).sum();
        let probability = sum.recip();
        // Liu et al. (2020): ln Σ exp(z) tells the unknown better than the largest probability; the
        // distance adds what the layer doesn't see.
        let energy = top + sum.ln();
        let familiar = energy + NEAR_WEIGHT * output.near;
        Guess { class, probability, familiar, in_scope: familiar >= self.threshold }
    }
}

/// What is computed of a text.
struct Output {
    /// A number for each class.
    layer: Vec<f32>,
    discriminant: Vec<f32>,
    margins: Option<Vec<f32>>,
    near: f32,
}

impl Output {
    fn mixed(&self, [layer, discriminant, margins]: [f32; 3]) -> Vec<f32> {
        let mut mixed: Vec<f32> = self
            .layer
            .iter()
            .zip(&self.discriminant)
            .map(|(a, b)| layer * a + discriminant * b)
            .collect();
        if let Some(sides) = &self.margins {
            mixed.iter_mut().zip(sides).for_each(|(sum, side)| *sum += margins * side);
        }
        mixed
    }

    fn is_right(&self, weights: [f32; 3], label: u32) -> bool {
        let mixed = self.mixed(weights);
        let own = mixed.get(label as usize).copied().unwrap_or(f32::NEG_INFINITY);
        mixed.iter().all(|z| *z <= own)
    }
}

/// Steps of the optimiser at least, and passes over the examples at least.
const STEPS: usize = 400;
const PASSES: usize = 20;
const RATE: f64 = 0.02;
const DECAY: f64 = 0.05;
/// Inputs of length 1 are stretched, so that the optimiser's steps suit them.
const SCALE: f32 = 5.0;
/// What a cosine of 1 counts beside the energy.
const NEAR_WEIGHT: f32 = 10.0;

/// What the classes of examples are called, as an example of each: `card_arrival` says "card
/// arrival". With few examples it says a lot.
#[must_use]
pub fn called(examples: &[Example]) -> Vec<Example> {
    let names: std::collections::BTreeSet<&str> = examples
        .iter()
        .map(|example| example.intent.as_str())
        .filter(|intent| !is_out_of_scope(intent))
        .collect();
    let words = |name: &str| crate::language::words(name).collect::<Vec<_>>().join(" ");
    let example =
        |name: &str| Example { text: words(name).to_lowercase(), intent: name.to_owned() };
    // A code says nothing.
    names
        .into_iter()
        .map(example)
        .filter(|example| example.text.chars().filter(|c| c.is_alphabetic()).count() > 2)
        .collect()
}

#[must_use]
pub fn is_out_of_scope(intent: &str) -> bool {
    OUT_OF_SCOPE.contains(&intent)
}

/// Hashed, weighted words and pieces of words.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Grams {
    /// ln((1 + texts) / (1 + texts with the hash)) + 1, by place.
    weights: Vec<f32>,
}

impl Grams {
    #[expect(clippy::cast_precision_loss, reason = "counts of texts")]
    fn fit(texts: &[&str], places: usize) -> Self {
        let mut counts = vec![0_usize; places];
        for text in texts {
            let places: FxHashSet<usize> = hashes(text).map(|hash| place(hash, places).0).collect();
            places.into_iter().for_each(|place| counts[place] += 1);
        }
        let all = texts.len() as f32;
        Self {
            weights: counts
                .into_iter()
                .map(|count| ((1.0 + all) / (1.0 + count as f32)).ln() + 1.0)
                .collect(),
        }
    }

    /// Each text's vector followed by its hashed part of length [`GRAMS_WEIGHT`].
    fn rows(&self, texts: &[&str], vectors: &[&[f32]]) -> Vec<f32> {
        let width = vectors.first().map_or(0, |vector| vector.len());
        let mut rows = Vec::with_capacity(texts.len() * (self.weights.len() + width));
        for (text, vector) in texts.iter().zip(vectors) {
            let Row { dense, sparse } = self.row(text, vector);
            rows.extend_from_slice(dense);
            let mut part = vec![0.0; self.weights.len()];
            sparse.into_iter().for_each(|(place, x)| part[place as usize] = x * GRAMS_WEIGHT);
            rows.extend(part);
        }
        rows
    }

    /// A text's vector and its hashed part of length 1.
    fn row<'a>(&self, text: &str, vector: &'a [f32]) -> Row<'a> {
        let mut counts: FxHashMap<u64, f32> = FxHashMap::default();
        hashes(text).for_each(|hash| *counts.entry(hash).or_default() += 1.0);
        let mut part: FxHashMap<usize, f32> = FxHashMap::default();
        for (hash, count) in counts {
            let (place, sign) = place(hash, self.weights.len());
            *part.entry(place).or_default() += sign * (1.0 + count.ln()) * self.weights[place];
        }
        let length = part.values().map(|x| x * x).sum::<f32>().sqrt().max(1e-6);
        let mut sparse: Vec<(u32, f32)> = part
            .into_iter()
            .map(|(place, x)| (u32::try_from(place).unwrap_or_default(), x / length))
            .collect();
        sparse.sort_unstable_by_key(|(place, _)| *place);
        Row { dense: vector, sparse }
    }
}

/// Words, pairs of neighbouring words, and runs of 3 to 5 characters within a word and its borders.
fn hashes(text: &str) -> impl Iterator<Item = u64> {
    let text = text.to_lowercase();
    let words: Vec<&str> = words_with_apostrophes(&text)
        // The trained weights know "don’t" as two words.
        .flat_map(|word| word.split('’'))
        .filter(|word| !word.is_empty())
        .collect();
    let mut all = Vec::new();
    for (i, word) in words.iter().enumerate() {
        all.push(hash(&(0_u8, word)));
        if let Some(next) = words.get(i + 1) {
            all.push(hash(&(1_u8, word, next)));
        }
        let framed: Vec<char> = std::iter::once(' ').chain(word.chars()).chain([' ']).collect();
        for length in 3..=5 {
            all.extend(framed.windows(length).map(|piece| hash(&(2_u8, piece))));
        }
    }
    all.into_iter()
}

fn hash(value: &impl std::hash::Hash) -> u64 {
    let mut hasher = FxHasher::default();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Where a hash goes, and its sign: collisions cancel out on average (Weinberger et al. 2009).
fn place(hash: u64, places: usize) -> (usize, f32) {
    let mixed = hash.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    ((mixed >> 32) as usize % places, if mixed >> 31 & 1 == 0 { 1.0 } else { -1.0 })
}

fn centers(vectors: &[&[f32]], labels: &[u32], count: usize) -> Vec<Vec<f32>> {
    let mut centers = vec![vec![0.0; vectors.first().map_or(0, |vector| vector.len())]; count];
    for (vector, label) in vectors.iter().zip(labels) {
        if let Some(center) = centers.get_mut(*label as usize) {
            center.iter_mut().zip(*vector).for_each(|(sum, x)| *sum += x);
        }
    }
    for center in &mut centers {
        let length = center.iter().map(|x| x * x).sum::<f32>().sqrt().max(1e-6);
        center.iter_mut().for_each(|x| *x /= length);
    }
    centers
}

/// Which fold each row is in, every class spread evenly.
fn spread(labels: &[u32], folds: usize) -> Vec<usize> {
    let mut seen: FxHashMap<u32, usize> = FxHashMap::default();
    let next = labels.iter().map(|label| {
        let count = seen.entry(*label).or_insert(*label as usize);
        *count += 1;
        *count % folds
    });
    next.collect()
}

/// What the three count in the mix. Layer and discriminant: the shares with the lowest log loss on
/// texts that neither saw. The machines join them half and half or alone where that is right
/// clearly more often. For each a common factor (a temperature, Guo et al. 2017).
fn mix(outside: &[(Output, u32)]) -> [f32; 3] {
    let loss = |weights: [f32; 3]| -> f32 {
        let each = outside.iter().map(|(output, label)| {
            let logits = output.mixed(weights);
            let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let sum: f32 = logits.iter().map(|z| (z - top).exp()).sum();
            sum.ln() - (logits.get(*label as usize).copied().unwrap_or(top) - top)
        });
        each.sum()
    };
    let scaled = |weights: [f32; 3]| -> [f32; 3] {
        let factor = lowest(|factor| loss(weights.map(|weight| weight * factor)));
        weights.map(|weight| weight * factor)
    };
    let alone = [scaled([1.0, 0.0, 0.0]), scaled([0.0, 1.0, 0.0])];
    let mut two = (f32::INFINITY, alone[0]);
    for step in 0..=SHARES {
        let share = f32::from(step) / f32::from(SHARES);
        let weights = scaled([alone[0][0] * (1.0 - share), alone[1][1] * share, 0.0]);
        let reached = loss(weights);
        if reached < two.0 {
            two = (reached, weights);
        }
    }
    let [layer, discriminant, _] = two.1;
    #[expect(clippy::cast_precision_loss, reason = "counts of examples")]
    let right = |weights: [f32; 3]| {
        outside.iter().filter(|(output, label)| output.is_right(weights, *label)).count() as f32
            / outside.len().max(1) as f32
    };
    let machines = scaled([0.0, 0.0, 1.0]);
    let mut best = (right(two.1) + BETTER, two.1);
    for weights in [scaled([layer, discriminant, machines[2]]), machines] {
        let reached = right(weights);
        if reached > best.0 {
            best = (reached, weights);
        }
    }
    best.1
}

/// Shares that are tried between the layer alone and the discriminant alone.
const SHARES: u8 = 6;

/// Where a function of one positive factor is lowest, by golden-section search on its logarithm.
fn lowest(of: impl Fn(f32) -> f32) -> f32 {
    let (mut low, mut high) = (-4.0_f32, 4.0_f32);
    let golden = 0.618_034;
    for _ in 0..12 {
        let (a, b) = (high - golden * (high - low), low + golden * (high - low));
        if of(a.exp()) < of(b.exp()) { high = b } else { low = a }
    }
    f32::midpoint(low, high).exp()
}

/// Where as many of both sides as possible are told apart, each side counted alike; in the middle
/// of the widest gap where several places do so equally well.
#[expect(clippy::cast_precision_loss, reason = "counts")]
fn best_threshold(inside: &[f32], foreign: &[f32]) -> f32 {
    let right = |threshold: f32| {
        let kept =
            inside.iter().filter(|x| **x >= threshold).count() as f32 / inside.len().max(1) as f32;
        let refused =
            foreign.iter().filter(|x| **x < threshold).count() as f32 / foreign.len().max(1) as f32;
        kept + refused
    };
    let mut scores: Vec<f32> = inside.iter().chain(foreign).copied().collect();
    scores.sort_by(f32::total_cmp);
    let gaps = scores.windows(2).filter(|pair| pair[0] < pair[1]);
    let places = gaps.map(|pair| {
        (right(f32::midpoint(pair[0], pair[1])), pair[1] - pair[0], f32::midpoint(pair[0], pair[1]))
    });
    let best = places.max_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    best.map_or(f32::NEG_INFINITY, |(_, _, threshold)| threshold)
}

/// The quality of guesses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClassQuality {
    pub accuracy: f64,
    pub macro_f1: f64,
    /// Gap between the probability of the guess and how often it is right; see [`metrics::ece`].
    pub ece: f64,
}

impl Classes {
    /// Measures guesses against labels. A label that is no class is a wrong guess whatever the
    /// guess is.
    #[must_use]
    pub fn quality(&self, guesses: &[Guess], intents: &[&str]) -> ClassQuality {
        let predicted: Vec<usize> = guesses.iter().map(|guess| guess.class).collect();
        let unknown = self.names.len();
        let actual: Vec<usize> = intents
            .iter()
            .map(|intent| {
                self.names.binary_search_by(|name| name.as_str().cmp(intent)).unwrap_or(unknown)
            })
            .collect();
        let right: Vec<bool> = predicted.iter().zip(&actual).map(|(a, b)| a == b).collect();
        let probabilities: Vec<f32> = guesses.iter().map(|guess| guess.probability).collect();
        ClassQuality {
            accuracy: metrics::accuracy(&predicted, &actual),
            macro_f1: metrics::macro_f1(&predicted, &actual),
            ece: metrics::ece(&probabilities, &right),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three classes whose vectors point to three sides, and words that agree with them.
    fn examples() -> (Vec<Example>, Vec<Vec<f32>>) {
        let words =
            [("refund", "send back"), ("delivery", "parcel comes"), ("price", "what costs")];
        let rows = (0..30_u8).map(|i| {
            let class = usize::from(i % 3);
            let (intent, text) = words[class];
            let mut vector = vec![0.05 * f32::from(i % 4); 4];
            vector[class] = 1.0;
            let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
            let vector = vector.into_iter().map(|x| x / length).collect();
            (Example { text: format!("{text} {i}"), intent: intent.into() }, vector)
        });
        rows.unzip()
    }

    #[test]
    fn classes_are_learned_and_the_unknown_is_refused() {
        let (mut rows, mut vectors) = examples();
        for i in 0..8 {
            rows.push(Example { text: format!("weather today {i}"), intent: "oos".into() });
            vectors.push(vec![0.1, 0.1, 0.1, 0.98]);
        }
        let classes = Classes::fit(&rows, &vectors, &[], 1, &mut |_, _| {}).unwrap();
        assert_eq!(classes.names, ["delivery", "price", "refund"]);
        let texts = ["please send back", "sunshine"];
        let guesses =
            classes.guess(&texts, &[&[0.99, 0.1, 0.05, 0.05], &[0.1, 0.1, 0.1, 0.98]]).unwrap();
        assert_eq!(classes.names[guesses[0].class], "refund");
        assert!(guesses[0].in_scope && !guesses[1].in_scope, "{guesses:?}");
        let quality = classes.quality(&guesses[..1], &["something new"]);
        assert!(quality.accuracy < 0.5, "a class that nobody taught is a wrong guess");
        assert!(
            classes.guess(&["x"], &[&[1.0, 0.0]]).is_err(),
            "vectors of another embedding model"
        );
    }

    #[test]
    fn what_a_class_is_called_is_an_example_of_it() {
        let row = |intent: &str| Example { text: "x".into(), intent: intent.into() };
        let texts = |rows: &[Example]| {
            called(rows).into_iter().map(|row| (row.text, row.intent)).collect::<Vec<_>>()
        };
        let found = texts(&[
            row("card_arrival"),
            row("oos"),
            row("17"),
            row("Refund-not showing"),
            row("card_arrival"),
        ]);
        let expected =
            [("refund not showing", "Refund-not showing"), ("card arrival", "card_arrival")];
        assert_eq!(found, expected.map(|(text, intent)| (text.to_owned(), intent.to_owned())));
    }

    #[test]
    fn one_class_is_no_question() {
        let row = Example { text: "hello".into(), intent: "greeting".into() };
        let error =
            Classes::fit(&[row.clone(), row], &[vec![1.0], vec![1.0]], &[], 1, &mut |_, _| {})
                .unwrap_err();
        assert!(error.to_string().contains("at least two"), "{error}");
    }

    #[test]
    fn hashing_is_stable_and_knows_words_in_any_script() {
        assert_eq!(
            hashes("Refund, please").collect::<Vec<_>>(),
            hashes("refund please").collect::<Vec<_>>()
        );
        assert!(hashes("多少钱").count() > 0);
        assert_eq!(hashes("").count(), 0);
        assert_eq!(place(hash(&(0_u8, "refund")), 64), place(hash(&(0_u8, "refund")), 64));
    }
}
