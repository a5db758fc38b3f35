/** Changed vectors under node: whatever is changed, a reader accepts or throws `Refused`, and nothing else. */
import { readdirSync, readFileSync } from "node:fs";
import type { Json } from "../src/reader/canonical.ts";
import { parseDocument } from "../src/reader/documents.ts";
import { b64, unb64 } from "../src/reader/notation.ts";
import { Refused } from "../src/reader/refused.ts";
import { run, type Vector } from "./vectors.ts";

const [folder, rounds] = [process.argv[2]!, Number(process.argv[3])];
let seed = 20261124;

/** A small generator (mulberry32), so that a failure can be made again. */
function random(below: number): number {
  seed = (seed + 0x6d2b79f5) | 0;
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) % below;
}

const pick = <T>(values: readonly T[]): T => values[random(values.length)]!;
const ODD: readonly Json[] = [
  null, true, 0, -1, 1.5, 1e300, "", "\ud800", "é", "a".repeat(5000), [], {}, [[]], { __proto__: null, constructor: 1 },
  "__proto__", 2 ** 53, "sha256:", { toString: "x" }, ["sha256:00"],
];

function changeText(text: string): string {
  const at = random(text.length + 1);
  const piece = pick(["", "=", "\\", '"', "{", "\u0000", "A", ".", ",", '"a":1,', "\ud83d", "9", "NaN", "1e999"]);
  return text.slice(0, at) + piece + text.slice(at + random(3));
}

function change(value: Json): Json {
  if (random(8) === 0) return pick(ODD);
  if (typeof value === "string") return random(4) === 0 ? (pick(ODD) as Json) : changeText(value);
  if (Array.isArray(value) && value.length > 0) {
    const at = random(value.length);
    return random(5) === 0 ? [...value, value[at]!] : value.map((each, i) => (i === at ? change(each) : each));
  }
  if (typeof value === "object" && value !== null && Object.keys(value).length > 0) {
    const name = pick(Object.keys(value));
    const { [name]: old, ...rest } = value as { [name: string]: Json };
    return random(6) === 0 ? rest : { ...rest, [random(8) === 0 ? `${name}x` : name]: change(old!) };
  }
  return pick(ODD);
}

const SIGNED = ["chain", "revocations", "revocations_signature", "licence", "signature"];
const INPUTS = [...SIGNED, "index", "file", "jws", "delta", "parts"];
const problems: string[] = [];
const seen = new Map<string, number>();
const names = readdirSync(`${folder}/good`).filter((name) => !name.startsWith("stream-"));
const vectors = names.map((name): Vector => JSON.parse(readFileSync(`${folder}/good/${name}`, "utf8")));
for (let i = 0; i < rounds; i++) {
  const vector = structuredClone(pick(vectors));
  const input = pick(INPUTS.filter((name) => name in vector));
  // Parts are given by a store, which answers with bytes: only their text is changed.
  const bytes = { parts: () => mapValues(vector.parts), file: () => changeFile(vector.file) }[input];
  const made: Json = bytes === undefined ? change(vector[input]) : bytes();
  // Bytes from outside are handed in as bytes; a value that is no text stands for no bytes at all.
  const asText = ["revocations", "licence", "index", "delta"].includes(input) && typeof made !== "string";
  vector[input] = asText ? JSON.stringify(made) : made;
  const { problem } = await run(vector.name, { ...vector, code: "any" });
  if (problem.startsWith("threw") && !problem.includes("not as expected")) {
    problems.push(`${i} ${vector.name} ${input}: ${problem}`);
  }
  const code = /refused as ([a-z0-9-]+)/.exec(problem)?.[1] ?? "accepted";
  seen.set(code, (seen.get(code) ?? 0) + 1);
}

/** A single file with up to four bytes changed, or cut, or with a piece of itself put in. */
function changeFile(file: string): string {
  const bytes = [...unb64(file)!];
  for (let i = random(4); i >= 0; i--) {
    const how = random(4);
    const at = bytes.length - 1 - random(random(2) === 0 ? bytes.length : 700);
    if (how === 0) bytes.splice(at, random(30));
    else if (how === 1) bytes.splice(at, 0, ...bytes.slice(at - 40, at));
    else bytes[at] = random(256);
  }
  return b64(Uint8Array.from(bytes));
}

function mapValues(parts: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(parts).map(([path, text]) => [path, text.slice(0, random(text.length) & ~3)]));
}

for (let i = 0; i < rounds; i++) {
  const bytes = new TextEncoder().encode(changeText(changeText(pick(vectors).licence ?? "{}")));
  try {
    parseDocument(bytes, "licence", 1 << 20);
  } catch (error) {
    if (!(error instanceof Refused)) problems.push(`parseDocument: ${String(error)}`);
  }
}
for (const deep of ["[".repeat(200_000), `{"a":${"[".repeat(200_000)}${"]".repeat(200_000)}}`]) {
  try {
    parseDocument(new TextEncoder().encode(deep), "licence", 1 << 20);
  } catch (error) {
    if (!(error instanceof Refused)) problems.push(`nesting: ${String(error)}`);
  }
}
console.log(JSON.stringify({ problems, codes: seen.size }));
