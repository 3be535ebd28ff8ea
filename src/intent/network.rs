//! A small feed-forward network, and with no hidden layer a logistic regression. Trained by AdamW on the processor; every random choice
//! comes from the seed, so the same rows give the same weights.

use candle_core::{D, Device, Result, Tensor, Var};
use candle_nn::optim::{AdamW, Optimizer, ParamsAdamW};
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};
use serde::{Deserialize, Serialize};

/// Why a network can't be trained or can't predict.
pub type Error = candle_core::Error;

/// Weights of a trained network. One output is the log-odds of a purchase, several are the log-weights of classes.
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
    /// Passes without a better loss on rows held out for it (an eighth) after which training stops and the best weights are taken. `None`
    /// trains on all rows to the end.
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
    /// When candle fails, which is a mistake of this crate or a lack of memory.
    pub fn fit(recipe: &Recipe, width: usize, rows: &[f32], targets: Targets<'_>) -> Result<Self> {
        let count = rows.len() / width.max(1);
        let mut random = StdRng::seed_from_u64(recipe.seed);
        let outputs = match targets {
            Targets::Binary { .. } => 1,
            Targets::Classes { count, .. } => count,
        };
        let layers = initial(recipe, width, outputs, &mut random)?;
        let variables = layers.iter().flat_map(|(weights, bias)| [weights.clone(), bias.clone()]).collect();
        let params = ParamsAdamW { lr: recipe.rate, weight_decay: recipe.decay, ..ParamsAdamW::default() };
        let mut optimizer = AdamW::new(variables, params)?;

        let masks = if recipe.dropout > 0.0 { Some(Masks::new(recipe.dropout, &mut random)?) } else { None };

        let mut order: Vec<usize> = (0..count).collect();
        order.shuffle(&mut random);
        let held_out = if recipe.patience.is_some() { order.split_off(count - count / 8) } else { Vec::new() };
        let validation = gather(rows, width, &held_out, targets)?;
        let mut best: Option<(f32, Self)> = None;
        let mut since_best = 0;
        let steps = (recipe.epochs * order.len().div_ceil(recipe.batch)).max(1);
        let mut step = 0;
        for _ in 0..recipe.epochs {
            order.shuffle(&mut random);
            for chosen in order.chunks(recipe.batch) {
                #[expect(clippy::cast_precision_loss, reason = "a share of the steps")]
                let done = step as f64 / steps as f64;
                optimizer.set_learning_rate(recipe.rate * (0.01 + 0.495 * (1.0 + (std::f64::consts::PI * done).cos())));
                let (inputs, wanted) = gather(rows, width, chosen, targets)?;
                let logits = forward(&layers, inputs, masks.as_ref().map(|masks| (masks, &mut random)))?;
                optimizer.backward_step(&loss(&logits, &wanted, targets)?)?;
                step += 1;
            }
            let Some(patience) = recipe.patience.filter(|_| !held_out.is_empty()) else { continue };
            let logits = forward(&layers, validation.0.clone(), None)?;
            let reached = loss(&logits, &validation.1, targets)?.to_scalar::<f32>()?;
            if best.as_ref().is_none_or(|(known, _)| reached < *known) {
                best = Some((reached, Self::of(&layers)?));
                since_best = 0;
            } else {
                since_best += 1;
                if since_best >= patience {
                    break;
                }
            }
        }
        match best {
            Some((_, network)) => Ok(network),
            None => Self::of(&layers),
        }
    }

    /// The outputs of each row, row after row.
    ///
    /// # Errors
    /// When the rows aren't as wide as the ones in training.
    pub fn predict(&self, rows: &[f32]) -> Result<Vec<f32>> {
        let width = self.layers.first().map_or(1, |layer| layer.inputs);
        let mut values = Tensor::from_slice(rows, (rows.len() / width.max(1), width), &Device::Cpu)?;
        for (i, layer) in self.layers.iter().enumerate() {
            let weights = Tensor::from_slice(&layer.weights, (layer.inputs, layer.bias.len()), &Device::Cpu)?;
            let bias = Tensor::from_slice(&layer.bias, layer.bias.len(), &Device::Cpu)?;
            values = values.matmul(&weights)?.broadcast_add(&bias)?;
            if i + 1 < self.layers.len() {
                values = values.relu()?;
            }
        }
        values.flatten_all()?.to_vec1()
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

    fn of(layers: &[(Var, Var)]) -> Result<Self> {
        let layers = layers.iter().map(|(weights, bias)| {
            let inputs = weights.dim(0)?;
            Ok(Layer { inputs, weights: weights.flatten_all()?.to_vec1()?, bias: bias.to_vec1()? })
        });
        Ok(Self { layers: layers.collect::<Result<_>>()? })
    }
}

/// Sums of products of the columns of `rows`, `width` numbers each: `rowsᵀ · rows`, `width` rows of `width`.
///
/// # Errors
/// When candle fails.
pub fn squares(rows: &[f32], width: usize) -> Result<Vec<f32>> {
    let rows = Tensor::from_slice(rows, (rows.len() / width.max(1), width), &Device::Cpu)?;
    rows.t()?.contiguous()?.matmul(&rows)?.flatten_all()?.to_vec1()
}

/// Rows of `width` numbers times a matrix of `width` rows.
///
/// # Errors
/// When their widths differ.
pub fn product(rows: &[f32], matrix: &[f32], width: usize) -> Result<Vec<f32>> {
    let rows = Tensor::from_slice(rows, (rows.len() / width.max(1), width), &Device::Cpu)?;
    let matrix = Tensor::from_slice(matrix, (width, matrix.len() / width.max(1)), &Device::Cpu)?;
    rows.matmul(&matrix)?.flatten_all()?.to_vec1()
}

/// Weights uniform in ±√(6 / inputs) before a hidden layer (He et al. 2015, for ReLU), zeros before the outputs.
fn initial(recipe: &Recipe, width: usize, outputs: usize, random: &mut StdRng) -> Result<Vec<(Var, Var)>> {
    let mut layers = Vec::new();
    let mut inputs = width;
    for hidden in &recipe.hidden {
        #[expect(clippy::cast_precision_loss, reason = "a width")]
        let bound = (6.0 / inputs as f32).sqrt();
        let weights: Vec<f32> = (0..inputs * hidden).map(|_| random.random_range(-bound..bound)).collect();
        let weights = Var::from_tensor(&Tensor::from_vec(weights, (inputs, *hidden), &Device::Cpu)?)?;
        layers.push((weights, Var::zeros(*hidden, candle_core::DType::F32, &Device::Cpu)?));
        inputs = *hidden;
    }
    let weights = Var::zeros((inputs, outputs), candle_core::DType::F32, &Device::Cpu)?;
    layers.push((weights, Var::zeros(outputs, candle_core::DType::F32, &Device::Cpu)?));
    Ok(layers)
}

/// Some rows as a tensor, and what they are to give: a label of 0 or 1 beside the row's weight, or the class.
fn gather(rows: &[f32], width: usize, chosen: &[usize], targets: Targets<'_>) -> Result<(Tensor, Tensor)> {
    let mut inputs = Vec::with_capacity(chosen.len() * width);
    for row in chosen {
        inputs.extend_from_slice(&rows[row * width..(row + 1) * width]);
    }
    let inputs = Tensor::from_vec(inputs, (chosen.len(), width), &Device::Cpu)?;
    let wanted = match targets {
        Targets::Binary { labels, .. } => {
            let labels: Vec<f32> = chosen.iter().map(|row| f32::from(u8::from(labels[*row]))).collect();
            Tensor::from_vec(labels, (chosen.len(), 1), &Device::Cpu)?
        }
        Targets::Classes { labels, .. } => {
            let labels: Vec<u32> = chosen.iter().map(|row| labels[*row]).collect();
            Tensor::from_vec(labels, (chosen.len(), 1), &Device::Cpu)?
        }
    };
    Ok((inputs, wanted))
}

fn forward(layers: &[(Var, Var)], inputs: Tensor, mut masks: Option<(&Masks, &mut StdRng)>) -> Result<Tensor> {
    let mut values = inputs;
    for (i, (weights, bias)) in layers.iter().enumerate() {
        values = values.matmul(weights)?.broadcast_add(bias)?;
        if i + 1 < layers.len() {
            values = values.relu()?;
            if let Some((masks, random)) = &mut masks {
                values = masks.apply(&values, random)?;
            }
        }
    }
    Ok(values)
}

/// Random numbers drawn once: each step's masks are windows into them at random places, which costs nothing.
struct Masks {
    pool: Tensor,
    share: f32,
}

/// Numbers in the pool; a mask is at most half of it.
const POOL: usize = 1 << 18;

impl Masks {
    /// A pool that leaves out a share and scales up the rest. candle's own dropout draws from a generator that can't be seeded.
    fn new(share: f32, random: &mut StdRng) -> Result<Self> {
        let keep = 1.0 / (1.0 - share);
        let pool: Vec<f32> = (0..POOL).map(|_| if random.random::<f32>() < share { 0.0 } else { keep }).collect();
        Ok(Self { pool: Tensor::from_vec(pool, POOL, &Device::Cpu)?, share })
    }

    fn apply(&self, values: &Tensor, random: &mut StdRng) -> Result<Tensor> {
        let count = values.elem_count();
        if self.share <= 0.0 || count > POOL / 2 {
            return Ok(values.clone());
        }
        let start = random.random_range(0..POOL - count);
        values.mul(&self.pool.narrow(0, start, count)?.reshape(values.shape())?)
    }
}

/// Mean cross-entropy. For one output, ln(1 + eᶻ) − z·y in a form that can't overflow.
fn loss(logits: &Tensor, wanted: &Tensor, targets: Targets<'_>) -> Result<Tensor> {
    match targets {
        Targets::Binary { weight, .. } => {
            let softplus = (logits.relu()? + (logits.abs()?.neg()?.exp()? + 1.0)?.log()?)?;
            let each = (softplus - logits.mul(wanted)?)?;
            // 1 for a label of 0, `weight` for a label of 1.
            let weights = ((wanted * f64::from(weight - 1.0))? + 1.0)?;
            each.mul(&weights)?.mean_all()
        }
        Targets::Classes { .. } => candle_nn::ops::log_softmax(logits, D::Minus1)?.gather(wanted, 1)?.mean_all()?.neg(),
    }
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
        let points = (-10..10).flat_map(|x| (-10..10).map(move |y| (x as f32 / 10.0 + 0.05, y as f32 / 10.0 + 0.05)));
        let points: Vec<(f32, f32)> = points.collect();
        (points.iter().flat_map(|(x, y)| [*x, *y]).collect(), points.iter().map(|(x, y)| x * y > 0.0).collect())
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
        assert_eq!(deep, Network::fit(&recipe(&[16]), 2, &rows, targets).unwrap(), "the seed decides");
    }

    #[test]
    fn classes_are_told_apart_and_wrong_widths_are_errors() {
        let (rows, _) = grid();
        let classes: Vec<u32> =
            rows.chunks(2).map(|p| if p[0] < -0.3 { 0 } else { 1 + u32::from(p[1] > 0.0) }).collect();
        let targets = Targets::Classes { labels: &classes, count: 3 };
        let network = Network::fit(&recipe(&[]), 2, &rows, targets).unwrap();
        let logits = network.predict(&rows).unwrap();
        let best = |row: &[f32]| row.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map(|(i, _)| i as u32);
        let right = logits.chunks(3).zip(&classes).filter(|(row, class)| best(row) == Some(**class)).count();
        assert!(right * 10 > classes.len() * 9, "{right} of {}", classes.len());
        assert!(network.predict(&[1.0, 2.0, 3.0]).is_err());
    }
}
