/** All vectors under node: prints what did not end as it has to, and how many there were. */
import { readdirSync, readFileSync } from "node:fs";
import { run, type Outcome, type Vector } from "./vectors.ts";

const folder = process.argv[2]!;

export function load(path: string): Vector {
  const vector = JSON.parse(readFileSync(`${folder}/${path}`, "utf8"));
  return "base" in vector ? { ...load(vector.base), ...vector } : vector;
}

const outcomes: Outcome[] = [];
for (const kind of ["good", "bad"]) {
  for (const name of readdirSync(`${folder}/${kind}`).sort()) {
    outcomes.push(await run(`${kind}/${name}`, load(`${kind}/${name}`)));
  }
}
console.log(JSON.stringify({ ran: outcomes.length, problems: outcomes.filter((outcome) => outcome.problem !== "") }));
