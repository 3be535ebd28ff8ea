// Colours that stay readable, whatever accent a site chooses. Luminance and contrast as WCAG 2.2
// defines them.

type Rgb = [number, number, number];

const parse = (hex: string): Rgb => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)) as Rgb;
const write = (rgb: Rgb): string => `#${rgb.map((value) => Math.min(255, Math.max(0, Math.round(value))).toString(16).padStart(2, '0')).join('')}`;

/** The colour with another lightness (0…1), of the same hue and saturation: a mix with white or black would turn grey. */
function lit(rgb: Rgb, lightness: number): Rgb {
  const [most, least] = [Math.max(...rgb) / 255, Math.min(...rgb) / 255];
  const [middle, range] = [(most + least) / 2, most - least];
  const saturation = range === 0 ? 0 : range / (1 - Math.abs(2 * middle - 1));
  const wanted = saturation * (1 - Math.abs(2 * lightness - 1));
  return rgb.map((value) => 255 * (lightness + (range === 0 ? 0 : ((value / 255 - middle) / range) * wanted))) as Rgb;
}

/** Relative luminance, 0…1. */
function luminance(rgb: Rgb): number {
  const [r, g, b] = rgb.map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  }) as Rgb;
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** Contrast ratio of two colours, 1…21. */
export function contrast(a: string, b: string): number {
  const [light, dark] = [luminance(parse(a)), luminance(parse(b))].sort((x, y) => y - x) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

/** The colour, made lighter or darker until it has the contrast against the background. */
function readable(colour: string, background: string, least: number): string {
  const rgb = parse(colour);
  const up = luminance(parse(background)) < 0.5;
  const start = (Math.max(...rgb) + Math.min(...rgb)) / 510;
  for (let step = 0; step <= 50; step += 1) {
    const tried = write(lit(rgb, start + ((up ? 1 : 0) - start) * (step / 50)));
    if (contrast(tried, background) >= least) return tried;
  }
  return up ? '#ffffff' : '#000000';
}

/** What is made of a site's accent: `fill` with `ink` on it, and `text` on the chat's own background and its tints. */
export function palette(accent: string, dark: boolean): { fill: string; ink: string; text: string } {
  const colour = /^#[0-9a-f]{6}$/i.test(accent) ? accent : '#115e56';
  // The lightest, or darkest, that text in the accent stands on.
  const text = readable(colour, dark ? '#262c29' : '#e9eeec', 4.6);
  // 3 is what a control has to stand out by.
  const fill = dark ? readable(colour, '#1a1e1c', 3) : colour;
  const ink = contrast('#ffffff', fill) >= 4.5 ? '#ffffff' : contrast('#0e1513', fill) >= 4.5 ? '#0e1513' : '#000000';
  return { fill, ink, text };
}
