// The insight page: one report, drawn. On the public listener the console's sign-in opens it, on the admin listener a key, which stays
// in this tab.

import { by, day, h, number, percent } from './dom';
import { areas, bars, calibration, figure, fit, forecast, funnel, legend, rates, roc, scatter, type Cell } from './plots';
import { type Line, type Money, type Report, TOPICS } from './types';

const EVERY_MS = 15_000;
const DAY_MS = 86_400_000;
/** How the page is let in; `null` until the server has said which of its listeners this is. */
let way: 'console' | 'key' | null = null;
let key = sessionStorage.getItem('frontdesk.key') ?? '';
let last = '';

class Refused extends Error {}

async function get<T>(path: string): Promise<T> {
  const headers: Record<string, string> = way === 'key' && key ? { authorization: `Bearer ${key}` } : {};
  const response = await fetch(path, { headers, cache: 'no-store', credentials: 'same-origin' });
  if (response.status === 401) throw new Refused(way === 'key' ? 'This key is not known here, or lacks the scope admin.' : '');
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

async function refresh(): Promise<void> {
  const status = by('status');
  try {
    const text = JSON.stringify(await get<Report>(of(`insight?${range()}`)));
    status.textContent = `live · ${new Date().toLocaleTimeString('en', { hour: '2-digit', minute: '2-digit' })}`;
    if (text === last) return;
    last = text;
    draw(JSON.parse(text) as Report);
  } catch (error) {
    if (error instanceof Refused) return signIn(error.message);
    status.textContent = error instanceof Error ? error.message : String(error);
  }
}

/** Amounts, each in its currency. */
const money = (paid: Money[]): string => paid.map(({ amount, currency }) => `${amount.toFixed(2)}${currency ? ` ${currency}` : ''}`).join(' + ');

/** The sessions that something on the page stands for. */
async function drill(title: string, query: Record<string, string | number>): Promise<void> {
  const dialog = by<HTMLDialogElement>('drill');
  by('drill-title').textContent = title;
  by('drill-body').replaceChildren(h('p', {}, 'Reading …'));
  if (!dialog.open) dialog.showModal();
  const parameters = new URLSearchParams(range());
  for (const [name, value] of Object.entries(query)) parameters.set(name, String(value));
  try {
    const { sessions } = await get<{ sessions: Line[] }>(of(`insight/sessions?${parameters}`));
    const rows = sessions.map((line) => h('tr', {},
      h('td', {}, h('button', { type: 'button', class: 'link', click: () => void transcript(line.session, { title, open: () => void drill(title, query) }) }, day(line.at_ms))),
      h('td', {}, line.campaign), h('td', {}, String(line.messages)), h('td', {}, line.topics.join(', ')), h('td', {}, line.products.join(', ')),
      h('td', {}, percent(line.score)), h('td', {}, line.converted === null ? 'unknown' : line.converted ? `bought${line.paid.length > 0 ? ` (${money(line.paid)})` : ''}` : 'did not')));
    const head = ['Began', 'From', 'Messages', 'Asked about', 'Products', 'Intent', 'Outcome'];
    by('drill-body').replaceChildren(sessions.length === 0 ? h('p', { class: 'empty' }, 'No conversation in this range.')
      : h('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Conversations' },
        h('table', {}, h('thead', {}, h('tr', {}, ...head.map((name) => h('th', { scope: 'col' }, name)))), h('tbody', {}, ...rows))));
  } catch (error) {
    by('drill-body').replaceChildren(h('p', { role: 'alert' }, error instanceof Error ? error.message : String(error)));
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
    h('span', {}, `${signal.replaceAll('_', ' ')}${value !== undefined ? `: ${value}` : count > 1 ? ` ×${count}` : ''}`),
    h('b', {}, `${weight < 0 ? '−' : '+'}${Math.abs(weight).toFixed(2)}`)));
  return h('dl', { class: 'facts' },
    ...(line ? [
      ...fact('Began', day(line.at_ms)), ...fact('From', line.campaign),
      ...fact('Outcome', line.converted === null ? 'unknown' : line.converted ? `bought${line.paid.length > 0 ? ` (${money(line.paid)})` : ''}` : 'did not buy'),
      ...(line.topics.length > 0 ? fact('Asked about', line.topics.join(', ')) : []),
      ...(line.products.length > 0 ? fact('Products', line.products.join(', ')) : []),
    ] : []),
    ...(score === undefined ? [] : fact('Intent', percent(score))),
    ...(why.length > 0 ? fact('What moved it', h('ul', { class: 'why' }, ...why)) : []));
}

/** Who said what; notes and drafts of agents are no part of it. */
function spoken({ transcript = [], entries = [] }: Recorded): [by: string, text: string][] {
  const names: Record<string, string> = {
    said: 'Visitor', message: 'Visitor', answer_done: 'Answer', 'answer.done': 'Answer', agent_said: 'Agent', 'agent.message': 'Agent',
  };
  const all = [...transcript.map(({ event }) => event), ...entries];
  return all.flatMap(({ event, text }) => (names[event] && text ? [[names[event], text] as [string, string]] : []));
}

/** A conversation, with the way back to the list that it was chosen from. */
async function transcript(session: string, back?: { title: string; open: () => void }): Promise<void> {
  const dialog = by<HTMLDialogElement>('drill');
  by('drill-title').textContent = 'Conversation';
  if (!dialog.open) dialog.showModal();
  try {
    const [recorded, { sessions: [line] }] = await Promise.all([
      get<Recorded>(of(`sessions/${encodeURIComponent(session)}`)),
      get<{ sessions: Line[] }>(of(`insight/sessions?session=${encodeURIComponent(session)}`)),
    ]);
    const lines = spoken(recorded).map(([who, text]) => h('li', { class: who === 'Visitor' ? 'visitor' : 'other' }, h('b', {}, who), h('p', { dir: 'auto' }, text)));
    by('drill-body').replaceChildren(
      h('div', {}, back ? h('button', { type: 'button', class: 'link', click: back.open }, `← ${back.title}`) : null),
      h('div', { class: 'case' }, h('ol', { class: 'talk' }, ...lines), facts(line, recorded)));
  } catch (error) {
    by('drill-body').replaceChildren(h('p', { role: 'alert' }, error instanceof Error ? error.message : String(error)));
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
  const rate = (r: Report['totals']['converted']) => (r.of === 0 ? 'unknown' : `${percent(r.rate, 1)} of ${r.of}`);

  const since = scores.learned > 0
    ? `Only the ${number(scores.sessions)} conversations with an outcome after ${day(scores.after_ms)}, until when the model learned; the ${number(scores.learned)} before would flatter it.` : '';
  // Amounts of several currencies can't be compared; the largest number stands in front.
  const [most, ...others] = [...totals.paid].sort((a, b) => b.amount - a.amount);
  const points = (share: number): string => `${share < 0 ? '−' : '+'}${Math.abs(100 * share).toFixed(1)}`;
  const kpi = (name: string, value: string, more: string) => h('li', {}, h('b', {}, value), h('span', {}, name), h('small', {}, more));
  const figures = [
    figure({
      id: 'funnel', title: 'From the first word to the purchase', says: 'Conversations in which it happened; who bought need not have asked before. Click a stage to see them.',
      plot: funnel(report.funnel, (stage) => void drill(`Conversations: ${stage}`, { stage })),
      head: ['Stage', 'Conversations'], rows: report.funnel.map((stage) => [cell(stage.name, () => void drill(`Conversations: ${stage.name}`, { stage: stage.name })), number(stage.sessions)]),
    }),
    figure({
      id: 'intents', title: 'What visitors ask about', says: `Conversations by topic, by ${report.step_ms === DAY_MS ? 'day' : `${Math.round(report.step_ms / DAY_MS)} days`}.`,
      plot: areas(report.steps.map((step) => ({ at_ms: step.at_ms, values: TOPICS.map((_, at) => step.topics[at] ?? 0).filter((_, at) => seen.includes(TOPICS[at]!)) })),
        seen, seen.map((name) => colours[TOPICS.indexOf(name)]!), (topic) => void drill(`Asked about ${topic}`, { topic })),
      legend: seen.length > 0 ? legend(seen.map((name) => [name, colours[TOPICS.indexOf(name)]!])) : null,
      head: ['Topic', 'Conversations', 'Came to a purchase'],
      rows: report.topics.map((topic) => [cell(topic.name, () => void drill(`Asked about ${topic.name}`, { topic: topic.id })), number(topic.sessions), rate(topic.converted)]),
    }),
    ...(shown.length === 0 ? [] : [figure({
      id: 'classes', title: 'What visitors want', says: 'Conversations by what a message in them is about, as your own classes tell it.',
      plot: areas(report.steps.map((step) => ({ at_ms: step.at_ms, values: shown.map((_, at) => step.classes[at] ?? 0) })),
        shown.map(({ name }) => name), shown.map((_, at) => `c${at}`), (name) => void drill(name, { class: name })),
      legend: legend(shown.map(({ name }, at) => [name, `c${at}`])),
      head: ['Class', 'Conversations', 'Came to a purchase'],
      rows: report.classes.map(({ id, name, sessions, converted }) => [cell(name, () => void drill(name, { class: id })), number(sessions), rate(converted)]),
    })]),
    figure({
      id: 'scatter', title: 'Purchase intent and what really came', wide: false,
      says: `Each point is a conversation: above, those that came to a purchase. The line is the share that did, in up to ten groups of about equal size, with its 95% interval; on the dashes a probability would be right. Model: ${scores.model}. ${since}`,
      plot: scatter(scores.points.map((point) => ({
        x: point.score, hit: point.converted, text: `${day(point.at_ms)}: predicted ${percent(point.score)}, ${point.converted ? 'bought' : 'did not buy'}`,
        open: () => void transcript(point.session),
      })), scores.bins),
      legend: legend([['came to a purchase', 'c0'], ['did not', 'c3']]),
      head: ['Intent', 'Mean prediction', 'Came to a purchase'],
      rows: scores.bins.map((bin) => [cell(`${percent(bin.low)} to ${percent(bin.high)}`, () => void drill(`Intent ${percent(bin.low)} to ${percent(bin.high)}`, { score_from: bin.low, score_to: bin.high })), percent(bin.mean, 1), rate(bin.converted)]),
    }),
    figure({
      id: 'roc', title: 'How well intent orders conversations', says: `Going down from the highest intent: purchases found against false alarms. ${since}`,
      plot: scores.auroc === null ? null : roc(scores.roc, scores.auroc),
      head: ['False alarms', 'Purchases found'], rows: scores.roc.filter((_, i) => i % Math.max(1, Math.ceil(scores.roc.length / 20)) === 0 || i === scores.roc.length - 1).map(([fp, tp]) => [percent(fp), percent(tp)]),
    }),
    figure({
      id: 'calibration', title: 'Can the number be taken at its word?',
      says: scores.ece === null ? 'Predicted against true, with 95% intervals.' : `Predicted against true, with 95% intervals. Calibration error ${scores.ece.toFixed(3)}; Brier score ${scores.brier?.toFixed(3)}, always saying the mean gives ${scores.brier_of_mean?.toFixed(3)}.`,
      plot: calibration(scores.bins), head: ['Predicted', 'Came true'], rows: scores.bins.map((bin) => [percent(bin.mean, 1), rate(bin.converted)]),
    }),
    figure({
      id: 'segments', title: 'Visitors who behave alike', says: 'Groups found by k-means over how visitors talk, named by what sets them apart. Purchases with 95% intervals.',
      plot: rates(report.segments.map((segment, at) => ({ name: segment.name, rate: segment.converted, open: () => void drill(segment.name, { segment: at }) })), 'Conversion of segments')
        ?? bars(report.segments.map((segment, at) => ({ name: segment.name, value: segment.sessions, text: number(segment.sessions), open: () => void drill(segment.name, { segment: at }) })), 'Sizes of segments'),
      head: ['Group', 'Conversations', 'Mean intent', 'Came to a purchase', 'Set apart by (group, all)'],
      rows: report.segments.map((segment, at) => [cell(segment.name, () => void drill(segment.name, { segment: at })), number(segment.sessions), percent(segment.score), rate(segment.converted),
        segment.traits.map((found) => `${found.feature.replaceAll('_', ' ')} ${found.mean.toFixed(2)}, ${found.of_all.toFixed(2)}`).join('; ')]),
    }),
    figure({
      id: 'products', title: 'Products that visitors name', says: 'Conversations in which a product of the catalogue was named.',
      plot: bars(report.products.map((product) => ({ name: product.name, value: product.sessions, text: number(product.sessions), colour: 'c1', open: () => void drill(product.name, { product: product.id }) })), 'Products'),
      head: ['Product', 'Conversations', 'Came to a purchase'],
      rows: report.products.map((product) => [cell(product.name, () => void drill(product.name, { product: product.id })), number(product.sessions), rate(product.converted)]),
    }),
    figure({
      id: 'campaigns', title: 'Campaigns by intent', says: 'Mean purchase intent of visitors by where they came from (campaign, source, referrer, else the channel), and the share of those with an outcome who bought.',
      plot: bars(report.campaigns.map((campaign) => ({ name: campaign.name, value: campaign.score, text: `${percent(campaign.score)}, mean of ${number(campaign.sessions)}`, colour: 'c2', second: { value: campaign.converted.rate, text: campaign.converted.of > 0 ? `${percent(campaign.converted.rate)} of ${number(campaign.converted.of)} bought` : 'no outcome', colour: 'c0' }, open: () => void drill(campaign.name, { campaign: campaign.name }) })), 'Campaigns'),
      legend: legend([['purchase intent', 'c2'], ['came to a purchase', 'c0']]),
      head: ['From', 'Conversations', 'Mean intent', 'Came to a purchase', 'Amount', 'Asked most'],
      rows: report.campaigns.map((campaign) => [cell(campaign.name, () => void drill(campaign.name, { campaign: campaign.name })), number(campaign.sessions), percent(campaign.score), rate(campaign.converted), money(campaign.paid), campaign.topic ?? '']),
    }),
    figure({
      id: 'questions', title: 'Questions asked most', says: 'Questions that mean the same are counted together.', plot: h('ol', { class: 'questions' }, ...report.questions.map((question) => {
        const button = h('button', { type: 'button', class: 'link', click: () => void transcript(question.session) }, question.text);
        return h('li', {}, button, h('span', {}, number(question.count)));
      })),
      head: [], rows: [],
    }),
    figure({
      id: 'uplift', title: 'What recommendations do',
      says: uplift.difference
        ? `With cards ${points(uplift.difference[0])} percentage points of purchases compared with visitors who are held out (95%: ${points(uplift.difference[1])} to ${points(uplift.difference[2])}). Shown in ${number(uplift.shown)} conversations, opened in ${percent(uplift.clicked.rate)}.`
        : 'Compared with visitors who are held out. A difference is told from 30 conversations with an outcome on each side on.',
      plot: rates([{ name: 'with cards', rate: uplift.with_cards }, { name: 'held out', rate: uplift.held_out }], 'Conversion with and without cards'),
      head: ['Group', 'Came to a purchase'], rows: [['with cards', rate(uplift.with_cards)], ['held out', rate(uplift.held_out)]],
    }),
  ];
  const demand = report.forecasts.map(({ name, forecast: found }) => h('div', { class: 'demand' },
    h('h3', {}, name),
    forecast(found.history, found.begins_ms, found.days, name),
    h('p', {}, `${found.method}; error ${found.error.toFixed(2)} a day over the last 14, as a week before ${found.naive_error.toFixed(2)}`)));
  const forecasts = figure({
    id: 'forecast', title: 'Demand, and how it may go on', wide: true, says: 'Conversations a day, the next 14 days with the interval that held 80% of the errors. Each forecast is measured against “as a week before”, on days it had not seen; the better one is shown.',
    plot: demand.length > 0 ? h('div', { class: 'demands' }, ...demand) : null,
    head: ['What', 'Method', 'Error a day', 'As a week before', 'Next 7 days'],
    rows: report.forecasts.map(({ name, forecast: found }) => [name, found.method, found.error.toFixed(2), found.naive_error.toFixed(2), number(found.days.slice(0, 7).reduce((sum, [value]) => sum + value, 0))]),
  });
  by('page').replaceChildren(
    h('ul', { class: 'kpis' },
      kpi('conversations', number(totals.sessions), totals.sessions ? `${day(totals.first_ms)} to ${day(totals.last_ms)}` : ''),
      kpi('visitor messages', number(totals.messages), totals.sessions ? `${(totals.messages / totals.sessions).toFixed(1)} a conversation` : ''),
      kpi('came to a purchase', totals.converted.of ? percent(totals.converted.rate, 1) : '–', totals.converted.of ? `${number(totals.converted.count)} of ${number(totals.converted.of)} with an outcome` : 'no outcome was reported'),
      kpi('paid', most ? money([most]) : '–', others.length > 0 ? `and ${money(others)}, in conversations that came to a purchase` : 'in conversations that came to a purchase'),
      kpi('ordering by intent', scores.auroc === null ? '–' : scores.auroc.toFixed(3), scores.learned > 0 ? `area under the ROC curve, ${number(scores.sessions)} later conversations` : 'area under the ROC curve')),
    h('div', { class: 'grid' }, ...figures, forecasts),
    h('aside', { class: 'notes', 'aria-label': 'To keep in mind' }, h('h2', {}, 'To keep in mind'), h('ul', {}, ...report.notes.map((note) => h('li', {}, note)))));
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
  by('who').textContent = agent.name;
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
    signIn(error instanceof Error ? error.message : String(error));
  }
}

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
