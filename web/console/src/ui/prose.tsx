// The visitor's and the model's text, through the same renderer as the visitor's own page.

import { useLayoutEffect, useRef } from 'preact/hooks';

import { allowedLinks, closed, render, renderAnew } from '../../../shared/prose';
import type { Citation } from '../protocol';

const NONE: Citation[] = [];

/** `writing` says that more is to come. Only cited addresses become links. */
export function Prose({ text, writing = false, citations = NONE }: { text: string; writing?: boolean; citations?: Citation[] }) {
  const box = useRef<HTMLDivElement>(null);
  const known = useRef(citations);
  useLayoutEffect(() => {
    if (!box.current) return;
    const links = allowedLinks(citations.map(({ url }) => url), []);
    // Another set of links needs every block anew; more text only the last ones.
    const draw = known.current === citations ? render : renderAnew;
    known.current = citations;
    draw(box.current, writing ? closed(text) : text, links);
  }, [text, writing, citations]);
  return <div class={writing ? 'prose writing' : 'prose'} dir="auto" ref={box} />;
}
