// Pictures without <img>: fetched from the chat's own server and drawn, so that no policy on images
// concerns them and nothing is ever asked of another origin.

import { h } from '../shared/dom.ts';

/** Draws the picture over the node's content, once it is there; without one the content stays. */
export async function picture(node: HTMLElement, address: string | null | undefined, server: string): Promise<void> {
  if (!address) return;
  try {
    const url = new URL(address, server);
    if (url.origin !== new URL(server).origin) return;
    const response = await fetch(url, { credentials: 'omit' });
    if (!response.ok) return;
    const bitmap = await createImageBitmap(await response.blob());
    const canvas = h('canvas', { width: bitmap.width, height: bitmap.height, 'aria-hidden': 'true' });
    canvas.getContext('2d')?.drawImage(bitmap, 0, 0);
    bitmap.close();
    node.replaceChildren(canvas);
  } catch {
    // No picture is not worth a word.
  }
}

/** The first letter of a name, as a stand-in for a picture. */
export function initial(name: string): string {
  return (Array.from(name.trim())[0] ?? '?').toLocaleUpperCase();
}
