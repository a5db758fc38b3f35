/**
 * Section "Documents": the steps that every document goes through, and the values within one.
 *
 * Steps 1 to 4 are `parseDocument` and `expectType`. For step 5 a reader takes each member by `Fields`, which knows the
 * `<kind>-malformed` to refuse with, and ends with `done`, so that an unknown member cannot be overlooked.
 */
import { canonicalText, parseJson, type Json, type Members } from "./canonical.ts";
import { fromUtf8, isWhole, parseTime } from "./notation.ts";
import { Refused } from "./refused.ts";

/** Steps 1 to 3: size, JSON object without repeated members, canonical. */
export function parseDocument(bytes: Uint8Array, kind: string, limit: number): Members {
  const members = parseObject(bytes, kind, limit);
  if (canonicalText(members) !== fromUtf8(bytes)) {
    throw new Refused("document-not-canonical", `The ${kind} is not in its canonical form.`);
  }
  return members;
}

/** Steps 1 and 2 alone, for payloads whose members may stand in any order. */
export function parseObject(bytes: Uint8Array, kind: string, limit: number): Members {
  if (bytes.length > limit) throw new Refused(`${kind}-too-large`, `The ${kind} is larger than ${limit} bytes.`);
  const value = parseJson(bytes);
  if (!isMembers(value)) {
    throw new Refused(`${kind}-malformed`, `The ${kind} is not a JSON object that names each member once.`);
  }
  return value;
}

/** Step 4. */
export function expectType(members: Members, type: string): void {
  if (get(members, "type") !== type) throw new Refused("document-type", `This is not a document of type ${type}.`);
  if (get(members, "shape") !== 1) throw new Refused("document-shape", `This ${type} is not of shape 1.`);
}

/** Step 4 and the beginning of step 5: the members of a document of this type that are left to take. */
export function typed(members: Members, type: string, code: string): Fields {
  expectType(members, type);
  const fields = new Fields(members, code);
  fields.take("type");
  fields.take("shape");
  return fields;
}

export const isMembers = (value: unknown): value is Members =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A member of the object itself: `toString` and the like are not members. */
export const get = (members: Members, name: string): Json | undefined =>
  Object.hasOwn(members, name) ? members[name] : undefined;

/** The members of one object, taken one by one. */
export class Fields {
  private readonly left: Map<string, Json>;
  private readonly code: string;

  constructor(value: unknown, code: string) {
    this.code = code;
    if (!isMembers(value)) throw this.refuse("An object is missing");
    this.left = new Map(Object.entries(value));
  }

  refuse(what: string): Refused {
    return new Refused(this.code, `${what} (${this.code}).`);
  }

  /** Step 5, last: nothing is left over. */
  done(): void {
    for (const name of this.left.keys()) throw this.refuse(`The member ${JSON.stringify(name)} is not known`);
  }

  take(name: string): Json {
    const value = this.left.get(name);
    if (value === undefined) throw this.refuse(`The member ${name} is missing`);
    this.left.delete(name);
    return value;
  }

  text(name: string, pattern: RegExp): string {
    return this.matching(this.take(name), pattern, name);
  }

  oneOf<T extends string>(name: string, values: readonly T[]): T {
    const value = this.take(name);
    const found = values.find((known) => known === value);
    if (found === undefined) throw this.refuse(`${name} has a value that is not known`);
    return found;
  }

  whole(name: string, least = 0, most = Number.MAX_SAFE_INTEGER): number {
    const value = this.take(name);
    if (!isWhole(value) || value < least || value > most) throw this.refuse(`${name} is not a number in its range`);
    return value;
  }

  wholes(name: string, count: number): number[] {
    const values = this.list(name, count, count);
    if (!values.every(isWhole)) throw this.refuse(`${name} is not ${count} whole numbers`);
    return values;
  }

  /** Seconds since 1970. */
  time(name: string): number {
    const seconds = parseTime(this.take(name));
    if (seconds === null) throw this.refuse(`${name} is not a time`);
    return seconds;
  }

  list(name: string, least: number, most: number): Json[] {
    const value = this.take(name);
    if (!Array.isArray(value) || value.length < least || value.length > most) {
      throw this.refuse(`${name} is not a list of ${least} to ${most}`);
    }
    return value;
  }

  /** A sorted list of texts without repetition. */
  sorted(name: string, pattern: RegExp, most: number): string[] {
    const values = this.list(name, 0, most).map((value) => this.matching(value, pattern, name));
    if (values.some((value, i) => i > 0 && values[i - 1]! >= value)) throw this.refuse(`${name} is not sorted`);
    return values;
  }

  object(name: string): Fields {
    return new Fields(this.take(name), this.code);
  }

  members(name: string): Members {
    const value = this.take(name);
    if (!isMembers(value)) throw this.refuse(`${name} is not an object`);
    return value;
  }

  private matching(value: Json, pattern: RegExp, name: string): string {
    if (typeof value !== "string" || !pattern.test(value)) throw this.refuse(`${name} does not match its pattern`);
    return value;
  }
}
