// Elements without HTML strings.

type Child = Node | string | number | null | undefined | false;
type Attributes = Record<string, string | number | boolean | ((event: Event) => void) | undefined>;

function fill<T extends Element>(element: T, attributes: Attributes, children: Child[]): T {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    if (typeof value === 'function') element.addEventListener(name, value);
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  for (const child of children) {
    if (child !== null && child !== undefined && child !== false) element.append(child instanceof Node ? child : String(child));
  }
  return element;
}

export function h<K extends keyof HTMLElementTagNameMap>(tag: K, attributes: Attributes = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
  return fill(document.createElement(tag), attributes, children);
}

export function s<K extends keyof SVGElementTagNameMap>(tag: K, attributes: Attributes = {}, ...children: Child[]): SVGElementTagNameMap[K] {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children);
}

export function by<T extends HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page lacks #${id}`);
  return found as T;
}

/** Text in which `…` stands for code. */
export function marked(text: string): (Node | string)[] {
  return text.split('`').map((part, at) => (at % 2 === 1 ? h('code', {}, part) : part));
}

/** Shows a tip while the pointer or the focus is on an element, which is also what a screen reader says of it. */
export function tip(element: Element, text: string): void {
  element.setAttribute('aria-label', text);
  const box = by('tip');
  const show = (event: Event) => {
    box.textContent = text;
    box.hidden = false;
    const at = element.getBoundingClientRect();
    const [x, y] = event instanceof MouseEvent ? [event.clientX, event.clientY] : [at.left + at.width / 2, at.top];
    box.style.left = `${Math.min(x + 12, innerWidth - box.offsetWidth - 8)}px`;
    box.style.top = `${Math.max(8, y - box.offsetHeight - 10)}px`;
  };
  element.addEventListener('mousemove', show);
  element.addEventListener('focus', show);
  for (const end of ['mouseleave', 'blur']) element.addEventListener(end, () => { box.hidden = true; });
}
