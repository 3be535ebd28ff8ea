//! How demand may go on: the level of late, smoothed, times the usual share of the weekday. Its error is measured on days it had not seen,
//! beside that of the seasonal naive forecast (as a week before), and whichever was better is shown.

use serde::Serialize;

/// A forecast and how good such forecasts were.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Forecast {
    /// What was, a value for each day up to the last.
    pub history: Vec<f64>,
    /// The first day that is forecast.
    pub begins_ms: u64,
    /// The days to come, with the interval that held 80% of the errors.
    pub days: Vec<[f64; 3]>,
    pub method: &'static str,
    /// Mean absolute error per day over the last `TESTED` days, each forecast up to a week ahead from what was known before; of the method and of the
    /// seasonal naive one.
    pub error: f64,
    pub naive_error: f64,
}

/// Days of history that count.
pub const MAX_DAYS: usize = 730;
const WEEK: usize = 7;
const HORIZON: usize = 14;
/// Days that forecasts are tested on, and needed before.
const TESTED: usize = 14;
const MIN_DAYS: usize = TESTED + 2 * WEEK;
/// Smoothing factors that are tried for the level.
const FACTORS: [f64; 5] = [0.05, 0.1, 0.2, 0.35, 0.6];

/// The forecast from daily counts; `None` for less than four weeks.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "days")]
pub fn forecast(days: &[f64], begins_ms: u64) -> Option<Forecast> {
    if days.len() < MIN_DAYS || days.iter().all(|day| *day == 0.0) {
        return None;
    }
    let test = |predict: &dyn Fn(&[f64], usize) -> Vec<f64>| {
        let mut errors = Vec::new();
        for origin in (days.len() - TESTED..days.len()).step_by(WEEK) {
            let ahead = predict(&days[..origin], WEEK);
            errors.extend(ahead.iter().zip(&days[origin..]).map(|(forecast, day)| (forecast - day).abs()));
        }
        errors
    };
    // The factor is chosen on the weeks before the tested ones, or the test would not be one.
    let factor = best_factor(&days[..days.len() - TESTED]);
    let smooth = |known: &[f64], ahead: usize| smoothed(known, ahead, factor);
    let mean = |errors: &[f64]| errors.iter().sum::<f64>() / errors.len().max(1) as f64;
    let (own, naive) = (test(&smooth), test(&as_last_week));
    let better = mean(&own) <= mean(&naive);
    let (ahead, mut errors, method) = if better {
        (smooth(days, HORIZON), own.clone(), "smoothed level times weekday")
    } else {
        (as_last_week(days, HORIZON), naive.clone(), "as a week before")
    };
    errors.sort_by(f64::total_cmp);
    let wide = errors.get(errors.len() * 4 / 5).copied().unwrap_or_default();
    Some(Forecast {
        history: days.to_vec(),
        begins_ms,
        days: ahead.into_iter().map(|day| [day, (day - wide).max(0.0), day + wide]).collect(),
        method,
        error: mean(&errors),
        naive_error: mean(&naive),
    })
}

fn as_last_week(known: &[f64], ahead: usize) -> Vec<f64> {
    (0..ahead).map(|day| known[known.len() - WEEK + day % WEEK]).collect()
}

/// Simple exponential smoothing of the days with the weekday taken out, times the weekday again.
#[expect(clippy::cast_precision_loss, reason = "days")]
fn smoothed(known: &[f64], ahead: usize, factor: f64) -> Vec<f64> {
    let mean = known.iter().sum::<f64>() / known.len().max(1) as f64;
    let share = |weekday: usize| {
        let same: Vec<f64> = known.iter().skip(weekday).step_by(WEEK).copied().collect();
        // Drawn to 1 by four weeks' worth: few weeks tell little.
        let sum = same.iter().sum::<f64>() + 4.0 * mean;
        if mean > 0.0 { sum / (same.len() as f64 + 4.0) / mean } else { 1.0 }
    };
    let shares: Vec<f64> = (0..WEEK).map(share).collect();
    let mut level = mean;
    for (day, count) in known.iter().enumerate() {
        level += factor * (count / shares[day % WEEK].max(0.1) - level);
    }
    (0..ahead).map(|day| (level * shares[(known.len() + day) % WEEK]).max(0.0)).collect()
}

fn best_factor(known: &[f64]) -> f64 {
    let error = |factor: f64| {
        let origins = (WEEK..known.len().saturating_sub(WEEK) + 1).step_by(WEEK);
        origins
            .map(|origin| {
                let ahead = smoothed(&known[..origin], WEEK, factor);
                ahead.iter().zip(&known[origin..]).map(|(forecast, day)| (forecast - day).abs()).sum::<f64>()
            })
            .sum::<f64>()
    };
    FACTORS.into_iter().min_by(|a, b| error(*a).total_cmp(&error(*b))).unwrap_or(0.2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weekly_pattern_is_carried_on_and_noise_is_smoothed() {
        let pattern = [10.0, 12.0, 11.0, 10.0, 14.0, 3.0, 2.0];
        let regular: Vec<f64> = (0..56).map(|day| pattern[day % 7]).collect();
        let found = forecast(&regular, 0).unwrap();
        assert!(found.naive_error == 0.0 && found.method == "as a week before");
        assert_eq!(found.days.iter().take(7).map(|day| day[0]).collect::<Vec<_>>(), pattern);
        // Alternating noise on a level: repeating it is worse than the level.
        let noisy: Vec<f64> = (0..56).map(|day| if (day * 7919) % 13 < 6 { 4.0 } else { 8.0 }).collect();
        let found = forecast(&noisy, 0).unwrap();
        assert!(found.error <= found.naive_error, "{found:?}");
        assert!(found.days.iter().all(|[day, low, high]| low <= day && day <= high && *low >= 0.0));
    }

    #[test]
    fn little_is_no_forecast() {
        assert_eq!(forecast(&[1.0; 27], 0), None);
        assert_eq!(forecast(&[0.0; 60], 0), None);
        assert!(forecast(&[1.0; 28], 0).is_some());
    }
}
