// Statements about a course, as both xAPI adapters send them: verbs of ADL's vocabulary, interactions as xAPI data 2.4.4.1 has
// them. What cmi5 adds (categories, session) comes in as `context`.
import type { Course } from "../course.ts";
import type { Standing } from "../progress.ts";
import type { Answered } from "../tracking.ts";
import { duration, identifier, pattern, response, TYPES } from "./interactions.ts";
import { type Json, type Place, uuid } from "./lrs.ts";

export const VERBS = {
  initialized: "http://adlnet.gov/expapi/verbs/initialized",
  answered: "http://adlnet.gov/expapi/verbs/answered",
  completed: "http://adlnet.gov/expapi/verbs/completed",
  passed: "http://adlnet.gov/expapi/verbs/passed",
  failed: "http://adlnet.gov/expapi/verbs/failed",
  terminated: "http://adlnet.gov/expapi/verbs/terminated",
} as const;
export type Verb = keyof typeof VERBS;

const ACTIVITY = "http://adlnet.gov/expapi/activities/course";
const INTERACTION = "http://adlnet.gov/expapi/activities/cmi.interaction";

export class Statements {
  readonly #course: Course;
  readonly #place: Place;
  readonly #context: Json;

  constructor(course: Course, place: Place, context: Json = {}) {
    this.#course = course;
    this.#place = place;
    this.#context = context;
  }

  about(verb: Verb, result: Json | null = null, context: Json = {}): Json {
    const object = { objectType: "Activity", id: this.#place.activity, definition: { type: ACTIVITY, name: this.#course.metadata.title } };
    return this.#statement(verb, object, result, context);
  }

  answered(answered: Answered): Json {
    const { question } = answered;
    const definition: Record<string, unknown> = {
      type: INTERACTION,
      interactionType: TYPES[question.kind],
      description: plainTexts(question.prompt),
      correctResponsesPattern: [pattern(answered, "2004", "")],
    };
    if (question.kind === "single" || question.kind === "multiple") definition["choices"] = question.choices.map((each) => ({ id: each.id, description: each.text }));
    if (question.kind === "ordering") definition["choices"] = question.items.map((each) => ({ id: each.id, description: each.text }));
    if (question.kind === "matching") {
      definition["source"] = question.pairs.map((each) => ({ id: each.id, description: each.left }));
      definition["target"] = question.pairs.map((each) => ({ id: each.id, description: each.right }));
    }
    const points = answered.right ? question.points : 0;
    const score = question.points > 0 ? { score: { raw: points, min: 0, max: question.points, scaled: points / question.points } } : {};
    const result = { response: response(answered, "2004"), success: answered.right, duration: duration(answered.latency_s), ...score };
    return { ...this.#statement("answered", { objectType: "Activity", id: `${this.#place.activity}/${identifier(answered)}`, definition }, result, { contextActivities: { parent: [{ id: this.#place.activity }] } }), timestamp: answered.at.toISOString() };
  }

  #statement(verb: Verb, object: Json, result: Json | null, context: Json): Json {
    const registration = this.#place.registration ? { registration: this.#place.registration } : {};
    return {
      id: uuid(),
      actor: this.#place.actor,
      verb: { id: VERBS[verb], display: { en: verb } },
      object,
      ...(result ? { result } : {}),
      context: merged({ ...this.#context, ...registration }, context),
      timestamp: new Date().toISOString(),
    };
  }
}

/** Score of a standing as a result has it. */
export const scored = (at: Standing): Json => (at.score ? { score: { raw: at.score.raw, min: 0, max: at.score.max, scaled: Math.round(at.score.scaled * 10_000) / 10_000 } } : {});

/** Both contexts; of activities and extensions that both have, what the platform gave and what is ours. */
function merged(one: Json, other: Json): Json {
  const [ours, theirs] = [one, other].map((each) => (each["contextActivities"] ?? {}) as Record<string, Json[]>) as [Record<string, Json[]>, Record<string, Json[]>];
  const activities = Object.fromEntries(Object.keys({ ...ours, ...theirs }).map((kind) => [kind, [...(ours[kind] ?? []), ...(theirs[kind] ?? [])]]));
  const extensions = { ...(one["extensions"] as Json | undefined), ...(other["extensions"] as Json | undefined) };
  return { ...one, ...other, ...(Object.keys(activities).length ? { contextActivities: activities } : {}), ...(Object.keys(extensions).length ? { extensions } : {}) };
}

/** Prompts are HTML; a definition's description is not. */
function plainTexts(texts: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const read = (html: string): string => new DOMParser().parseFromString(html, "text/html").body.textContent?.trim() ?? "";
  return Object.fromEntries(Object.entries(texts).map(([tag, html]) => [tag, read(html)]));
}
