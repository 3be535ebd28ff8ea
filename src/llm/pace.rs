//! How many rows a step may have, learned from the steps before it. Pure: no clock.
//!
//! llama.cpp can't be interrupted, so whoever reads an answer waits for the whole step. The time of
//! a step is modelled as `base + rows · (each + deep · cells in use)`: each row passes through the
//! weights and attends over the cells. ggml computes attention in tiles of [`TILE_ROWS`] rows, and
//! row by row in smaller steps, at half the speed or less; so there are two models, one for each.

use std::time::Duration;

/// Rows from which ggml's tiled attention works (`GGML_FA_TILE_Q`).
pub const TILE_ROWS: usize = 64;

/// How long steps should take.
#[derive(Clone, Copy, Debug)]
pub struct StepTimes {
    /// While somebody reads an answer: the gap between two of its tokens.
    pub gap: Duration,
    /// The gap that is accepted where a smaller one would leave a prompt less than a tile. Text
    /// that comes at this pace is still faster than people read.
    pub longest_gap: Duration,
    /// While nobody reads: so long a newcomer waits for the step before its own.
    pub unread: Duration,
}

/// Learns from [`Pace::note`], answers with [`Pace::rows`].
#[derive(Clone, Debug)]
pub struct Pace {
    times: StepTimes,
    small: Fit,
    tiled: Fit,
    /// The most rows of the last steps: how far the tiled model is known to hold.
    largest: f64,
}

/// Prompt rows that a step carries at least, however slow the machine is.
const LEAST_PROMPT_ROWS: usize = 8;
/// A step may have so many times the rows of the largest before it: the model is no more certain
/// than that.
const GROWTH: f64 = 4.0;

impl Pace {
    #[must_use]
    pub fn new(times: StepTimes) -> Self {
        Self {
            times,
            small: Fit::default(),
            tiled: Fit::default(),
            largest: TILE_ROWS as f64 / GROWTH,
        }
    }

    /// A step of so many rows took so long, with `cells` of the cache in use.
    pub fn note(&mut self, rows: usize, cells: usize, took: Duration) {
        if rows == 0 {
            return;
        }
        let fit = if rows < TILE_ROWS { &mut self.small } else { &mut self.tiled };
        fit.note(features(rows, cells), took.as_secs_f64() * 1e3);
        self.largest = (self.largest * Fit::KEEP).max(rows as f64).max(TILE_ROWS as f64 / GROWTH);
    }

    /// Rows that the next step should have, `answering` of them for answers that are being read; at
    /// most `most`.
    #[must_use]
    pub fn rows(&self, answering: usize, cells: usize, most: usize) -> usize {
        let known = (self.largest * GROWTH) as usize;
        let within = |limit: Duration| {
            let limit_ms = limit.as_secs_f64() * 1e3;
            let rows = (TILE_ROWS..=most.min(known)).rev().step_by(TILE_ROWS / 4);
            // Whole tiles, as far as there are any.
            rows.map(|rows| rows - rows % (TILE_ROWS / 4)).find(|&rows| {
                rows >= TILE_ROWS && self.tiled.ms(features(rows, cells + rows)) <= limit_ms
            })
        };
        if answering == 0 {
            let rows = within(self.times.unread).unwrap_or(TILE_ROWS);
            return if rows < most { rows - rows % TILE_ROWS } else { rows }.min(most);
        }
        let least = answering + LEAST_PROMPT_ROWS;
        let tile = TILE_ROWS.max(least).min(most);
        let tiled = within(self.times.gap)
            .or_else(|| within(self.times.longest_gap).map(|_| tile))
            // Nothing is known yet: try a tile and measure.
            .or_else(|| self.tiled.is_empty().then_some(tile));
        if let Some(rows) = tiled {
            return rows.max(tile);
        }
        let limit_ms = self.times.gap.as_secs_f64() * 1e3;
        let least = least.min(most);
        (least..tile)
            .rev()
            .find(|&rows| self.small.ms(features(rows, cells + rows)) <= limit_ms)
            .unwrap_or(least)
    }
}

/// What a step's time depends on: a constant, its rows, and its rows times the cells they attend
/// over.
fn features(rows: usize, cells: usize) -> [f64; 3] {
    let rows = rows as f64 / TILE_ROWS as f64;
    [1.0, rows, rows * cells as f64 / 1024.0]
}

/// Least squares with exponential forgetting. Where the steps were too alike to tell the three
/// causes apart, it stays near their usual proportion at the speed that was measured.
#[derive(Clone, Debug, Default)]
struct Fit {
    /// Sums of the features' products, of features times milliseconds, and of milliseconds.
    xx: [[f64; 3]; 3],
    xt: [f64; 3],
    weight: f64,
}

impl Fit {
    /// How much of the past each step keeps: an odd step, slowed down by something else, is soon
    /// forgotten.
    const KEEP: f64 = 0.95;
    /// The usual proportion of the three causes.
    const USUAL: [f64; 3] = [0.15, 1.0, 0.4];
    /// How strongly it stays near them.
    const RIDGE: f64 = 0.3;
    /// A step that took longer than so many times what was expected counts as that: something else
    /// ran meanwhile.
    const ODD: f64 = 3.0;

    fn is_empty(&self) -> bool {
        self.weight == 0.0
    }

    fn note(&mut self, x: [f64; 3], ms: f64) {
        let ms = if self.weight > 2.0 { ms.min(Self::ODD * self.ms(x)) } else { ms };
        for (i, xi) in x.into_iter().enumerate() {
            for (j, xj) in x.into_iter().enumerate() {
                self.xx[i][j] = self.xx[i][j] * Self::KEEP + xi * xj;
            }
            self.xt[i] = self.xt[i] * Self::KEEP + xi * ms;
        }
        self.weight = self.weight * Self::KEEP + 1.0;
    }

    /// Expected milliseconds; 0 before anything was measured.
    fn ms(&self, x: [f64; 3]) -> f64 {
        dot(self.causes(), x)
    }

    fn causes(&self) -> [f64; 3] {
        if self.is_empty() {
            return [0.0; 3];
        }
        // The first row of the sums is that of the constant: the features' and the times' own sums.
        let speed = self.xt[0] / dot(Self::USUAL, self.xx[0]);
        let usual = Self::USUAL.map(|cause| cause * speed);
        let rest = std::array::from_fn(|i| self.xt[i] - dot(self.xx[i], usual));
        let ridge = |i, j| if i == j { Self::RIDGE } else { 0.0 };
        let change = solve(
            std::array::from_fn(|i| std::array::from_fn(|j| self.xx[i][j] + ridge(i, j))),
            rest,
        );
        // None of the causes makes a step faster.
        std::array::from_fn(|i| (usual[i] + change[i]).max(0.0))
    }
}

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Solves a symmetric, positive definite system by Cramer's rule.
fn solve(rows: [[f64; 3]; 3], right: [f64; 3]) -> [f64; 3] {
    let [first, second, third] = rows;
    let minors = [cross(second, third), cross(third, first), cross(first, second)];
    let determinant = dot(first, minors[0]);
    minors.map(|minor| dot(right, minor) / determinant)
}

fn cross([a, b, c]: [f64; 3], [d, e, f]: [f64; 3]) -> [f64; 3] {
    [b * f - c * e, c * d - a * f, a * e - b * d]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn pace() -> Pace {
        Pace::new(StepTimes { gap: 60 * MS, longest_gap: 150 * MS, unread: 500 * MS })
    }

    /// A machine: its time for a step of so many rows over so many cells.
    type Machine = fn(f64, f64) -> f64;

    fn fast(rows: f64, cells: f64) -> f64 {
        if rows < 64.0 {
            5.0 + rows * (1.0 + cells / 1000.0)
        } else {
            5.0 + rows * (0.6 + cells / 4000.0)
        }
    }

    fn slow(rows: f64, cells: f64) -> f64 {
        10.0 * fast(rows, cells)
    }

    fn run(pace: &mut Pace, machine: Machine, rows: usize, cells: usize, times: usize) {
        for _ in 0..times {
            pace.note(
                rows,
                cells,
                Duration::from_secs_f64(machine(rows as f64, cells as f64) / 1e3),
            );
        }
    }

    #[test]
    fn whole_batches_where_nobody_reads() {
        let mut pace = pace();
        assert_eq!(pace.rows(0, 0, 512), 64, "nothing is known yet");
        run(&mut pace, fast, 64, 64, 1);
        assert_eq!(pace.rows(0, 64, 512), 256, "four times what is known");
        run(&mut pace, fast, 256, 320, 1);
        assert_eq!(pace.rows(0, 320, 512), 512);
        // Deep into a long prompt a step of 512 rows would take a second.
        for cells in (512..4096).step_by(256) {
            let rows = pace.rows(0, cells, 512);
            run(&mut pace, fast, rows, cells + rows, 1);
        }
        let rows = pace.rows(0, 4096, 512);
        assert!((192..=384).contains(&rows) && rows.is_multiple_of(64), "{rows}");
    }

    #[test]
    fn readers_bound_the_step() {
        let mut pace = pace();
        assert_eq!(pace.rows(8, 500, 512), 64, "a tile, to measure it");
        run(&mut pace, fast, 8, 500, 20);
        run(&mut pace, fast, 64, 500, 3);
        let rows = pace.rows(8, 500, 512);
        assert!((64..=80).contains(&rows), "60 ms are 73 rows, not {rows}");
        // 20 ms for each row: not even a tile is within reach, and a few rows are all that is.
        let mut pace = self::pace();
        run(&mut pace, slow, 8, 500, 20);
        run(&mut pace, slow, 64, 500, 3);
        assert_eq!(pace.rows(8, 500, 512), 16);
    }

    #[test]
    fn a_tile_may_take_a_little_longer() {
        let mut pace = pace();
        run(&mut pace, |rows, cells| 2.0 * fast(rows, cells), 64, 500, 10);
        assert_eq!(pace.rows(8, 500, 512), 64, "104 ms: over the target, below the limit");
    }

    #[test]
    fn one_odd_step_changes_little() {
        let mut pace = pace();
        run(&mut pace, fast, 128, 500, 20);
        let before = pace.rows(0, 500, 512);
        pace.note(128, 500, 5000 * MS);
        let after = pace.rows(0, 500, 512);
        assert!(after * 2 >= before, "{before} before, {after} after");
    }

    proptest! {
        #[test]
        fn a_step_is_never_over_the_batch_nor_without_prompt(
            steps in proptest::collection::vec((1usize..600, 0usize..20_000, 0u64..5_000_000), 0..60),
            answering in 0usize..256,
            cells in 0usize..20_000,
            most in 264usize..1024,
        ) {
            let mut pace = pace();
            for (rows, cells, micros) in steps {
                pace.note(rows, cells, Duration::from_micros(micros));
                let rows = pace.rows(answering, cells, most);
                prop_assert!(rows <= most && rows > answering);
            }
            prop_assert!(pace.rows(answering, cells, most) > answering);
        }
    }
}
