// Texts in the reader's language.

/** Texts by name; `{name}` in one is a place to fill. A text for one thing and for more is written `one|more`, or
 *  `one|two|few|many|more` in languages that tell these apart (Unicode's plural rules); `n` chooses. */
export type Texts = Record<string, string>;
export type Say<T extends Texts> = (name: keyof T & string, values?: Record<string, string | number>) => string;

/** Says texts of a table, or of the fallback where the table lacks one. Numbers are written as the language writes them. */
export function sayer<T extends Texts>(language: string, table: Partial<T>, fallback: T): Say<T> {
  const plural = new Intl.PluralRules(language);
  return (name, values = {}) => {
    const text = table[name] ?? fallback[name]!;
    const forms = text.split('|');
    const kinds = forms.length === 5 ? ['one', 'two', 'few', 'many'] : ['one'];
    const at = forms.length === 1 ? 0 : kinds.indexOf(plural.select(Number(values.n)));
    return forms.at(at)!.replace(/\{(\w+)\}/g, (_, key: string) => {
      const value = values[key];
      return typeof value === 'number' ? value.toLocaleString(language) : (value ?? '');
    });
  };
}

/** The first of the wanted languages that is offered, by its primary part (`zh-Hans-CN` is served by `zh`). */
export function choose(wanted: readonly (string | null | undefined)[], offered: readonly string[]): string | null {
  for (const one of wanted) {
    const primary = one?.toLowerCase().split('-')[0];
    const found = primary && offered.find((language) => language.toLowerCase().split('-')[0] === primary);
    if (found) return found;
  }
  return null;
}

/** True where the language is written from right to left. */
export function rightToLeft(language: string): boolean {
  return /^(ar|ckb|dv|fa|he|ps|sd|ug|ur|yi)\b/i.test(language);
}
