// The insight page: one report, drawn. On the public listener the console's sign-in opens it, on
// the admin listener a key, which stays in this tab.

import { by, h, marked } from './dom';
import { bars, calibration, type Cell, columns, figure, fit, forecast, funnel, hours, legend, rates, roc, scatter } from './plots';
import { type Demand, type DemandLine, type Line, type Note, type Report, type StockOut, TOPICS } from './types';
import { clock, day, feature, fixed, group, language, type Language, languages, money, named, number, percent, say, setLanguage, signed } from './words';

const EVERY_MS = 15_000;
const DAY_MS = 86_400_000;
/** How the page is let in; `null` until the server has said which of its listeners this is. */
let way: 'console' | 'key' | null = null;
let key = sessionStorage.getItem('frontdesk.key') ?? '';
let last = '';

class Refused extends Error {}

/** What went wrong, in words. */
function trouble(error: unknown): string {
  if (error instanceof TypeError) return say('unreachable');
  const message = error instanceof Error ? error.message : String(error);
  // The server's words are English.
  return language === 'en' || error instanceof Refused ? message : say('refused', { message });
}

async function get<T>(path: string): Promise<T> {
  const headers: Record<string, string> = way === 'key' && key ? { authorization: `Bearer ${key}` } : {};
  const response = await fetch(path, { headers, cache: 'no-store', credentials: 'same-origin' });
  if (response.status === 401) throw new Refused(way === 'key' ? say('key_unknown') : '');
  const body = await response.json();
  if (!response.ok) throw new Error(body?.error?.message ?? `the server answered ${response.status}`);
  return body as T;
}

const site = (): string => by<HTMLSelectElement>('site').value;
/** An address of the chosen site, as this way in has it. */
const of = (rest: string): string => `/v1/${way === 'console' ? 'console/' : ''}sites/${encodeURIComponent(site())}/${rest}`;

function range(): string {
  const choice = by<HTMLSelectElement>('range').value;
  const query = new URLSearchParams();
  if (choice === 'dates') {
    const [from, to] = [by<HTMLInputElement>('from').valueAsNumber, by<HTMLInputElement>('to').valueAsNumber];
    if (Number.isFinite(from)) query.set('from_ms', String(from));
    if (Number.isFinite(to)) query.set('to_ms', String(to + DAY_MS));
  } else if (choice !== 'all') {
    query.set('from_ms', String(Math.floor(Date.now() / DAY_MS) * DAY_MS - (Number(choice) - 1) * DAY_MS));
  }
  return query.toString();
}

/** The shortest of the offered ranges that holds a conversation; where all are older, the quarter up to the last one. */
async function firstRange(): Promise<void> {
  const { totals } = await get<Report>(of('insight'));
  if (totals.sessions === 0) return;
  const days = [30, 90, 365].find((days) => totals.last_ms >= Math.floor(Date.now() / DAY_MS) * DAY_MS - (days - 1) * DAY_MS);
  by<HTMLSelectElement>('range').value = days ? String(days) : 'dates';
  if (!days) {
    by<HTMLInputElement>('from').valueAsNumber = Math.floor(Math.max(totals.first_ms, totals.last_ms - 89 * DAY_MS) / DAY_MS) * DAY_MS;
    by<HTMLInputElement>('to').valueAsNumber = Math.floor(totals.last_ms / DAY_MS) * DAY_MS;
  }
  dates();
}

/** The fields for dates are there when they count. */
function dates(): void {
  for (const label of document.querySelectorAll<HTMLElement>('.dates')) label.hidden = by<HTMLSelectElement>('range').value !== 'dates';
}

/** Forecasts of the chosen site, by when they were asked for; they change by the day. */
let demand: { site: string; at: number; report: Demand; stockouts: StockOut[]; chosen: DemandLine | null } | null = null;
const DEMAND_MS = 300_000;

async function foresee(): Promise<boolean> {
  if (demand && demand.site === site() && Date.now() - demand.at < DEMAND_MS) return false;
  const wanted = site();
  const [report, { stockouts }] = await Promise.all([
    get<Demand>(of('forecast?days=28')), get<{ stockouts: StockOut[] }>(of('stockouts?min=0.3')),
  ]);
  demand = { site: wanted, at: Date.now(), report, stockouts, chosen: null };
  return true;
}

async function refresh(): Promise<void> {
  const status = by('status');
  try {
    if (await foresee()) last = '';
    const text = JSON.stringify(await get<Report>(of(`insight?${range()}`)));
    status.textContent = say('live', { time: clock() });
    if (text === last) return;
    last = text;
    draw(JSON.parse(text) as Report);
  } catch (error) {
    if (error instanceof Refused) return signIn(error.message);
    status.textContent = trouble(error);
  }
}

/** What came of a conversation. */
function outcome({ converted, paid }: Line): string {
  if (converted === null) return say('unknown');
  if (!converted) return say('not_bought');
  return paid.length > 0 ? say('bought_for', { paid: money(paid) }) : say('bought');
}

const listed = (names: string[]): string => names.join(say('words_join'));

/** The sessions that something on the page stands for. */
async function drill(title: string, query: Record<string, string | number>): Promise<void> {
  const dialog = by<HTMLDialogElement>('drill');
  by('drill-title').textContent = title;
  by('drill-body').replaceChildren(h('p', {}, say('reading')));
  if (!dialog.open) dialog.showModal();
  const parameters = new URLSearchParams(range());
  for (const [name, value] of Object.entries(query)) parameters.set(name, String(value));
  try {
    const { sessions } = await get<{ sessions: Line[] }>(of(`insight/sessions?${parameters}`));
    const rows = sessions.map((line) => h('tr', {},
      h('td', {}, h('button', { type: 'button', class: 'link', click: () => void transcript(line.session, { title, open: () => void drill(title, query) }) }, day(line.at_ms))),
      h('td', {}, line.campaign), h('td', {}, number(line.messages)), h('td', {}, listed(line.topics.map(named))), h('td', {}, listed(line.products)),
      h('td', {}, percent(line.score)), h('td', {}, outcome(line))));
    const head = [say('began'), say('From'), say('messages'), say('Asked_about'), say('Products'), say('intent'), say('outcome')];
    by('drill-body').replaceChildren(sessions.length === 0 ? h('p', { class: 'empty' }, say('no_conversation'))
      : h('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': say('Conversations') },
        h('table', {}, h('thead', {}, h('tr', {}, ...head.map((name) => h('th', { scope: 'col' }, name)))), h('tbody', {}, ...rows))));
  } catch (error) {
    by('drill-body').replaceChildren(h('p', { role: 'alert' }, trouble(error)));
  }
}

/** A conversation as the admin listener tells it, and as the console's protocol does. */
interface Recorded {
  intent?: Judged;
  session?: { intent?: number };
  reasons?: Reason[];
  transcript?: { seq: number; event: { event: string; text?: string } }[];
  entries?: { seq: number; event: string; text?: string }[];
}

interface Reason { signal: string; count: number; value?: string; weight: number }
interface Judged { score: number; reasons: Reason[] }

/** What is known of a conversation beside its words. */
function facts(line: Line | undefined, recorded: Recorded): HTMLElement {
  const score = line?.score ?? recorded.intent?.score ?? recorded.session?.intent;
  const reasons = recorded.intent?.reasons ?? recorded.reasons ?? [];
  const fact = (name: string, ...value: (Node | string)[]) => [h('dt', {}, name), h('dd', { dir: 'auto' }, ...value)];
  const why = reasons.map(({ signal, count, value, weight }) => h('li', {},
    // A model tells features with their values, the sum signals with how often they were seen.
    h('span', {}, count > 0 ? `${named(signal)}${count > 1 ? ` ×${count}` : ''}` : `${feature(signal)}${value !== undefined ? `: ${feature(value)}` : ''}`),
    h('b', {}, signed(weight, 2))));
  return h('dl', { class: 'facts' },
    ...(line ? [
      ...fact(say('began'), day(line.at_ms)), ...fact(say('From'), line.campaign), ...fact(say('outcome'), outcome(line)),
      ...(line.topics.length > 0 ? fact(say('Asked_about'), listed(line.topics.map(named))) : []),
      ...(line.products.length > 0 ? fact(say('Products'), listed(line.products)) : []),
    ] : []),
    ...(score === undefined ? [] : fact(say('intent'), percent(score))),
    ...(why.length > 0 ? fact(say('moved'), h('ul', { class: 'why' }, ...why)) : []));
}

/** Who said what; notes and drafts of agents are no part of it. */
function spoken({ transcript = [], entries = [] }: Recorded): { who: 'visitor' | 'answer' | 'agent'; text: string }[] {
  const speakers: Record<string, 'visitor' | 'answer' | 'agent'> = {
    said: 'visitor', message: 'visitor', answer_done: 'answer', 'answer.done': 'answer', agent_said: 'agent', 'agent.message': 'agent',
  };
  const all = [...transcript.map(({ event }) => event), ...entries];
  return all.flatMap(({ event, text }) => (speakers[event] && text ? [{ who: speakers[event], text }] : []));
}

/** A conversation, with the way back to the list that it was chosen from. */
async function transcript(session: string, back?: { title: string; open: () => void }): Promise<void> {
  const dialog = by<HTMLDialogElement>('drill');
  by('drill-title').textContent = say('conversation');
  if (!dialog.open) dialog.showModal();
  try {
    const [recorded, { sessions: [line] }] = await Promise.all([
      get<Recorded>(of(`sessions/${encodeURIComponent(session)}`)),
      get<{ sessions: Line[] }>(of(`insight/sessions?session=${encodeURIComponent(session)}`)),
    ]);
    const lines = spoken(recorded).map(({ who, text }) => h('li', { class: who === 'visitor' ? 'visitor' : 'other' }, h('b', {}, say(who)), h('p', { dir: 'auto' }, text)));
    by('drill-body').replaceChildren(
      h('div', {}, back ? h('button', { type: 'button', class: 'link', click: back.open }, `← ${back.title}`) : null),
      h('div', { class: 'case' }, h('ol', { class: 'talk' }, ...lines), facts(line, recorded)));
  } catch (error) {
    by('drill-body').replaceChildren(h('p', { role: 'alert' }, trouble(error)));
  }
}

/** What to keep in mind, in words; what this page doesn't know it shows as the server says it. */
function noted(note: Note): string {
  const { text } = note;
  switch (note.note) {
    case 'recordings': return say('note_recordings', { recorded: note.recorded, of: note.of });
    case 'few_outcomes': return say('note_few_outcomes', { n: note.outcomes });
    case 'silence': return say('note_silence', { silent: note.silent, outcomes: note.outcomes });
    case 'learned': return say('note_learned', { n: note.later, version: note.version, earlier: note.earlier, few: note.few ? say('few') : '' });
    case 'only_purchases': return say('note_only_purchases');
    case 'sum': return say('note_sum');
    case 'erased': return say('note_erased');
    case 'model': {
      const worst = 'worst' in note ? listed(note.worst.map(([column, index]) => `${feature(column)} ${fixed(index, 2)}`)) : '';
      if (note.warning === 'drifted') return say('note_model', { warning: say('warning_drifted', { columns: note.columns, of: note.of, above: note.above, worst }) });
      if (note.warning === 'miscalibrated') return say('note_model', { warning: say('warning_miscalibrated', { ece: fixed(note.ece, 3), above: note.above }) });
    }
  }
  return text;
}

/** Conversations that a subject stands for. */
const subject = ({ kind, id }: { kind: DemandLine['kind']; id: string }): Record<string, string> => (kind === 'all' ? {} : { [kind]: id });

const called = ({ kind, id, name }: { kind: string; id: string; name: string }): string =>
  (kind === 'all' ? say('all_conversations') : kind === 'topic' ? named(id) : name);

/** A figure with its band: `12 (80%: 9–15)`. */
const banded = ({ expected, band80: [low, high] }: { expected: number; band80: [number, number] }): string =>
  say('banded', { value: number(expected), low: number(low), high: number(high) });

/** What will be asked for, what runs out, and when visitors write. */
function demandFigures({ report, stockouts, chosen }: NonNullable<typeof demand>): HTMLElement[] {
  const lines = [...report.lines.filter((line) => line.of !== chosen?.of)];
  const order = (line: DemandLine) => line.totals.at(-1)?.expected ?? 0;
  const some = (kind: DemandLine['kind'], count: number) => lines.filter((line) => line.kind === kind).sort((a, b) => order(b) - order(a)).slice(0, count);
  const shown = [...(chosen ? [chosen] : []), ...some('all', 1), ...some('topic', 2), ...some('product', 3)].slice(0, 6);
  const held = ({ held: { of, in80, in95 } }: DemandLine) => (of === 0 ? say('unknown') : say('held_days', { in80: percent(in80 / of), in95: percent(in95 / of), of }));
  const total = (line: DemandLine, days: number) => line.totals.find((total) => total.days === days);
  const texts = (line: DemandLine) => [7, 14, 28].map((days) => { const found = total(line, days); return found ? banded(found) : ''; });
  const plot = (line: DemandLine) => h('div', { class: 'demand' }, h('h3', {}, called(line)), forecast(line, called(line)),
    h('p', {}, say('demand_total', { total: banded(total(line, 14) ?? { expected: 0, band80: [0, 0] }), held: held(line) })));
  const choose = h('select', { change: (event) => void pick((event.target as HTMLSelectElement).value) },
    h('option', { value: '' }, say('most_asked')),
    ...report.subjects.filter((known) => known.of !== 'all').slice(0, 300).map((known) => h('option', { value: known.of, selected: known.of === chosen?.of },
      say('subject_of', { name: known.of.startsWith('topic:') ? named(known.name) : known.name, n: known.conversations }))));
  const surges = report.lines.filter((line) => line.surge);
  const week = Date.parse(report.today) - 7 * DAY_MS;
  return [
    figure({
      id: 'demand', title: say('demand'), wide: true, says: say('demand_says', { zone: report.time_zone }),
      empty: [say('forecast_short', { days: report.days, needed: report.days_needed })],
      plot: shown.length > 0 ? h('div', {}, h('label', { class: 'choose' }, say('choose_subject'), ' ', choose), h('div', { class: 'demands' }, ...shown.map(plot))) : null,
      head: [say('what'), say('in_days', { n: 7 }), say('in_days', { n: 14 }), say('in_days', { n: 28 }), say('bands_held')],
      rows: [...(chosen ? [chosen] : []), ...lines].map((line) => [{ text: called(line), open: () => void drill(called(line), subject(line)) }, ...texts(line), held(line)]),
    }),
    figure({
      id: 'stockouts', title: say('stockouts'), says: say('stockouts_says'), empty: [say('no_stockouts')],
      plot: bars(stockouts.slice(0, 12).map((found) => ({
        name: found.name, value: found.chance[1], colour: 'c3', open: () => void drill(found.name, { product: found.id }),
        text: say('stockout', { chance: percent(found.chance[1]), stock: found.stock }),
      })), say('stockouts')),
      head: [say('product'), say('in_stock'), say('in_days', { n: 14 }), say('chance'), say('used_up')],
      rows: stockouts.map((found) => [{ text: found.name, open: () => void drill(found.name, { product: found.id }) }, number(found.stock), banded(found), percent(found.chance[1]), found.empty_on ? day(Date.parse(found.empty_on)) : '–']),
    }),
    figure({
      id: 'surges', title: say('surges'), says: say('surges_says'), empty: [say('no_surges')],
      plot: surges.length === 0 ? null : h('ol', { class: 'questions' }, ...surges.map((line) => h('li', {},
        h('button', { type: 'button', class: 'link', click: () => void drill(called(line), { ...subject(line), from_ms: week }) }, called(line)),
        h('span', {}, say('surge', { seen: number(line.surge!.seen), expected: number(line.surge!.expected), high: number(line.surge!.band95[1]) }))))),
      head: [], rows: [],
    }),
    figure({
      id: 'hours', title: say('hours'), says: say('hours_says'),
      empty: [say('forecast_short', { days: report.days, needed: report.days_needed })], plot: hours(report.hours, say('hours')),
      head: [say('day'), ...Array.from({ length: 24 }, (_, hour) => String(hour))],
      rows: report.hours.map((line) => [day(Date.parse(line.date)), ...line.hours.map((value) => fixed(value, 1))]),
    }),
  ];
}

/** Shows one subject's forecast beside what is asked about most. */
async function pick(wanted: string): Promise<void> {
  if (!demand) return;
  try {
    const found = wanted ? await get<Demand>(of(`forecast?days=28&of=${encodeURIComponent(wanted)}`)) : null;
    demand.chosen = found?.lines[0] ?? null;
    draw(JSON.parse(last) as Report);
    document.querySelector<HTMLElement>('#demand select')?.focus({ preventScroll: true });
  } catch (error) {
    by('status').textContent = trouble(error);
  }
}

function draw(report: Report): void {
  fit(place());
  const open = new Set([...document.querySelectorAll<HTMLElement>('details[open][data-figure]')].map((details) => details.dataset.figure));
  const focus = document.activeElement?.closest('figure')?.id;
  const { totals, scores, uplift } = report;
  const cell = (text: string, open: () => void): Cell => ({ text, open });
  const colours = TOPICS.map((_, at) => `c${at}`);
  // As many as there are colours that can be told apart.
  const shown = report.classes.slice(0, TOPICS.length);
  const seen = TOPICS.filter((_, at) => report.steps.some((step) => (step.topics[at] ?? 0) > 0));
  const rate = (r: Report['totals']['converted']) => (r.of === 0 ? say('unknown') : say('count_of', { part: percent(r.rate, 1), n: r.of }));
  const topic = (id: string) => void drill(say('asked_about', { name: named(id) }), { topic: id });
  const groups = report.segments.map((segment, at) => {
    const name = group(segment.traits);
    return { ...segment, name, open: () => void drill(name, { segment: at }) };
  });

  const since = scores.learned > 0 ? say('since', { n: scores.sessions, day: day(scores.after_ms), learned: scores.learned }) : '';
  const model = scores.version === null ? named(scores.model) : say('version', { version: scores.version, kind: named(scores.model) });
  // Amounts of several currencies can't be compared; the largest number stands in front.
  const [most, ...others] = [...totals.paid].sort((a, b) => b.amount - a.amount);
  const kpi = (name: string, value: string, more: string) => h('li', {}, h('b', {}, value), h('span', {}, name), h('small', {}, more));
  const stage = (name: string) => void drill(say('conversations_of', { name: named(name) }), { stage: name });
  const figures = [
    figure({
      id: 'funnel', title: say('funnel'), says: say('funnel_says'), plot: funnel(report.funnel, stage),
      head: [say('stage'), say('Conversations')], rows: report.funnel.map(({ name, sessions }) => [cell(named(name), () => stage(name)), number(sessions)]),
    }),
    figure({
      id: 'intents', title: say('intents'), says: say('intents_says', { n: Math.round(report.step_ms / DAY_MS) }),
      plot: columns(report.steps.map((step) => ({ at_ms: step.at_ms, values: TOPICS.map((_, at) => step.topics[at] ?? 0).filter((_, at) => seen.includes(TOPICS[at]!)) })),
        seen.map(named), seen.map((name) => colours[TOPICS.indexOf(name)]!), (at) => topic(seen[at]!)),
      legend: legend(seen.map((name) => [named(name), colours[TOPICS.indexOf(name)]!])),
      head: [say('topic'), say('Conversations'), say('Purchases')],
      rows: report.topics.map(({ id, sessions, converted }) => [cell(named(id), () => topic(id)), number(sessions), rate(converted)]),
    }),
    ...(shown.length === 0 ? [] : [figure({
      id: 'classes', title: say('classes'), says: say('classes_says'),
      plot: columns(report.steps.map((step) => ({ at_ms: step.at_ms, values: shown.map((_, at) => step.classes[at] ?? 0) })),
        shown.map(({ name }) => name), shown.map((_, at) => `c${at}`), (at) => void drill(shown[at]!.name, { class: shown[at]!.id })),
      legend: legend(shown.map(({ name }, at) => [name, `c${at}`])),
      head: [say('class'), say('Conversations'), say('Purchases')],
      rows: report.classes.map(({ id, name, sessions, converted }) => [cell(name, () => void drill(name, { class: id })), number(sessions), rate(converted)]),
    })]),
    figure({
      id: 'scatter', title: say('scatter'), wide: false, says: say('scatter_says', { model, since }),
      plot: scatter(scores.points.map((point) => ({
        x: point.score, hit: point.converted,
        text: say('point', { day: day(point.at_ms), score: percent(point.score), outcome: say(point.converted ? 'bought' : 'not_bought') }),
        open: () => void transcript(point.session),
      })), scores.bins),
      legend: legend([[say('purchases'), 'c0'], [say('did_not'), 'c3']]),
      head: [say('intent'), say('mean_prediction'), say('Purchases')],
      rows: scores.bins.map((bin) => {
        const between = { from: percent(bin.low), to: percent(bin.high) };
        const open = () => void drill(say('intent_between', between), { score_from: bin.low, score_to: bin.high });
        return [cell(say('between', between), open), percent(bin.mean, 1), rate(bin.converted)];
      }),
    }),
    figure({
      id: 'roc', title: say('roc'), says: say('roc_says', { since }),
      plot: scores.auroc === null ? null : roc(scores.roc, scores.auroc),
      head: [say('False_alarms'), say('Found')],
      rows: scores.roc.filter((_, i) => i % Math.max(1, Math.ceil(scores.roc.length / 20)) === 0 || i === scores.roc.length - 1).map(([fp, tp]) => [percent(fp), percent(tp)]),
    }),
    figure({
      id: 'calibration', title: say('calibration'),
      says: scores.ece === null || scores.brier === null || scores.brier_of_mean === null ? say('calibration_says')
        : say('calibration_numbers', { ece: fixed(scores.ece, 3), brier: fixed(scores.brier, 3), mean: fixed(scores.brier_of_mean, 3) }),
      plot: calibration(scores.bins), head: [say('Predicted'), say('Came_true')], rows: scores.bins.map((bin) => [percent(bin.mean, 1), rate(bin.converted)]),
    }),
    figure({
      id: 'segments', title: say('segments'), says: say('segments_says'),
      plot: rates(groups.map(({ name, converted, open }) => ({ name, rate: converted, open })), say('segments_rates'))
        ?? bars(groups.map(({ name, sessions, open }) => ({ name, value: sessions, text: number(sessions), open })), say('segments_sizes')),
      head: [say('group'), say('Conversations'), say('mean_intent'), say('Purchases'), say('set_apart')],
      rows: groups.map(({ name, sessions, score, converted, traits, open }) => [cell(name, open), number(sessions), percent(score), rate(converted),
        traits.map((found) => `${feature(found.feature)} ${fixed(found.mean, 2)} / ${fixed(found.of_all, 2)}`).join(say('words_join'))]),
    }),
    figure({
      id: 'products', title: say('products'), says: say('products_says'), empty: [say('no_products')],
      plot: bars(report.products.map(({ id, name, sessions }) => ({ name, value: sessions, text: number(sessions), colour: 'c1', open: () => void drill(name, { product: id }) })), say('Products')),
      head: [say('product'), say('Conversations'), say('Purchases')],
      rows: report.products.map(({ id, name, sessions, converted }) => [cell(name, () => void drill(name, { product: id })), number(sessions), rate(converted)]),
    }),
    figure({
      id: 'campaigns', title: say('campaigns'), says: say('campaigns_says'),
      plot: bars(report.campaigns.map(({ name, sessions, score, converted }) => ({
        name, value: score, text: say('campaign_mean', { score: percent(score), n: sessions }), colour: 'c2', open: () => void drill(name, { campaign: name }),
        second: { value: converted.rate, text: converted.of > 0 ? say('campaign_bought', { rate: percent(converted.rate), of: converted.of }) : say('campaign_unknown'), colour: 'c0' },
      })), say('campaigns_plot')),
      legend: legend([[say('purchase_intent'), 'c2'], [say('purchases'), 'c0']]),
      head: [say('From'), say('Conversations'), say('mean_intent'), say('Purchases'), say('amount'), say('asked_most')],
      rows: report.campaigns.map((campaign) => [cell(campaign.name, () => void drill(campaign.name, { campaign: campaign.name })), number(campaign.sessions), percent(campaign.score), rate(campaign.converted), money(campaign.paid), named(campaign.topic ?? '')]),
    }),
    figure({
      id: 'questions', title: say('questions'), says: say('questions_says'), empty: [say('no_questions')],
      plot: report.questions.length === 0 ? null : h('ol', { class: 'questions' }, ...report.questions.map((question) => {
        const button = h('button', { type: 'button', class: 'link', dir: 'auto', click: () => void transcript(question.session) }, question.text);
        return h('li', {}, button, h('span', {}, number(question.count)));
      })),
      head: [], rows: [],
    }),
    figure({
      id: 'uplift', title: say('uplift'),
      says: uplift.difference
        ? say('uplift_says', {
          difference: signed(100 * uplift.difference[0], 1), low: signed(100 * uplift.difference[1], 1), high: signed(100 * uplift.difference[2], 1),
          shown: uplift.shown, clicked: percent(uplift.clicked.rate),
        }) : say('uplift_unknown'),
      plot: rates([{ name: say('with_cards'), rate: uplift.with_cards }, { name: say('held_out'), rate: uplift.held_out }], say('uplift_plot')),
      empty: marked(say('uplift_none')),
      head: [say('group'), say('Purchases')], rows: [[say('with_cards'), rate(uplift.with_cards)], [say('held_out'), rate(uplift.held_out)]],
    }),
  ];
  const forecasts = demand ? demandFigures(demand) : [];
  by('page').replaceChildren(
    h('ul', { class: 'kpis' },
      kpi(say('conversations'), number(totals.sessions), totals.sessions ? say('between', { from: day(totals.first_ms), to: day(totals.last_ms) }) : ''),
      kpi(say('visitor_messages'), number(totals.messages), totals.sessions ? say('each', { value: fixed(totals.messages / totals.sessions, 1) }) : ''),
      kpi(say('purchases'), totals.converted.of ? percent(totals.converted.rate, 1) : '–', totals.converted.of ? say('with_outcome', { count: totals.converted.count, n: totals.converted.of }) : say('no_outcome')),
      kpi(say('paid'), most ? money([most]) : '–', others.length > 0 ? say('paid_and', { more: money(others) }) : say('paid_in')),
      kpi(say('ordering'), scores.auroc === null ? '–' : fixed(scores.auroc, 3), scores.learned > 0 ? say('area_later', { n: scores.sessions }) : say('area_under'))),
    h('div', { class: 'grid' }, ...figures, ...forecasts),
    h('aside', { class: 'notes', 'aria-label': say('notes') }, h('h2', {}, say('notes')), h('ul', {}, ...report.notes.map((note) => h('li', {}, ...marked(noted(note)))))));
  for (const details of document.querySelectorAll<HTMLDetailsElement>('details[data-figure]')) details.open = open.has(details.dataset.figure);
  if (focus) document.getElementById(focus)?.querySelector<HTMLElement>('summary')?.focus({ preventScroll: true });
}

/** What is shown: the report, one of the two ways in, or why not. */
function show(what: 'page' | 'sign-in' | 'to-console' | 'not-for-you'): void {
  for (const part of ['page', 'sign-in', 'to-console', 'not-for-you']) by(part).hidden = part !== what;
  by('filters').hidden = what !== 'page';
  by('back').hidden = way !== 'console';
  if (what !== 'page') {
    last = '';
    by('status').textContent = '';
  }
}

function signIn(reason = ''): void {
  if (way === 'console') return show('to-console');
  key = '';
  sessionStorage.removeItem('frontdesk.key');
  show('sign-in');
  by('refused').textContent = reason;
  by('key').focus();
}

interface Mine { id: string; name: string; role?: 'agent' | 'admin' }

/** The sites that this reader may see; `null` if somebody else has to be shown first. */
async function sites(): Promise<Mine[] | null> {
  if (way === null) {
    const response = await fetch('/v1/console/me', { cache: 'no-store', credentials: 'same-origin' });
    // The admin listener has no console.
    way = response.status === 404 ? 'key' : 'console';
  }
  if (way === 'key') {
    if (!key) return signIn(), null;
    const { sites } = await get<{ sites: Mine[] }>('/v1/insight/sites');
    sessionStorage.setItem('frontdesk.key', key);
    return sites;
  }
  const { agent, sites } = await get<{ agent: { name: string }; sites: Mine[] }>('/v1/console/me');
  const mine = sites.filter(({ role }) => role === 'admin');
  if (mine.length > 0) return mine;
  reader = agent.name;
  tell();
  return show('not-for-you'), null;
}

async function begin(): Promise<void> {
  try {
    const mine = await sites();
    if (!mine) return;
    show('page');
    by('site').replaceChildren(...mine.map(({ id, name }) => h('option', { value: id }, name || id)));
    const wanted = new URLSearchParams(location.search).get('site');
    if (wanted && mine.some(({ id }) => id === wanted)) by<HTMLSelectElement>('site').value = wanted;
    await firstRange();
    await refresh();
  } catch (error) {
    signIn(trouble(error));
  }
}

/** Who is signed in and is no admin. */
let reader = '';

/** The texts that stand in the document. */
function tell(): void {
  document.title = `${say('title')} · Frontdesk`;
  for (const element of document.querySelectorAll<HTMLElement>('[data-say]')) {
    element.replaceChildren(...marked(say(element.dataset.say as Parameters<typeof say>[0], { n: Number(element.dataset.n) })));
  }
  by('close').setAttribute('aria-label', say('close'));
  by('who').textContent = say('admins_only', { name: reader });
}

by('language').replaceChildren(...languages.map(([id, name]) => h('option', { value: id, lang: id, selected: id === language }, name)));
by('language').addEventListener('change', () => {
  setLanguage(by<HTMLSelectElement>('language').value as Language);
  by('refused').textContent = '';
  tell();
  if (!last) return;
  by('status').textContent = say('live', { time: clock() });
  draw(JSON.parse(last) as Report);
});
tell();

by('sign-in').addEventListener('submit', (event) => {
  event.preventDefault();
  key = by<HTMLInputElement>('key').value.trim();
  void begin();
});
by('filters').addEventListener('change', () => {
  dates();
  void refresh();
});
/** What a plot has of the page: all of it in one column, and as much as suits it in two. */
const place = (): number => (by('page').clientWidth || innerWidth) - 44;
addEventListener('resize', () => {
  if (last && !by('page').hidden && fit(place())) draw(JSON.parse(last) as Report);
});
by('filters').addEventListener('submit', (event) => event.preventDefault());
setInterval(() => {
  if (!document.hidden && !by('page').hidden) void refresh();
}, EVERY_MS);
void begin();
