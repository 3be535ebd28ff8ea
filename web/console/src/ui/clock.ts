// The time, for everything that says how long ago: one timer for all of them.

import { Cell, useCell } from '../cell';

class Clock extends Cell {
  now = Date.now();
}

const clock = new Clock();
setInterval(() => {
  clock.now = Date.now();
  clock.changed();
}, 15_000);

/** The time, at most 15 seconds old. */
export const useNow = (): number => useCell(clock, () => clock.now);
