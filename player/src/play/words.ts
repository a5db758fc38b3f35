// The interface's own words, from locales/*.json: one flat file per language, which a translator edits and a test compares.
import ar from "../../locales/ar.json" with { type: "json" };
import en from "../../locales/en.json" with { type: "json" };
import es from "../../locales/es.json" with { type: "json" };
import fr from "../../locales/fr.json" with { type: "json" };

export type Key = keyof typeof en;
type Words = Readonly<Record<Key, string>>;

export const LOCALES: Readonly<Record<string, Words>> = { ar, en, es, fr };

/** Says things in the language nearest to the tag that there is: itself, the same language elsewhere, English. */
export class Speaker {
  readonly tag: string;
  readonly #words: Words;

  constructor(language: string) {
    this.tag = [language, language.split("-")[0] ?? ""].find((each) => each in LOCALES) ?? "en";
    this.#words = LOCALES[this.tag] ?? en;
  }

  get direction(): "ltr" | "rtl" {
    return this.tag === "ar" ? "rtl" : "ltr";
  }

  say(key: Key, given: Readonly<Record<string, string | number>> = {}): string {
    return this.#words[key].replace(/\{(\w+)\}/g, (whole, name: string) => (name in given ? this.#written(given[name] as string | number) : whole));
  }

  percent(share: number): string {
    return new Intl.NumberFormat(this.tag, { style: "percent", maximumFractionDigits: 0 }).format(share);
  }

  number(value: number): string {
    return new Intl.NumberFormat(this.tag, { maximumFractionDigits: 2 }).format(value);
  }

  bytes(size: number): string {
    const [unit, shown] = size >= 1e6 ? (["megabyte", size / 1e6] as const) : (["kilobyte", Math.max(1, size / 1e3)] as const);
    return new Intl.NumberFormat(this.tag, { style: "unit", unit, maximumFractionDigits: shown < 10 ? 1 : 0 }).format(shown);
  }

  #written(value: string | number): string {
    return typeof value === "number" ? this.number(value) : value;
  }
}
