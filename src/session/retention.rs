//! Whether the wall clock can be trusted enough to erase by it. A clock that was set wrong, by a
//! person or by a machine without a battery, must not cost conversations. Pure.

/// Wall clock and passed time may drift apart by so much between two looks: a slow clock, a
/// correction after sleep.
const TOLERANCE_MS: u64 = 2 * 3_600_000;
/// So long after a jump nothing is erased: time for somebody to see it in the log and set the clock
/// right.
const HOLD_MS: u64 = 24 * 3_600_000;
/// A clock this far ahead of everything that is stored has jumped while no server ran, or nobody
/// came for that long.
const SILENCE_MS: u64 = 30 * 86_400_000;

/// A look at both clocks, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// The wall clock.
    pub now_ms: u64,
    /// Passed time, by a clock that nobody sets.
    pub elapsed_ms: u64,
}

/// Why nothing is erased now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Held {
    #[error(
        "the system's clock jumped by {} h against the time that passed; nothing is erased for another {} h, unless the server is \
         restarted with the clock set right",
        jumped_ms / 3_600_000, left_ms.div_ceil(3_600_000)
    )]
    Jumped { jumped_ms: u64, left_ms: u64 },
    #[error(
        "the system's clock is {} days after the last thing that is stored, as if it had been set wrong; if it is right, nothing is \
         lost: erasing begins when the server has run for another {} h",
        ahead_ms / 86_400_000, left_ms.div_ceil(3_600_000)
    )]
    FarAhead { ahead_ms: u64, left_ms: u64 },
}

/// Compares looks.
#[derive(Clone, Copy, Debug)]
pub struct Watch {
    last: Look,
    /// Why, and until when by passed time.
    held: Option<(Held, u64)>,
}

impl Watch {
    /// Begins with a look at the start, and when something was stored last, if anything was.
    #[must_use]
    pub fn new(first: Look, newest_ms: Option<u64>) -> Self {
        let ahead_ms = newest_ms.map_or(0, |newest_ms| first.now_ms.saturating_sub(newest_ms));
        let held = (ahead_ms > SILENCE_MS).then_some((
            Held::FarAhead { ahead_ms, left_ms: HOLD_MS },
            first.elapsed_ms.saturating_add(HOLD_MS),
        ));
        Self { last: first, held }
    }

    /// Takes up another look.
    ///
    /// # Errors
    /// [`Held`] while nothing is to be erased.
    pub fn look(&mut self, look: Look) -> Result<(), Held> {
        let passed_ms = look.elapsed_ms.saturating_sub(self.last.elapsed_ms);
        let expected_ms = self.last.now_ms.saturating_add(passed_ms);
        let jumped_ms = look.now_ms.abs_diff(expected_ms);
        self.last = look;
        if jumped_ms > TOLERANCE_MS {
            let until_ms = look.elapsed_ms.saturating_add(HOLD_MS);
            self.held = Some((Held::Jumped { jumped_ms, left_ms: HOLD_MS }, until_ms));
        }
        match self.held {
            Some((held, until_ms)) if look.elapsed_ms < until_ms => {
                let left_ms = until_ms - look.elapsed_ms;
                Err(match held {
                    Held::Jumped { jumped_ms, .. } => Held::Jumped { jumped_ms, left_ms },
                    Held::FarAhead { ahead_ms, .. } => Held::FarAhead { ahead_ms, left_ms },
                })
            }
            _ => {
                self.held = None;
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: u64 = 3_600_000;
    const START_MS: u64 = 1_700_000_000_000;

    fn watch(newest_ms: Option<u64>) -> Watch {
        Watch::new(Look { now_ms: START_MS, elapsed_ms: 0 }, newest_ms)
    }

    /// Hours by the wall clock and hours passed since the start → what is said.
    #[track_caller]
    fn check(watch: &mut Watch, wall_h: i64, passed_h: u64, expected: &str) {
        let now_ms = START_MS.saturating_add_signed(wall_h * 3_600_000);
        let said = watch.look(Look { now_ms, elapsed_ms: passed_h * HOUR_MS });
        let said = said.map_or_else(|held| held.to_string(), |()| "ok".into());
        assert!(said.starts_with(expected), "{said}");
    }

    #[test]
    fn a_jump_holds_erasing_for_a_day_and_slow_drift_does_not() {
        let mut watch = watch(Some(START_MS - 1));
        check(&mut watch, 1, 1, "ok");
        check(&mut watch, 3, 2, "ok");
        check(&mut watch, 9_000, 3, "the system's clock jumped by 8996 h");
        check(&mut watch, 9_010, 13, "the system's clock jumped by 8996 h");
        // Set right again: another jump, seen as one.
        check(&mut watch, 14, 14, "the system's clock jumped by 8997 h");
        check(&mut watch, 37, 37, "the system's clock");
        check(&mut watch, 38, 38, "ok");
        // Back in time is a jump, too.
        check(&mut watch, -1_000, 39, "the system's clock jumped");
    }

    #[test]
    fn a_clock_far_ahead_of_what_is_stored_is_waited_for() {
        check(&mut watch(None), 1, 1, "ok");
        check(&mut watch(Some(START_MS - 29 * 24 * HOUR_MS)), 1, 1, "ok");
        let mut far = watch(Some(START_MS - 400 * 24 * HOUR_MS));
        check(&mut far, 1, 1, "the system's clock is 400 days after the last thing");
        check(&mut far, 24, 24, "ok");
    }
}
