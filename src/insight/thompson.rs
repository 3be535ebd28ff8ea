//! Thompson sampling: how often each choice is the best one, given what was seen of it, and a split
//! that follows it. Pure; randomness is passed in.

use rand::Rng;

/// What was seen of one choice, as a gamma posterior of its rate: events in so much exposure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seen {
    pub events: f64,
    /// Impressions, or money spent.
    pub exposure: f64,
}

/// Events that the prior of a figure is worth, at the rate of all choices together: a choice
/// without events is not called hopeless.
pub const PRIOR: usize = 1;
/// The same where choices are compared. Rates of campaigns differ by half of their mean rather than
/// by all of it, and whoever doesn't know that calls a lucky one the best too soon.
pub const COMPARED: usize = 4;

impl Seen {
    /// Events for each unit of exposure; 0 where there was none.
    #[must_use]
    pub fn rate(&self) -> f64 {
        if self.exposure > 0.0 { self.events / self.exposure } else { 0.0 }
    }

    /// A rate as likely as what was seen makes it: gamma, with a prior of mean `rate` that is worth
    /// `prior` events, at least one.
    pub fn draw(&self, rate: f64, prior: usize, random: &mut impl Rng) -> f64 {
        let prior = prior.max(1) as f64;
        let exposure = if rate > 0.0 { prior / rate } else { 1.0 };
        gamma(self.events + prior, random) / (self.exposure + exposure)
    }
}

/// The rate of all choices together.
#[must_use]
pub fn common(seen: &[Seen]) -> f64 {
    let (events, exposure) =
        seen.iter().fold((0.0, 0.0), |(a, b), seen| (a + seen.events, b + seen.exposure));
    if exposure > 0.0 { events / exposure } else { 0.0 }
}

/// How often each choice has the highest rate, over so many draws.
pub fn best(seen: &[Seen], draws: usize, random: &mut impl Rng) -> Vec<f64> {
    let rate = common(seen);
    let mut wins = vec![0.0; seen.len()];
    for _ in 0..draws {
        if let Some(winner) = winner(seen, rate, random) {
            wins[winner] += 1.0;
        }
    }
    wins.into_iter().map(|wins| wins / draws.max(1) as f64).collect()
}

/// The shares that each choice gets: in proportion to the square of its chance to be the best.
/// Shares as large as the chances (Thompson, 1933) keep exploring what a few weeks don't pay back;
/// Chapelle and Li (2011) explore less by narrowing the draws, this by raising the chances to a
/// power.
#[must_use]
pub fn shares(chances: &[f64]) -> Vec<f64> {
    let sum: f64 = chances.iter().map(|chance| chance * chance).sum();
    let share =
        |chance: &f64| if sum > 0.0 { chance * chance / sum } else { 1.0 / chances.len() as f64 };
    chances.iter().map(share).collect()
}

/// The choice that one draw prefers.
pub fn winner(seen: &[Seen], rate: f64, random: &mut impl Rng) -> Option<usize> {
    let drawn = seen.iter().map(|seen| seen.draw(rate, COMPARED, random)).enumerate();
    drawn.max_by(|a, b| a.1.total_cmp(&b.1)).map(|(at, _)| at)
}

/// A split that goes towards `wanted`: nobody gets less than `floor`, and no share moves by more
/// than `step`. All are shares that sum to 1; a floor that doesn't fit so many choices, or one that
/// a step doesn't reach, is lowered.
#[must_use]
pub fn moved(now: &[f64], wanted: &[f64], floor: f64, step: f64) -> Vec<f64> {
    let count = now.len().max(1) as f64;
    // What a share has at least: the step goes before the floor.
    let least = |share: f64, floor: f64| (share - step).max(floor.min(share + step));
    let fits = |floor: f64| now.iter().map(|share| least(*share, floor)).sum::<f64>() <= 1.0;
    let mut floor = floor.min(1.0 / count);
    if !fits(floor) {
        // One large share can't give all others their floor within a step: the highest floor that
        // fits.
        let (mut low, mut high) = (0.0, floor);
        for _ in 0..60 {
            let middle = f64::midpoint(low, high);
            if fits(middle) { low = middle } else { high = middle }
        }
        floor = low;
    }
    let bounds = |at: usize| (least(now[at], floor), (now[at] + step).min(1.0));
    // The shares nearest to what is wanted within the bounds: all are shifted alike until they sum
    // to 1.
    let at_shift = |shift: f64| -> Vec<f64> {
        (0..now.len()).map(|at| (wanted[at] + shift).clamp(bounds(at).0, bounds(at).1)).collect()
    };
    let (mut low, mut high) = (-2.0, 2.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if at_shift(middle).iter().sum::<f64>() < 1.0 { low = middle } else { high = middle }
    }
    at_shift(f64::midpoint(low, high))
}

/// A gamma variate of scale 1 (Marsaglia and Tsang, 2000); `shape` at least 1.
fn gamma(shape: f64, random: &mut impl Rng) -> f64 {
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let normal = normal(random);
        let v = (1.0 + c * normal).powi(3);
        if v > 0.0
            && (1.0 - random.random::<f64>()).ln() < 0.5 * normal * normal + d - d * v + d * v.ln()
        {
            return d * v;
        }
    }
}

/// A standard normal variate (Box and Muller, 1958).
fn normal(random: &mut impl Rng) -> f64 {
    let radius = (-2.0 * (1.0 - random.random::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * random.random::<f64>()).cos()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    #[test]
    fn draws_have_the_posterior_s_mean_and_the_better_choice_wins() {
        let mut random = StdRng::seed_from_u64(1);
        let seen = Seen { events: 30.0, exposure: 1_000.0 };
        let mean = (0..20_000).map(|_| seen.draw(0.03, PRIOR, &mut random)).sum::<f64>() / 20_000.0;
        assert!((mean - 0.03).abs() < 0.0005, "{mean}");
        let other = Seen { events: 15.0, exposure: 1_000.0 };
        let wins = best(&[other, seen, other], 4_000, &mut random);
        assert!(wins[1] > 0.95 && (wins.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{wins:?}");
    }

    #[test]
    fn shares_lean_to_the_likelier_choice_and_sum_to_one() {
        let found = shares(&[0.6, 0.2, 0.2]);
        assert!(
            (found[0] - 9.0 / 11.0).abs() < 1e-9 && (found.iter().sum::<f64>() - 1.0).abs() < 1e-9,
            "{found:?}"
        );
        assert_eq!(shares(&[0.5, 0.5]), [0.5, 0.5]);
        assert_eq!(shares(&[0.0, 0.0]), [0.5, 0.5]);
    }

    #[test]
    fn a_split_keeps_its_floor_and_its_largest_step() {
        let close = |found: Vec<f64>, wanted: &[f64]| {
            assert!(
                found.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-6),
                "{found:?} beside {wanted:?}"
            );
        };
        close(moved(&[0.5, 0.5], &[1.0, 0.0], 0.1, 0.2), &[0.7, 0.3]);
        close(moved(&[0.85, 0.15], &[1.0, 0.0], 0.1, 0.2), &[0.9, 0.1]);
        close(moved(&[0.25; 4], &[0.25; 4], 0.1, 0.2), &[0.25; 4]);
        // A share that is below the floor comes up by the step at most.
        close(moved(&[1.0, 0.0], &[1.0, 0.0], 0.3, 0.2), &[0.8, 0.2]);
        // The one that has all gives up a step at most, so the others come up together.
        close(moved(&[1.0, 0.0, 0.0], &[1.0, 0.0, 0.0], 0.3, 0.2), &[0.8, 0.1, 0.1]);
        close(moved(&[1.0], &[1.0], 0.1, 0.2), &[1.0]);
        assert!(moved(&[], &[], 0.1, 0.2).is_empty());
    }
}
