/**
 * What a refusal says to a learner or teacher: what is the case, with days where there are any, and what to do.
 *
 * The same sentences as the other reader's; programs compare codes, never these.
 */

const DAY_S = 86_400;
const MONTHS = [
  "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
];
const LOST = "Nothing that was learnt is lost.";

export const ASK = `Ask the school. ${LOST}`;
export const ONLINE = "Go online once, or bring fresh lists on a memory stick.";

/** 3 May 2026, for a time in seconds since 1970. */
export function day(timeS: number): string {
  const date = new Date(timeS * 1000);
  return `${date.getUTCDate()} ${MONTHS[date.getUTCMonth()] ?? ""} ${date.getUTCFullYear()}`;
}

/** Whole days of a span in seconds. */
export function days(spanS: number): string {
  const count = Math.max(0, Math.floor(spanS / DAY_S));
  return count === 0 ? "less than a day" : count === 1 ? "1 day" : `${count} days`;
}

export function notYet(notBeforeS: number, clockS: number): string {
  return `This course begins on ${day(notBeforeS)}, in ${days(notBeforeS - clockS)}. Wait until then; if the date is wrong, set the clock and go online once.`;
}

export function expired(notAfterS: number, clockS: number): string {
  return `This course could be opened until ${day(notAfterS)}; that was ${days(clockS - notAfterS)} ago. Go online once to renew it. ${LOST}`;
}

export function stale(sinceS: number, graceS: number): string {
  return `What this device knows is of ${day(sinceS)}, and the ${days(graceS)} of grace are over. ${ONLINE}`;
}

export function keyRevoked(graceS: number): string {
  return `The key that vouched for this course is revoked, and the ${days(graceS)} of grace are over. Go online once, or fetch a new licence by memory stick.`;
}
