// Plots as SVG. Every one comes in a figure with a heading, a sentence that says what is seen, and
// its data as a table.

import { h, s, tip } from './dom';
import type { Demand, DemandLine, Rate } from './types';
import { fixed, monthAndYear, named, number, percent, say, shortDay, weekdayAndDay } from './words';

export interface Cell { text: string; open?: () => void }
export interface Figure {
  id: string; title: string; says: string; wide?: boolean; plot: Element | null; head: string[]; rows: (string | Cell)[][];
  /** Under the plot. */
  legend?: Element | null;
  /** What stands where there is no plot. */
  empty?: (Node | string)[];
}

export function figure(f: Figure): HTMLElement {
  const cell = (value: string | Cell) => {
    if (typeof value === 'string') return h('td', {}, value);
    const { text, open } = value;
    return h('td', {}, open ? h('button', { type: 'button', class: 'link', click: open }, text) : text);
  };
  const table = h('table', {},
    h('thead', {}, h('tr', {}, ...f.head.map((name) => h('th', { scope: 'col' }, name)))),
    h('tbody', {}, ...f.rows.map((row) => h('tr', {}, ...row.map(cell)))));
  return h('figure', { id: f.id, class: f.wide ? 'wide' : '', 'aria-labelledby': `${f.id}-title` },
    h('figcaption', {}, h('h2', { id: `${f.id}-title` }, f.title), h('p', {}, f.says)),
    f.plot ?? h('p', { class: 'empty' }, ...(f.empty ?? [say('nothing')])),
    f.plot ? f.legend : null,
    f.rows.length > 0 && h('details', { 'data-figure': f.id }, h('summary', {}, say('table')), h('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': say('as_table', { name: f.title }) }, table)));
}

export function legend(names: [string, string][]): HTMLElement {
  return h('ul', { class: 'legend' }, ...names.map(([name, colour]) => h('li', {}, h('span', { class: `dot ${colour}` }), name)));
}

/** Width of a plot in its own units: the place it has, so that its text is as large as the page's, and no more than suits a wide page. */
let W = 560;
/** From here on names stand above what they name. */
const narrow = (): boolean => W < 460;

/** Plots that are drawn from now on have so many pixels; true if that is another width than before. */
export function fit(pixels: number): boolean {
  const width = Math.round(Math.min(560, Math.max(260, pixels)));
  const changed = width !== W;
  W = width;
  return changed;
}

function frame(height: number, label: string, ...children: (Element | null)[]): SVGSVGElement {
  return s('svg', { viewBox: `0 0 ${W} ${height}`, role: 'group', 'aria-label': label, class: 'plot' }, ...children);
}

/** Dates of an axis: with the year where days of several are shown. */
function dating(first: number, last: number): (ms: number) => string {
  return new Date(first).getUTCFullYear() === new Date(last).getUTCFullYear() ? shortDay : monthAndYear;
}

/** A round step for about `count` ticks up to `most`. */
export function ticks(most: number, count = 4): number[] {
  if (!(most > 0)) return [0, 1];
  const raw = most / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= raw) ?? raw;
  return Array.from({ length: Math.ceil(most / step - 1e-9) + 1 }, (_, n) => n * step);
}

const line = (points: [number, number][]): string => points.map(([x, y], i) => `${i ? 'L' : 'M'}${x.toFixed(1)} ${y.toFixed(1)}`).join('');

function axes(box: Box, xs: [number, string][], ys: [number, string][], xName = '', yName = ''): SVGGElement {
  const { left, right, top, bottom } = box;
  return s('g', { class: 'axes', 'aria-hidden': true },
    ...ys.map(([y, text]) => s('g', {},
      s('line', { x1: left, x2: right, y1: y, y2: y, class: 'grid' }),
      s('text', { x: left - 8, y: y + 4, 'text-anchor': 'end' }, text))),
    ...xs.map(([x, text]) => s('text', { x, y: bottom + 18, 'text-anchor': 'middle' }, text)),
    xName ? s('text', { x: (left + right) / 2, y: bottom + 36, 'text-anchor': 'middle', class: 'name' }, xName) : null,
    yName ? s('text', { transform: `translate(12 ${(top + bottom) / 2}) rotate(-90)`, 'text-anchor': 'middle', class: 'name' }, yName) : null);
}

interface Box { left: number; right: number; top: number; bottom: number }

/** Something that can be opened by click and by key. */
function opens<T extends Element>(element: T, text: string, open?: () => void): T {
  tip(element, text);
  if (open) {
    element.setAttribute('tabindex', '0');
    element.setAttribute('role', 'button');
    element.classList.add('opens');
    element.addEventListener('click', open);
    element.addEventListener('keydown', (event) => {
      if ((event as KeyboardEvent).key === 'Enter') open();
    });
  } else {
    element.setAttribute('role', 'img');
  }
  return element;
}

/** A name in so many pixels, cut where it is longer; a character of unspaced script is about twice as wide as a letter. */
export function cut(name: string, pixels: number): string {
  const width = (letter: string) => (/[\u2e80-\uffef]/.test(letter) ? 13.5 : 7.2);
  let used = 0;
  for (const [at, letter] of [...name].entries()) {
    used += width(letter);
    if (used > pixels) return `${[...name].slice(0, Math.max(1, at - 1)).join('').trimEnd()}…`;
  }
  return name;
}

/** Stages as bars that narrow. */
export function funnel(stages: { name: string; sessions: number }[], open: (name: string) => void): Element | null {
  const most = stages[0]?.sessions ?? 0;
  if (most === 0) return null;
  const [row, left] = narrow() ? [76, 0] : [58, 200];
  const down = narrow() ? 26 : 0;
  const room = W - left - (narrow() ? 0 : 20);
  const width = (n: number) => Math.max(2, (n / most) * room);
  return frame(stages.length * row, say('funnel'), ...stages.map((stage, i) => {
    const y = i * row;
    const x = left + (room - width(stage.sessions)) / 2;
    const before = stages[i - 1]?.sessions;
    const share = before !== undefined ? say('of_all', { share: percent(stage.sessions / most) }) : '';
    const next = stages[i + 1];
    const middle = left + room / 2;
    const top = y + 6 + down;
    return s('g', {},
      s('text', { x: 0, y: y + 20, class: 'strong' }, named(stage.name)),
      s('text', { x: narrow() ? W : 0, y: y + (narrow() ? 20 : 38), 'text-anchor': narrow() ? 'end' : 'start', class: 'soft' }, `${number(stage.sessions)}${before !== undefined ? ` · ${percent(stage.sessions / most)}` : ''}`),
      next && !narrow() ? s('path', {
        class: 'between',
        d: `M${x} ${y + 40}L${x + width(stage.sessions)} ${y + 40}L${middle + width(next.sessions) / 2} ${y + row + 6}L${middle - width(next.sessions) / 2} ${y + row + 6}Z`,
      }) : null,
      opens(s('rect', { x, y: top, width: width(stage.sessions), height: 34, rx: 6, class: 'c0', 'fill-opacity': 1 - 0.17 * i }),
        say('stage_text', { name: named(stage.name), n: stage.sessions, share }), () => open(stage.name)));
  }));
}

/** Stacked columns over time, one a step; what is the same in all of them opens as one. */
export function columns(steps: { at_ms: number; values: number[] }[], names: string[], colours: string[], open: (at: number) => void): Element | null {
  if (steps.length === 0 || names.length === 0) return null;
  const box = { left: 44, right: W - 8, top: 12, bottom: 222 };
  const sums = steps.map((step) => step.values.reduce((a, b) => a + b, 0));
  const marks = ticks(Math.max(...sums, 1));
  const most = marks.at(-1) ?? 1;
  const slot = (box.right - box.left) / steps.length;
  const half = Math.min(20, Math.max(0.8, slot * 0.4));
  const x = (i: number) => box.left + slot * (i + 0.5);
  const y = (value: number) => box.bottom - (value / most) * (box.bottom - box.top);
  const below = steps.map(() => 0);
  const layers = names.map((name, at) => {
    const pieces = steps.map((step, i) => {
      const [low, high] = [y(below[i]!), y(below[i]! + (step.values[at] ?? 0))];
      below[i] = below[i]! + (step.values[at] ?? 0);
      // The one on top has its corners rounded.
      const r = step.values.slice(at + 1).some((value) => value > 0) ? 0 : Math.min(3, half, low - high);
      if (low - high < 0.05) return '';
      const [left, right] = [x(i) - half, x(i) + half].map((value) => value.toFixed(1));
      return `M${left} ${low.toFixed(1)}V${(high + r).toFixed(1)}q0 ${-r} ${r} ${-r}H${(x(i) + half - r).toFixed(1)}q${r} 0 ${r} ${r}V${low.toFixed(1)}H${right}Z`;
    });
    const sum = steps.reduce((all, step) => all + (step.values[at] ?? 0), 0);
    return opens(s('path', { d: pieces.join(''), class: `layer ${colours[at]}` }), say('layer', { name, n: sum }), () => open(at));
  });
  const every = Math.max(1, Math.ceil(steps.length / Math.floor(W / 90)));
  const date = dating(steps[0]!.at_ms, steps.at(-1)!.at_ms);
  const dates = steps.map((step, i) => [x(i), date(step.at_ms)] as [number, string]).filter((_, i) => i % every === 0);
  return frame(248, say('intents_plot'), axes(box, dates, marks.map((mark) => [y(mark), number(mark)])), ...layers);
}

export interface Dot { x: number; hit: boolean; text: string; open: () => void }

/** Outcomes by score: each conversation a point, at the top if it came to a purchase; the line is what really came in groups of equal size. */
export function scatter(dots: Dot[], bins: { mean: number; converted: Rate }[], seed = 7): Element | null {
  if (dots.length === 0) return null;
  const box = { left: 52, right: W - 12, top: 14, bottom: 262 };
  const x = (score: number) => box.left + score * (box.right - box.left);
  const y = (rate: number) => box.bottom - 34 - rate * (box.bottom - box.top - 68);
  // Points of one outcome would lie on one line; they are spread a little, always in the same way.
  let state = seed;
  const spread = () => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return (state / 2147483648 - 0.5) * 44;
  };
  const shares = [0, 0.25, 0.5, 0.75, 1];
  const curve = bins.map((bin) => [x(bin.mean), y(bin.converted.rate)] as [number, number]);
  const band = [...bins.map((bin) => [x(bin.mean), y(bin.converted.high)] as [number, number]),
    ...bins.map((bin) => [x(bin.mean), y(bin.converted.low)] as [number, number]).reverse()];
  const points = dots.map((dot) => {
    const point = s('circle', { cx: x(dot.x), cy: y(dot.hit ? 1 : 0) + spread(), r: 3, class: `point opens ${dot.hit ? 'c0' : 'c3'}` });
    tip(point, dot.text);
    point.setAttribute('role', 'img');
    point.addEventListener('click', dot.open);
    return point;
  });
  return frame(302, say('scatter_plot'),
    axes(box, shares.map((share) => [x(share), percent(share)]), shares.map((share) => [y(share), percent(share)]), say('predicted_intent'), say('purchases')),
    ...points,
    band.length > 2 ? s('path', { d: `${line(band)}Z`, class: 'band' }) : null,
    s('path', { d: line([[x(0), y(0)], [x(1), y(1)]]), class: 'diagonal' }),
    s('path', { d: line(curve), class: 'curve' }),
    ...curve.map(([cx, cy], i) => {
      const bin = bins[i]!;
      return opens(s('circle', { cx, cy, r: 5, class: 'knot' }),
        say('knot', { mean: percent(bin.mean), rate: percent(bin.converted.rate), of: bin.converted.of, low: percent(bin.converted.low), high: percent(bin.converted.high) }));
    }));
}

export function roc(points: [number, number][], area: number): Element | null {
  if (points.length < 2) return null;
  const box = { left: 52, right: narrow() ? W - 12 : 312, top: 12, bottom: 262 };
  // Below the curve there is room where none is beside it.
  const words = narrow() ? { x: W - 24, 'text-anchor': 'end' } : { x: 340 };
  const high = narrow() ? 196 : 120;
  const x = (share: number) => box.left + share * (box.right - box.left);
  const y = (share: number) => box.bottom - share * (box.bottom - box.top);
  const curve = points.map(([fp, tp]) => [x(fp), y(tp)] as [number, number]);
  const shares = [0, 0.5, 1];
  const plot = frame(302, say('roc_plot', { area: fixed(area, 3) }),
    axes(box, shares.map((share) => [x(share), percent(share)]), shares.map((share) => [y(share), percent(share)]), say('false_alarms'), say('found')),
    s('path', { d: `${line(curve)}L${x(1)} ${y(0)}L${x(0)} ${y(0)}Z`, class: 'under' }),
    s('path', { d: line([[x(0), y(0)], [x(1), y(1)]]), class: 'diagonal' }),
    s('path', { d: line(curve), class: 'curve' }),
    s('text', { ...words, y: high, class: 'big' }, fixed(area, 3)),
    s('text', { ...words, y: high + 26, class: 'soft' }, say('area')),
    s('text', { ...words, y: high + 46, class: 'soft' }, say('area_scale')));
  return plot;
}

export function calibration(bins: { mean: number; converted: Rate }[]): Element | null {
  if (bins.length === 0) return null;
  const box = { left: 52, right: W - 12, top: 12, bottom: 232 };
  const x = (share: number) => box.left + share * (box.right - box.left);
  const y = (share: number) => box.bottom - share * (box.bottom - box.top);
  const shares = [0, 0.25, 0.5, 0.75, 1];
  return frame(276, say('calibration_plot'),
    axes(box, shares.map((share) => [x(share), percent(share)]), shares.map((share) => [y(share), percent(share)]), say('predicted'), say('came_true')),
    s('path', { d: line([[x(0), y(0)], [x(1), y(1)]]), class: 'diagonal' }),
    ...bins.map((bin) => {
      const at = x(bin.mean);
      return opens(s('g', { class: 'whisker' },
        s('line', { x1: at, x2: at, y1: y(bin.converted.low), y2: y(bin.converted.high) }),
        s('circle', { cx: at, cy: y(bin.converted.rate), r: 5 })),
      say('bin', { mean: percent(bin.mean), rate: percent(bin.converted.rate), of: bin.converted.of }));
    }));
}

export interface Bar {
  name: string; value: number; text: string; colour?: string; open?: () => void;
  /** A second, thinner bar below it, on the same scale. */
  second?: { value: number; text: string; colour: string };
}

export function bars(list: Bar[], label: string): Element | null {
  if (list.length === 0) return null;
  const double = list.some((bar) => bar.second);
  const most = Math.max(...list.flatMap((bar) => [bar.value, bar.second?.value ?? 0]), 1e-9);
  // Names stand beside the bars, or above them where that leaves no room.
  const [left, down] = narrow() ? [0, 22] : [220, 0];
  const row = down + (double ? 50 : 30);
  const room = Math.max(60, W - left - 150);
  const width = (value: number) => Math.max(2, (value / most) * room);
  return frame(list.length * row + 4, label, ...list.map((bar, i) => {
    const y = i * row + down;
    const { second } = bar;
    return s('g', {},
      s('text', { x: 0, y: i * row + (down ? 18 : 20) }, cut(bar.name, narrow() ? W : left - 10)),
      opens(s('rect', { x: left, y: y + 5, width: width(bar.value), height: 20, rx: 4, class: bar.colour ?? 'c0' }), `${bar.name}: ${bar.text}`, bar.open),
      s('text', { x: left + width(bar.value) + 8, y: y + 20, class: 'soft' }, bar.text),
      second ? s('rect', { x: left, y: y + 28, width: width(second.value), height: 12, rx: 3, class: second.colour }) : null,
      second ? s('text', { x: left + width(second.value) + 8, y: y + 39, class: 'soft' }, second.text) : null);
  }));
}

/** Rates with their intervals, one a row. */
export function rates(list: { name: string; rate: Rate; open?: () => void }[], label: string): Element | null {
  const known = list.filter((item) => item.rate.of > 0);
  if (known.length === 0) return null;
  const row = 50;
  const most = Math.max(...known.map((item) => item.rate.high), 0.05);
  const x = (share: number) => 8 + (share / most) * (W - 80);
  return frame(known.length * row, label, ...known.map((item, i) => {
    const y = i * row + 32;
    return s('g', {},
      s('text', { x: 0, y: y - 16 }, cut(item.name, W)),
      s('line', { x1: x(0), x2: x(most), y1: y, y2: y, class: 'track' }),
      opens(s('g', { class: 'whisker' },
        s('line', { x1: x(item.rate.low), x2: x(item.rate.high), y1: y, y2: y }),
        s('circle', { cx: x(item.rate.rate), cy: y, r: 6 })),
      say('rate_text', { name: item.name, rate: percent(item.rate.rate, 1), of: item.rate.of, low: percent(item.rate.low, 1), high: percent(item.rate.high, 1) }), item.open),
      s('text', { x: W - 4, y: y + 4, 'text-anchor': 'end', class: 'strong' }, percent(item.rate.rate)));
  }));
}

/** The last six weeks and what is expected, with both bands. */
export function forecast(of: DemandLine, name: string): Element | null {
  const width = Math.min(W, 360);
  const { days } = of;
  const shown = of.history.slice(-42);
  const box = { left: 40, right: width - 8, top: 10, bottom: 122 };
  const count = shown.length + days.length;
  const marks = ticks(Math.max(...shown, ...days.map(({ band95 }) => band95[1]), 1), 3);
  const most = marks.at(-1) ?? 1;
  const x = (i: number) => box.left + (i / (count - 1)) * (box.right - box.left);
  const y = (value: number) => box.bottom - (value / most) * (box.bottom - box.top);
  const past = shown.map((value, i) => [x(i), y(value)] as [number, number]);
  const ahead = days.map(({ expected }, i) => [x(shown.length + i), y(expected)] as [number, number]);
  const between = (band: 'band80' | 'band95') => [...days.map((day, i) => [x(shown.length + i), y(day[band][1])] as [number, number]),
    ...days.map((day, i) => [x(shown.length + i), y(day[band][0])] as [number, number]).reverse()];
  const begins = Date.parse(days[0]?.date ?? '');
  const at = (i: number) => begins + (i - shown.length) * 86_400_000;
  const date = dating(at(0), at(shown.length));
  const dates = [0, Math.floor(shown.length / 2), shown.length].map((i) => [x(i), date(at(i))] as [number, string]);
  return s('svg', { viewBox: `0 0 ${width} 148`, role: 'img', 'aria-label': say('forecast_of', { name }), class: 'plot' },
    axes(box, dates, marks.map((mark) => [y(mark), number(mark)])),
    s('path', { d: `${line(between('band95'))}Z`, class: 'band outer' }),
    s('path', { d: `${line(between('band80'))}Z`, class: 'band' }),
    s('path', { d: line(past), class: 'past' }),
    s('path', { d: line([past.at(-1)!, ...ahead]), class: 'ahead' }));
}

/** Conversations by day and hour: the darker, the more. */
export function hours(days: Demand['hours'], name: string): Element | null {
  if (days.length === 0) return null;
  const box = { left: 92, right: W - 4, top: 4 };
  const wide = (box.right - box.left) / 24;
  const tall = 20;
  const most = Math.max(...days.flatMap((day) => day.hours), 0.001);
  return frame(box.top + tall * days.length + 22, name,
    ...days.map((day, row) => s('text', { x: box.left - 8, y: box.top + row * tall + 14, 'text-anchor': 'end' }, weekdayAndDay(Date.parse(day.date)))),
    ...days.flatMap((day, row) => day.hours.map((value, hour) => {
      const cell = s('rect', { x: box.left + hour * wide, y: box.top + row * tall, width: wide - 1, height: tall - 1, class: 'hour', role: 'img', 'fill-opacity': (0.06 + 0.94 * value / most).toFixed(3) });
      tip(cell, `${weekdayAndDay(Date.parse(day.date))}, ${hour}:00: ${fixed(value, 1)}`);
      return cell;
    })),
    ...[0, 6, 12, 18].map((hour) => s('text', { x: box.left + hour * wide, y: box.top + tall * days.length + 16 }, `${hour}:00`)));
}
