/**
 * Section "Notation": bytes, base64url, digests, times and the patterns of names.
 *
 * Nothing here knows a document. What does not match gives `null` or `false`, and the caller says which check that is,
 * since the same pattern is broken under different codes.
 */

/** Bytes of our own, never on memory that another thread may change: WebCrypto takes no shared memory. */
export type Bytes = Uint8Array<ArrayBuffer>;

export const DIGEST = /^sha256:[0-9a-f]{64}$/;
export const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/;
export const IDENTIFIER = /^[A-Za-z0-9_-]{1,64}$/;
export const THUMBPRINT = /^[A-Za-z0-9_-]{43}$/;
export const TENANT = /^[a-z0-9][a-z0-9-]{1,38}$/;
export const PATH = /^[a-z]{3}_[a-z0-9]{26}\/[A-Za-z0-9_-]{1,64}\/[a-z0-9]{1,16}\.(part|json)$/;
export const BUNDLE_ID = /^bnd_[a-z0-9]{26}$/;

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const VALUES = new Int16Array(128).fill(-1);
for (let i = 0; i < 64; i++) VALUES[ALPHABET.charCodeAt(i)] = i;

export const utf8 = (text: string): Bytes => new TextEncoder().encode(text);

/** UTF-8 to text, or null. A byte order mark stays in the text, so that JSON with one is refused. */
export function fromUtf8(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

export function b64(bytes: Uint8Array): string {
  const pieces: string[] = [];
  let text = "";
  for (let i = 0; i < bytes.length; i += 3) {
    const left = bytes.length - i;
    const group = (bytes[i]! << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    text += ALPHABET[group >> 18]! + ALPHABET[(group >> 12) & 63]!;
    if (left > 1) text += ALPHABET[(group >> 6) & 63]!;
    if (left > 2) text += ALPHABET[group & 63]!;
    if (text.length > 8192) {
      pieces.push(text);
      text = "";
    }
  }
  return pieces.join("") + text;
}

/** The bytes, or null for any text that is not exactly what encoding them gives (also for set bits after the last byte). */
export function unb64(text: unknown): Bytes | null {
  if (typeof text !== "string" || text.length % 4 === 1) return null;
  const bytes = new Uint8Array(Math.floor((text.length * 3) / 4));
  let bits = 0;
  let held = 0;
  let at = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    const value = code < 128 ? VALUES[code]! : -1;
    if (value < 0) return null;
    held = ((held << 6) | value) & 0xffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes[at++] = (held >> bits) & 255;
    }
  }
  return held & ((1 << bits) - 1) ? null : bytes;
}

export function concat(...parts: Uint8Array[]): Bytes {
  const joined = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

export function u32be(n: number): Bytes {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, n);
  return bytes;
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

export const hex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

export function unhex(text: string): Bytes {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

export async function sha256(bytes: Bytes): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}

/** `sha256:` and 64 hex digits. */
export async function digestOf(bytes: Bytes): Promise<string> {
  return `sha256:${hex(await sha256(bytes))}`;
}

/** Seconds since 1970 of a time as the document writes it, or null; 30 February, 24:00 and the year 0000 are no times. */
export function parseTime(text: unknown): number | null {
  if (typeof text !== "string" || !TIME.test(text) || text.startsWith("0000")) return null;
  const milliseconds = Date.parse(text);
  return Number.isNaN(milliseconds) || writeTime(milliseconds / 1000) !== text ? null : milliseconds / 1000;
}

export const writeTime = (seconds: number): string => `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z`;

/** A whole number as "Notation" has it. */
export const isWhole = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/** Compares lists of numbers from left to right; they are of one length. */
export function compare(a: readonly number[], b: readonly number[]): number {
  const i = a.findIndex((value, at) => value !== b[at]);
  return i < 0 ? 0 : Math.sign(a[i]! - b[i]!);
}
