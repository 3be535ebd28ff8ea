// A soft sign of a new message. Off until the visitor turns it on.

const KEY = 'frontdesk:sound';
let context: AudioContext | null = null;

export function soundOn(): boolean {
  try {
    return localStorage.getItem(KEY) === '1';
  } catch {
    return false;
  }
}

export function setSound(on: boolean): void {
  try {
    if (on) localStorage.setItem(KEY, '1');
    else localStorage.removeItem(KEY);
  } catch {
    // Storage is off: as the visitor left it, silent, on the next page.
  }
  if (on) chime();
}

/** Two short tones, a fifth apart. */
export function chime(): void {
  try {
    context ??= new AudioContext();
    const now = context.currentTime;
    for (const [i, frequency] of [659.3, 987.8].entries()) {
      const [tone, gain] = [context.createOscillator(), context.createGain()];
      const start = now + i * 0.09;
      tone.frequency.value = frequency;
      gain.gain.setValueAtTime(0, start);
      gain.gain.linearRampToValueAtTime(0.06, start + 0.015);
      gain.gain.exponentialRampToValueAtTime(0.0001, start + 0.3);
      tone.connect(gain).connect(context.destination);
      tone.start(start);
      tone.stop(start + 0.32);
    }
  } catch {
    // A browser that won't play is silent.
  }
}
