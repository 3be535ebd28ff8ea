//! A small feed-forward network, and with no hidden layer a logistic regression. Trained by AdamW
//! on the processor; every random choice comes from the seed, so the same rows give the same
//! weights.

use ndarray::{Array1, Array2, ArrayView2, Axis, Zip};
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};
use serde::{Deserialize, Serialize};

/// Rows that don't fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("{numbers} numbers don't make rows of {width}")]
    Ragged { numbers: usize, width: usize },
    #[error("rows of {found} numbers where the weights take {expected}")]
    Width { found: usize, expected: usize },
}

type Result<T> = std::result::Result<T, Error>;

/// Weights of a trained network. One output is the log-odds of a purchase, several are the
/// log-weights of classes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Network {
    layers: Vec<Layer>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Layer {
    inputs: usize,
    /// `inputs` rows of one weight per output.
    weights: Vec<f32>,
    bias: Vec<f32>,
}

/// How a network is trained.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// Widths of the hidden layers; none makes a linear model.
    pub hidden: Vec<usize>,
    /// Passes over the rows at most.
    pub epochs: usize,
    /// Rows per step.
    pub batch: usize,
    /// AdamW's learning rate, falling to a hundredth of it along a cosine.
    pub rate: f64,
    /// AdamW's weight decay.
    pub decay: f64,
    /// Share of hidden units that are left out of each step.
    pub dropout: f32,
    /// Passes without a better loss on rows held out for it (an eighth) after which training stops
    /// and the best weights are taken. `None` trains on all rows to the end.
    pub patience: Option<usize>,
    pub seed: u64,
}

/// What the rows are to give.
#[derive(Clone, Copy, Debug)]
pub enum Targets<'a> {
    /// One output. A row of the rarer outcome counts `weight` times.
    Binary { labels: &'a [bool], weight: f32 },
    /// One output per class.
    Classes { labels: &'a [u32], count: usize },
}

impl Network {
    /// Trains on `rows` of `width` numbers each.
    ///
    /// # Errors
    /// When the numbers don't make whole rows.
    pub fn fit(recipe: &Recipe, width: usize, rows: &[f32], targets: Targets<'_>) -> Result<Self> {
        let rows = matrix(rows, width)?;
        let mut random = StdRng::seed_from_u64(recipe.seed);
        let outputs = match targets {
            Targets::Binary { .. } => 1,
            Targets::Classes { count, .. } => count,
        };
        let mut layers = initial(recipe, width, outputs, &mut random);
        let mut optimizer = AdamW::new(&layers, recipe.decay);
        let masks = (recipe.dropout > 0.0).then(|| Masks::new(recipe.dropout, &mut random));

        let mut order: Vec<usize> = (0..rows.nrows()).collect();
        order.shuffle(&mut random);
        let held_out = match recipe.patience {
            Some(_) => order.split_off(order.len() - order.len() / 8),
            None => Vec::new(),
        };
        let validation = rows.select(Axis(0), &held_out);
        let mut best: Option<(f32, Self)> = None;
        let mut since_best = 0;
        let steps = (recipe.epochs * order.len().div_ceil(recipe.batch)).max(1);
        let mut step = 0;
        for _ in 0..recipe.epochs {
            order.shuffle(&mut random);
            for chosen in order.chunks(recipe.batch) {
                #[expect(clippy::cast_precision_loss, reason = "a share of the steps")]
                let done = step as f64 / steps as f64;
                let rate =
                    recipe.rate * (0.01 + 0.495 * (1.0 + (std::f64::consts::PI * done).cos()));
                let inputs = rows.select(Axis(0), chosen);
                let pass = Pass::forward(
                    &layers,
                    inputs,
                    masks.as_ref().map(|masks| (masks, &mut random)),
                );
                let (_, slope) = loss(&pass.logits, chosen, targets);
                let slopes = pass.backward(&layers, slope);
                optimizer.step(&mut layers, &slopes, rate);
                step += 1;
            }
            let Some(patience) = recipe.patience.filter(|_| !held_out.is_empty()) else { continue };
            let pass = Pass::forward(&layers, validation.clone(), None);
            let (reached, _) = loss(&pass.logits, &held_out, targets);
            if best.as_ref().is_none_or(|(known, _)| reached < *known) {
                best = Some((reached, Self::of(&layers)));
                since_best = 0;
            } else {
                since_best += 1;
                if since_best >= patience {
                    break;
                }
            }
        }
        Ok(best.map_or_else(|| Self::of(&layers), |(_, network)| network))
    }

    /// The outputs of each row, row after row.
    ///
    /// # Errors
    /// When the rows aren't as wide as the ones in training.
    pub fn predict(&self, rows: &[f32]) -> Result<Vec<f32>> {
        let width = self.layers.first().map_or(1, |layer| layer.inputs);
        let mut values = matrix(rows, width)?.to_owned();
        for (i, layer) in self.layers.iter().enumerate() {
            values = times(&values.view(), &layer.weights)? + &Array1::from(layer.bias.clone());
            if i + 1 < self.layers.len() {
                values.mapv_inplace(|value| value.max(0.0));
            }
        }
        Ok(values.into_iter().collect())
    }

    /// One layer as it is given: `inputs` rows of one weight per output.
    #[must_use]
    pub fn linear(inputs: usize, weights: Vec<f32>, bias: Vec<f32>) -> Self {
        Self { layers: vec![Layer { inputs, weights, bias }] }
    }

    /// The weight of each input, of a linear model with one output.
    #[must_use]
    pub fn linear_weights(&self) -> Option<&[f32]> {
        match self.layers.as_slice() {
            [only] if only.bias.len() == 1 => Some(&only.weights),
            _ => None,
        }
    }

    fn of(layers: &[Weights]) -> Self {
        let layers = layers.iter().map(|layer| Layer {
            inputs: layer.matrix.nrows(),
            weights: layer.matrix.iter().copied().collect(),
            bias: layer.bias.to_vec(),
        });
        Self { layers: layers.collect() }
    }
}

/// Sums of products of the columns of `rows`, `width` numbers each: `rowsᵀ · rows`, `width` rows of
/// `width`.
///
/// # Errors
/// When the numbers don't make whole rows.
pub fn squares(rows: &[f32], width: usize) -> Result<Vec<f32>> {
    let rows = matrix(rows, width)?;
    Ok(rows.t().dot(&rows).into_iter().collect())
}

/// Rows of `width` numbers times a matrix of `width` rows.
///
/// # Errors
/// When their widths differ.
pub fn product(rows: &[f32], matrix_rows: &[f32], width: usize) -> Result<Vec<f32>> {
    Ok(times(&matrix(rows, width)?, matrix_rows)?.into_iter().collect())
}

fn matrix(numbers: &[f32], width: usize) -> Result<ArrayView2<'_, f32>> {
    let ragged = Error::Ragged { numbers: numbers.len(), width };
    if width == 0 || !numbers.len().is_multiple_of(width) {
        return Err(ragged);
    }
    ArrayView2::from_shape((numbers.len() / width, width), numbers).map_err(|_| ragged)
}

/// Rows times the numbers of a matrix that has as many rows as they have columns.
fn times(rows: &ArrayView2<'_, f32>, numbers: &[f32]) -> Result<Array2<f32>> {
    let expected = rows.ncols();
    let outputs = numbers.len() / expected.max(1);
    let weights = ArrayView2::from_shape((expected, outputs), numbers);
    Ok(rows.dot(&weights.map_err(|_| Error::Width { found: numbers.len(), expected })?))
}

/// A layer while it is trained.
#[derive(Clone)]
struct Weights {
    /// A row per input, a column per output.
    matrix: Array2<f32>,
    bias: Array1<f32>,
}

/// Weights uniform in ±√(6 / inputs) before a hidden layer (He et al. 2015, for ReLU), zeros before
/// the outputs.
fn initial(recipe: &Recipe, width: usize, outputs: usize, random: &mut StdRng) -> Vec<Weights> {
    let mut layers = Vec::new();
    let mut inputs = width;
    for hidden in &recipe.hidden {
        #[expect(clippy::cast_precision_loss, reason = "a width")]
        let bound = (6.0 / inputs as f32).sqrt();
        let matrix =
            Array2::from_shape_simple_fn((inputs, *hidden), || random.random_range(-bound..bound));
        layers.push(Weights { matrix, bias: Array1::zeros(*hidden) });
        inputs = *hidden;
    }
    layers.push(Weights { matrix: Array2::zeros((inputs, outputs)), bias: Array1::zeros(outputs) });
    layers
}

/// What a batch gives on its way through the layers.
struct Pass {
    /// What each layer was given.
    inputs: Vec<Array2<f32>>,
    /// By hidden layer, the factors of its outputs: 0 where ReLU or dropout leave one out.
    factors: Vec<Array2<f32>>,
    logits: Array2<f32>,
}

impl Pass {
    fn forward(
        layers: &[Weights],
        rows: Array2<f32>,
        mut masks: Option<(&Masks, &mut StdRng)>,
    ) -> Self {
        let (mut inputs, mut factors, mut values) = (Vec::new(), Vec::new(), rows);
        for (i, layer) in layers.iter().enumerate() {
            let mut outputs = values.dot(&layer.matrix) + &layer.bias;
            inputs.push(values);
            if i + 1 < layers.len() {
                let mut factor = outputs.mapv(|value| f32::from(u8::from(value > 0.0)));
                if let Some((masks, random)) = &mut masks {
                    masks.apply(&mut factor, random);
                }
                outputs *= &factor;
                factors.push(factor);
            }
            values = outputs;
        }
        Self { inputs, factors, logits: values }
    }

    /// By layer, the slopes of the loss along its weights, from the slope along the logits.
    fn backward(&self, layers: &[Weights], mut slope: Array2<f32>) -> Vec<Weights> {
        let mut slopes = Vec::with_capacity(layers.len());
        for (i, inputs) in self.inputs.iter().enumerate().rev() {
            slopes.push(Weights { matrix: inputs.t().dot(&slope), bias: slope.sum_axis(Axis(0)) });
            if i > 0 {
                slope = slope.dot(&layers[i].matrix.t()) * &self.factors[i - 1];
            }
        }
        slopes.reverse();
        slopes
    }
}

/// Adam with decoupled weight decay (Loshchilov and Hutter 2019), with the usual β₁ = .9, β₂ = .999
/// and ε = 1e-8.
struct AdamW {
    decay: f64,
    steps: i32,
    /// By layer, the running means of slopes and of their squares.
    moments: Vec<(Weights, Weights)>,
}

impl AdamW {
    fn new(layers: &[Weights], decay: f64) -> Self {
        let zeros = |layer: &Weights| Weights {
            matrix: Array2::zeros(layer.matrix.raw_dim()),
            bias: Array1::zeros(layer.bias.raw_dim()),
        };
        Self {
            decay,
            steps: 0,
            moments: layers.iter().map(|layer| (zeros(layer), zeros(layer))).collect(),
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "weights are single precision")]
    fn step(&mut self, layers: &mut [Weights], slopes: &[Weights], rate: f64) {
        const FIRST: f64 = 0.9;
        const SECOND: f64 = 0.999;
        self.steps = self.steps.saturating_add(1);
        let scale_first = (1.0 / (1.0 - FIRST.powi(self.steps))) as f32;
        let scale_second = (1.0 / (1.0 - SECOND.powi(self.steps))) as f32;
        let (keep, rate) = ((1.0 - rate * self.decay) as f32, rate as f32);
        let update = |weight: &mut f32, slope: &f32, first: &mut f32, second: &mut f32| {
            *first = *first * FIRST as f32 + slope * (1.0 - FIRST) as f32;
            *second = *second * SECOND as f32 + slope * slope * (1.0 - SECOND) as f32;
            *weight = *weight * keep
                - rate * (*first * scale_first) / ((*second * scale_second).sqrt() + 1e-8);
        };
        for ((layer, slope), (first, second)) in
            layers.iter_mut().zip(slopes).zip(&mut self.moments)
        {
            Zip::from(&mut layer.matrix)
                .and(&slope.matrix)
                .and(&mut first.matrix)
                .and(&mut second.matrix)
                .for_each(update);
            Zip::from(&mut layer.bias)
                .and(&slope.bias)
                .and(&mut first.bias)
                .and(&mut second.bias)
                .for_each(update);
        }
    }
}

/// Random numbers drawn once: each step's masks are windows into them at random places, which costs
/// nothing.
struct Masks {
    pool: Vec<f32>,
}

/// Numbers in the pool; a mask is at most half of it.
const POOL: usize = 1 << 18;

impl Masks {
    /// A pool that leaves out a share and scales up the rest.
    fn new(share: f32, random: &mut StdRng) -> Self {
        let keep = 1.0 / (1.0 - share);
        Self {
            pool: (0..POOL)
                .map(|_| if random.random::<f32>() < share { 0.0 } else { keep })
                .collect(),
        }
    }

    fn apply(&self, values: &mut Array2<f32>, random: &mut StdRng) {
        let count = values.len();
        if count > POOL / 2 {
            return;
        }
        let start = random.random_range(0..POOL - count);
        for (value, factor) in values.iter_mut().zip(&self.pool[start..]) {
            *value *= factor;
        }
    }
}

/// Mean cross-entropy of the chosen rows, and its slope along their logits. For one output, ln(1 +
/// eᶻ) − z·y in a form that can't overflow.
fn loss(logits: &Array2<f32>, chosen: &[usize], targets: Targets<'_>) -> (f32, Array2<f32>) {
    #[expect(clippy::cast_precision_loss, reason = "rows of a batch")]
    let share = 1.0 / chosen.len().max(1) as f32;
    let mut slope = logits.clone();
    let mut sum = 0.0;
    for (mut logits, row) in slope.rows_mut().into_iter().zip(chosen) {
        match targets {
            Targets::Binary { labels, weight } => {
                let (wanted, weight) = if labels[*row] { (1.0, weight) } else { (0.0, 1.0) };
                for logit in &mut logits {
                    let z = *logit;
                    sum += weight * (z.max(0.0) + (1.0 + (-z.abs()).exp()).ln() - z * wanted);
                    *logit = weight * (1.0 / (1.0 + (-z).exp()) - wanted) * share;
                }
            }
            Targets::Classes { labels, .. } => {
                let highest = logits.fold(f32::NEG_INFINITY, |highest, z| highest.max(*z));
                let total = highest + logits.fold(0.0, |total, z| total + (z - highest).exp()).ln();
                for (class, logit) in logits.iter_mut().enumerate() {
                    let wanted = u32::try_from(class).is_ok_and(|class| class == labels[*row]);
                    if wanted {
                        sum += total - *logit;
                    }
                    *logit = ((*logit - total).exp() - f32::from(u8::from(wanted))) * share;
                }
            }
        }
    }
    (sum * share, slope)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe(hidden: &[usize]) -> Recipe {
        Recipe {
            hidden: hidden.to_vec(),
            epochs: 60,
            batch: 32,
            rate: 0.02,
            decay: 1e-4,
            dropout: 0.0,
            patience: None,
            seed: 7,
        }
    }

    /// Points of a grid, labelled by whether both coordinates have the same sign.
    fn grid() -> (Vec<f32>, Vec<bool>) {
        let points = (-10..10)
            .flat_map(|x| (-10..10).map(move |y| (x as f32 / 10.0 + 0.05, y as f32 / 10.0 + 0.05)));
        let points: Vec<(f32, f32)> = points.collect();
        (
            points.iter().flat_map(|(x, y)| [*x, *y]).collect(),
            points.iter().map(|(x, y)| x * y > 0.0).collect(),
        )
    }

    fn accuracy(logits: &[f32], labels: &[bool]) -> f64 {
        let right = logits.iter().zip(labels).filter(|(z, label)| (**z > 0.0) == **label).count();
        right as f64 / labels.len() as f64
    }

    #[test]
    fn a_hidden_layer_learns_what_a_line_cannot() {
        let (rows, labels) = grid();
        let targets = Targets::Binary { labels: &labels, weight: 1.0 };
        let linear = Network::fit(&recipe(&[]), 2, &rows, targets).unwrap();
        let deep = Network::fit(&recipe(&[16]), 2, &rows, targets).unwrap();
        assert!(accuracy(&linear.predict(&rows).unwrap(), &labels) < 0.7);
        assert!(accuracy(&deep.predict(&rows).unwrap(), &labels) > 0.95);
        assert_eq!(linear.linear_weights().unwrap().len(), 2);
        assert_eq!(
            deep,
            Network::fit(&recipe(&[16]), 2, &rows, targets).unwrap(),
            "the seed decides"
        );
    }

    #[test]
    fn classes_are_told_apart_and_wrong_widths_are_errors() {
        let (rows, _) = grid();
        let classes: Vec<u32> = rows
            .chunks(2)
            .map(|p| if p[0] < -0.3 { 0 } else { 1 + u32::from(p[1] > 0.0) })
            .collect();
        let targets = Targets::Classes { labels: &classes, count: 3 };
        let network = Network::fit(&recipe(&[]), 2, &rows, targets).unwrap();
        let logits = network.predict(&rows).unwrap();
        let best = |row: &[f32]| {
            row.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map(|(i, _)| i as u32)
        };
        let right = logits
            .chunks(3)
            .zip(&classes)
            .filter(|(row, class)| best(row) == Some(**class))
            .count();
        assert!(right * 10 > classes.len() * 9, "{right} of {}", classes.len());
        assert!(network.predict(&[1.0, 2.0, 3.0]).is_err());
    }
}
