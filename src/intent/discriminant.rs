//! Linear discriminant analysis: classes are clouds of one shape around their means, and the shape
//! is learned from all of them together. A few examples a class suffice for the means, and how far
//! a text is from every cloud tells whether it belongs to any. Pure.

use serde::{Deserialize, Serialize};

use crate::intent::network::{self, Network};

/// Means of classes in the space where their common cloud is a ball.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Discriminant {
    dims: usize,
    /// `dims` rows of `dims`: what a vector is multiplied with to get into that space.
    whiten: Vec<f32>,
    /// One row of `dims` per class, in that space.
    means: Vec<f32>,
    /// The mean of all, in that space.
    center: Vec<f32>,
}

/// Share of the shape that is a ball of the same size, so that directions that few examples say
/// nothing of count as well.
pub const SHRINKAGE: f64 = 0.3;

impl Discriminant {
    /// Learns from vectors and their classes (0…`count` − 1). `shrinkage` is 0…1, see
    /// [`SHRINKAGE`].
    ///
    /// # Errors
    /// When the rows are not of one width.
    pub fn fit(
        vectors: &[&[f32]],
        labels: &[u32],
        count: usize,
        shrinkage: f64,
    ) -> Result<Self, network::Error> {
        let dims = vectors.first().map_or(0, |vector| vector.len());
        let mut means = vec![0.0_f32; count * dims];
        let mut rows = vec![0.0_f32; count];
        for (vector, label) in vectors.iter().zip(labels) {
            let at = *label as usize;
            rows[at] += 1.0;
            means[at * dims..(at + 1) * dims]
                .iter_mut()
                .zip(*vector)
                .for_each(|(mean, x)| *mean += x);
        }
        for (mean, rows) in means.chunks_mut(dims.max(1)).zip(&rows) {
            mean.iter_mut().for_each(|x| *x /= rows.max(1.0));
        }
        let mut apart = Vec::with_capacity(vectors.len() * dims);
        for (vector, label) in vectors.iter().zip(labels) {
            let at = *label as usize * dims;
            apart.extend(vector.iter().zip(&means[at..at + dims]).map(|(x, mean)| x - mean));
        }
        let squares = network::squares(&apart, dims)?;
        #[expect(clippy::cast_precision_loss, reason = "counts of examples")]
        let freedom = (vectors.len() as f64 - count as f64).max(1.0);
        let mut shape: Vec<f64> = squares.iter().map(|x| f64::from(*x) / freedom).collect();
        let size = (0..dims).map(|i| shape[i * dims + i]).sum::<f64>()
            / f64::from(u32::try_from(dims.max(1)).unwrap_or(1));
        for (at, x) in shape.iter_mut().enumerate() {
            *x *= 1.0 - shrinkage;
            if at / dims == at % dims {
                *x += shrinkage * size + 1e-6;
            }
        }
        let whiten = inverse_root(&shape, dims);
        let mut this = Self { dims, whiten, means: Vec::new(), center: Vec::new() };
        let mut center = vec![0.0_f32; dims];
        #[expect(clippy::cast_precision_loss, reason = "counts of examples")]
        let share = 1.0 / vectors.len().max(1) as f32;
        for vector in vectors {
            center.iter_mut().zip(*vector).for_each(|(sum, x)| *sum += x * share);
        }
        this.center = this.whitened(&[&center])?;
        let means: Vec<&[f32]> = means.chunks(dims.max(1)).collect();
        this.means = this.whitened(&means)?;
        Ok(this)
    }

    fn whitened(&self, vectors: &[&[f32]]) -> Result<Vec<f32>, network::Error> {
        network::product(&vectors.concat(), &self.whiten, self.dims)
    }

    /// For each vector the log-likelihood ratio of each class against a cloud of the same shape
    /// around the mean of all, row after row: half the squared distance from that mean less half
    /// the squared distance from the class's (the "relative" distance of Ren et al. 2021).
    ///
    /// # Errors
    /// When the vectors aren't as long as in training.
    pub fn logits(&self, vectors: &[&[f32]]) -> Result<Vec<f32>, network::Error> {
        let inside = self.whitened(vectors)?;
        let count = self.means.len() / self.dims.max(1);
        // |x − c|² − |x − m|² = 2 x·(m − c) + |c|² − |m|².
        let mut directions = vec![0.0; self.dims * count];
        let mut offsets = vec![0.0; count];
        let length = |vector: &[f32]| vector.iter().map(|x| x * x).sum::<f32>();
        for (class, mean) in self.means.chunks(self.dims.max(1)).enumerate() {
            for (i, (m, c)) in mean.iter().zip(&self.center).enumerate() {
                directions[i * count + class] = m - c;
            }
            offsets[class] = (length(&self.center) - length(mean)) / 2.0;
        }
        let layer = Network::linear(self.dims, directions, offsets);
        layer.predict(&inside)
    }
}

/// The inverse of the Cholesky factor of a symmetric positive matrix, transposed: `x ↦ x · root`
/// makes its cloud a ball.
#[expect(clippy::cast_possible_truncation, reason = "seven digits are enough")]
fn inverse_root(matrix: &[f64], dims: usize) -> Vec<f32> {
    // matrix = L Lᵀ
    let mut lower = vec![0.0_f64; dims * dims];
    for i in 0..dims {
        for j in 0..=i {
            let (a, b) = (&lower[i * dims..i * dims + j], &lower[j * dims..j * dims + j]);
            let sum = matrix[i * dims + j] - a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            lower[i * dims + j] =
                if i == j { sum.max(1e-12).sqrt() } else { sum / lower[j * dims + j] };
        }
    }
    // Columns of L⁻¹ by forward substitution; column k of L⁻¹ is row k of its transpose.
    let mut root = vec![0.0_f32; dims * dims];
    let mut column = vec![0.0_f64; dims];
    for k in 0..dims {
        column.fill(0.0);
        for i in k..dims {
            let known = &lower[i * dims + k..i * dims + i];
            let sum = known.iter().zip(&column[k..i]).map(|(l, x)| l * x).sum::<f64>();
            column[i] = (f64::from(u8::from(i == k)) - sum) / lower[i * dims + i];
            root[k * dims + i] = column[i] as f32;
        }
    }
    root
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two long, flat clouds side by side: which one a point belongs to shows along the short side
    /// alone.
    #[test]
    fn the_common_shape_tells_which_direction_counts() {
        let points: Vec<([f32; 2], u32)> = (0..200_u16)
            .map(|i| {
                let (along, across) =
                    ((f32::from(i) * 0.618).fract() - 0.5, (f32::from(i) * 0.414).fract() - 0.5);
                let class = u32::from(i % 2);
                ([4.0 * along, 0.2 * across + if class == 0 { -0.15 } else { 0.15 }], class)
            })
            .collect();
        let vectors: Vec<&[f32]> = points.iter().map(|(point, _)| point.as_slice()).collect();
        let labels: Vec<u32> = points.iter().map(|(_, class)| *class).collect();
        let known = Discriminant::fit(&vectors, &labels, 2, 0.0).unwrap();
        let logits = known.logits(&[&[1.9, -0.15], &[-1.9, 0.15]]).unwrap();
        assert!(logits[0] > logits[1] + 1.0 && logits[3] > logits[2] + 1.0, "{logits:?}");
        assert!(known.logits(&[&[1.0]]).is_err(), "vectors of another embedding model");
        let text = serde_json::to_string(&known).unwrap();
        assert_eq!(serde_json::from_str::<Discriminant>(&text).unwrap(), known);
    }

    #[test]
    fn the_root_makes_a_ball_of_the_shape() {
        let shape = [4.0, 1.0, 0.5, 1.0, 3.0, -0.2, 0.5, -0.2, 2.0];
        let root = inverse_root(&shape, 3);
        // rootᵀ · shape · root is the identity.
        for a in 0..3 {
            for b in 0..3 {
                let value: f64 = (0..3)
                    .flat_map(|i| (0..3).map(move |j| (i, j)))
                    .map(|(i, j)| {
                        f64::from(root[i * 3 + a]) * shape[i * 3 + j] * f64::from(root[j * 3 + b])
                    })
                    .sum();
                assert!((value - f64::from(u8::from(a == b))).abs() < 1e-5, "{a} {b}: {value}");
            }
        }
    }
}
