/**
 * The canonical form of JSON (RFC 8785), and JSON that repeats no member.
 *
 * `JSON.parse` keeps the last of two members of one name and does not say so. For a canonical document the comparison with
 * its canonical form finds that; for headers and payloads in any order `repeatsMember` goes through the text.
 */
import { fromUtf8, utf8, type Bytes } from "./notation.ts";

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };
export type Members = { [name: string]: Json };

/** Canonical text, or null for what has none: a lone surrogate, an infinite number, nesting beyond the engine's stack. */
export function canonicalText(value: Json): string | null {
  try {
    return write(value);
  } catch {
    return null;
  }
}

/** Canonical bytes of a value that this program made itself. */
export function canonical(value: Json): Bytes {
  return utf8(write(value));
}

function write(value: Json): string {
  if (typeof value === "string") return writeString(value);
  if (typeof value === "number") {
    const text = JSON.stringify(value);
    if (!Number.isFinite(value) || isBeyondExact(value, text)) throw new RangeError("a number without a canonical form");
    return text;
  }
  if (value === null || typeof value === "boolean") return String(value);
  if (Array.isArray(value)) return `[${value.map(write).join(",")}]`;
  // `sort` without a comparison is by UTF-16 code units, which is what RFC 8785 asks for.
  const names = Object.keys(value).sort();
  return `{${names.map((name) => `${writeString(name)}:${write(value[name]!)}`).join(",")}}`;
}

/** Digits that a double may have rounded on the way in. From 10²¹ on numbers have an exponent, and are what they say. */
const isBeyondExact = (value: number, text: string): boolean =>
  Number.isInteger(value) && !Number.isSafeInteger(value) && !text.includes("e");

/** `JSON.stringify` escapes exactly as RFC 8785 asks, except that it hides lone surrogates in escapes. */
function writeString(text: string): string {
  if (!text.isWellFormed()) throw new RangeError("a lone surrogate");
  return JSON.stringify(text);
}

/** The value of strict JSON in UTF-8 with no member twice in one object; undefined for anything else. */
export function parseJson(bytes: Uint8Array): Json | undefined {
  const text = fromUtf8(bytes);
  if (text === null) return undefined;
  try {
    const value = JSON.parse(text) as Json;
    // The canonical form has each member once, so most documents need no second look.
    return canonicalText(value) === text || !repeatsMember(text) ? value : undefined;
  } catch {
    return undefined; // no JSON, or nested deeper than the engine's stack
  }
}

/** Whether an object within valid JSON text names a member twice; `"a"` and its escaped form are one name. */
function repeatsMember(text: string): boolean {
  const open: (Set<string> | null)[] = [];
  let names: Set<string> | null = null;
  for (let i = 0; i < text.length; i++) {
    const character = text[i]!;
    if (character === "{" || character === "[") {
      names = character === "{" ? new Set() : null;
      open.push(names);
    } else if (character === "}" || character === "]") {
      open.pop();
      names = open.at(-1) ?? null;
    } else if (character === '"') {
      const end = endOfString(text, i);
      if (names !== null && followedByColon(text, end)) {
        const name = JSON.parse(text.slice(i, end)) as string;
        if (names.has(name)) return true;
        names.add(name);
      }
      i = end - 1;
    }
  }
  return false;
}

function endOfString(text: string, begin: number): number {
  let i = begin + 1;
  while (text[i] !== '"') i += text[i] === "\\" ? 2 : 1;
  return i + 1;
}

function followedByColon(text: string, at: number): boolean {
  let i = at;
  while (" \t\r\n".includes(text[i] ?? "x")) i++;
  return text[i] === ":";
}
