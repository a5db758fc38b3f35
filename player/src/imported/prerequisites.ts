// AICC script, in which SCORM 1.2 and AICC say what has to be done before an item: identifiers joined by & and |, ~ for not,
// ITEM = "status", ITEM <> "status", 2*{A, B, C} for two of three, and brackets. What cannot be read closes nothing.
import type { Status } from "./record.ts";

type Known = (item: string) => Status;
const WORDS: Readonly<Record<string, readonly Status[]>> = {
  p: ["passed"], passed: ["passed"], c: ["done"], completed: ["done", "passed"], f: ["failed"], failed: ["failed"], i: ["begun"], incomplete: ["begun"], b: ["done"], browsed: ["done"], n: ["new"], "not attempted": ["new"],
};

/** Whether an item with these prerequisites may be opened. */
export function allows(script: string, status: Known): boolean {
  const tokens = script.match(/"[^"]*"|<>|[&|~=(){},*]|[^&|~=(){},*<>"\s]+/g) ?? [];
  if (!tokens.length) return true;
  let at = 0;
  const next = (): string => tokens[at++] ?? "";
  const done = (item: string): boolean => ["done", "passed"].includes(status(item));

  const either = (): boolean => {
    let value = both();
    while (tokens[at] === "|") value = (next(), both()) || value;
    return value;
  };
  const both = (): boolean => {
    let value = one();
    while (tokens[at] === "&") value = (next(), one()) && value;
    return value;
  };
  const one = (): boolean => {
    const token = next();
    if (token === "~") return !one();
    if (token === "(") {
      const value = either();
      if (next() !== ")") throw new SyntaxError(script);
      return value;
    }
    if (/^\d+$/.test(token) && tokens[at] === "*") return (next(), some(Number(token)));
    if (!/^[^&|~=(){},*"]+$/.test(token)) throw new SyntaxError(script);
    const sign = tokens[at];
    if (sign !== "=" && sign !== "<>") return done(token);
    next();
    const wanted = WORDS[next().replace(/"/g, "").toLowerCase()];
    if (!wanted) throw new SyntaxError(script);
    return wanted.includes(status(token)) === (sign === "=");
  };
  const some = (most: number): boolean => {
    if (next() !== "{") throw new SyntaxError(script);
    const found: boolean[] = [];
    do found.push(either());
    while (next() === ",");
    if (tokens[at - 1] !== "}") throw new SyntaxError(script);
    return found.filter(Boolean).length >= most;
  };

  try {
    const value = either();
    return at < tokens.length || value;
  } catch {
    return true;
  }
}
