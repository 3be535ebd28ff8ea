// Elements without markup: nothing here takes a string as HTML.

type Child = Node | string | null | false | undefined;
type Props = Record<string, string | number | boolean | null | undefined | ((event: never) => void)>;

/**
 * An element. `on…` are listeners, `class` and everything else attributes; `true` is an attribute without value, `false`, `null`
 * and `undefined` leave it out. Strings among the children become text nodes.
 */
export function h<K extends keyof HTMLElementTagNameMap>(tag: K, props: Props = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (typeof value === 'function') node.addEventListener(name.slice(2), value as EventListener);
    else if (value === true) node.setAttribute(name, '');
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, String(value));
  }
  add(node, ...children);
  return node;
}

/** Appends children, leaving out what isn't there. */
export function add(node: Element, ...children: Child[]): void {
  for (const child of children) if (child) node.append(child);
}

/** A line drawing of 24 by 24 units, in the colour of the text around it. A path that begins with `!` is filled. */
export function icon(paths: string): SVGSVGElement {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  for (const [name, value] of Object.entries({ viewBox: '0 0 24 24', 'aria-hidden': 'true', focusable: 'false' })) svg.setAttribute(name, value);
  for (const one of paths.split('|')) {
    const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
    path.setAttribute('d', one.replace('!', ''));
    if (one.startsWith('!')) path.setAttribute('class', 'solid');
    svg.append(path);
  }
  return svg;
}

/** A key of an input method. Safari ends the composition before the key that ends it, and says so by 229 alone. */
export const composes = (event: KeyboardEvent): boolean => event.isComposing || event.keyCode === 229;
