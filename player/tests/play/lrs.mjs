// A Learning Record Store small enough to read, for tests: statements, state, agent profiles, and the fetch URL of cmi5. It judges
// each statement as it comes with xapi-validation, checks what cmi5 asks of a session, and remembers all of it.
import { randomUUID } from "node:crypto";
import validation from "xapi-validation";

const warningsOf = validation.default; // a function of a statement, in a CommonJS module

const CMI5 = "https://w3id.org/xapi/cmi5/context/categories/cmi5";
const MOVEON = "https://w3id.org/xapi/cmi5/context/categories/moveon";
const VERB = "http://adlnet.gov/expapi/verbs/";

export class Lrs {
  statements = [];
  documents = new Map();
  problems = [];
  tokens = new Map(); // token of a fetch URL → given out?
  secret = "bHJzOnNlY3JldA==";
  refusing = false;

  /** Handles a request below /lrs/; true if it was one. */
  async handle(request, response, url, body) {
    response.setHeader("Access-Control-Allow-Origin", "*");
    response.setHeader("Access-Control-Allow-Headers", "Authorization, Content-Type, X-Experience-API-Version");
    response.setHeader("Access-Control-Allow-Methods", "GET, PUT, POST");
    if (request.method === "OPTIONS") return this.#end(response, 204);
    const path = url.pathname.replace(/^\/lrs\//, "");
    if (path === "fetch") return this.#token(response, url);
    if (this.refusing) return this.#end(response, 503);
    if (request.headers.authorization !== `Basic ${this.secret}`) return this.#end(response, 401);
    if (request.headers["x-experience-api-version"] !== "1.0.3") return this.#end(response, 400);
    if (path === "statements" && request.method === "POST") return this.#take(response, JSON.parse(body));
    if (path === "activities/state" || path === "agents/profile") return this.#document(request, response, url, path, body);
    return this.#end(response, 404);
  }

  /** Makes a launch: LMS.LaunchData is there, the fetch URL answers once. */
  launchCmi5(base, { activity, registration, actor, masteryScore, moveOn, launchMode = "Normal" }) {
    const session = randomUUID();
    const contextTemplate = { contextActivities: { grouping: [{ id: `${activity}#lms` }] }, extensions: { "https://w3id.org/xapi/cmi5/context/extensions/sessionid": session } };
    const data = { contextTemplate, launchMode, moveOn, ...(masteryScore === undefined ? {} : { masteryScore }) };
    this.#put("activities/state", { activityId: activity, agent: JSON.stringify(actor), registration, stateId: "LMS.LaunchData" }, JSON.stringify(data));
    this.#put("agents/profile", { agent: JSON.stringify(actor), profileId: "cmi5LearnerPreferences" }, JSON.stringify({ languagePreference: "en" }));
    const token = randomUUID();
    this.tokens.set(token, false);
    const query = new URLSearchParams({ endpoint: `${base}/lrs/`, fetch: `${base}/lrs/fetch?${token}`, actor: JSON.stringify(actor), registration, activityId: activity });
    return { query: query.toString(), session };
  }

  #token(response, url) {
    const token = url.search.slice(1);
    if (this.tokens.get(token) !== false) return this.#end(response, 200, JSON.stringify({ "error-code": "1", "error-text": "The token was fetched before." }));
    this.tokens.set(token, true);
    return this.#end(response, 200, JSON.stringify({ "auth-token": this.secret }));
  }

  #take(response, given) {
    const list = Array.isArray(given) ? given : [given];
    for (const statement of list) {
      this.problems.push(...warningsOf(statement, ["statement"]).map((warning) => `${JSON.stringify(warning.path)} ${warning.constructor.name}: ${JSON.stringify(warning.data)}`));
      if (this.statements.some((each) => each.id === statement.id)) continue;
      this.statements.push(statement);
    }
    return this.#end(response, 200, JSON.stringify(list.map((each) => each.id)));
  }

  #document(request, response, url, path, body) {
    const key = this.#key(path, Object.fromEntries(url.searchParams));
    if (request.method === "PUT") {
      this.documents.set(key, body);
      return this.#end(response, 204);
    }
    const found = this.documents.get(key);
    return found === undefined ? this.#end(response, 404) : this.#end(response, 200, found);
  }

  #put = (path, query, body) => this.documents.set(this.#key(path, query), body);

  #key(path, query) {
    const agent = query.agent ? JSON.stringify(JSON.parse(query.agent)) : "";
    return JSON.stringify([path, agent, query.activityId ?? "", query.registration ?? "", query.stateId ?? query.profileId ?? ""]);
  }

  #end(response, status, body = "") {
    response.statusCode = status;
    response.end(body);
    return true;
  }
}

/** What cmi5 (Quartz) asks of the statements of one session; the ids are those of ADL's CATAPULT requirements. */
export function judgeSession(statements, session) {
  const found = [];
  const mine = statements.filter((each) => each.context?.extensions?.["https://w3id.org/xapi/cmi5/context/extensions/sessionid"] === session);
  const defined = mine.filter((each) => each.context?.contextActivities?.category?.some((category) => category.id === CMI5));
  const verbs = defined.map((each) => each.verb.id.replace(VERB, ""));
  const fail = (id, why) => found.push(`${id}: ${why}`);
  if (verbs[0] !== "initialized") fail("9.3.0.0-4", `the first statement of the session is ${verbs[0]}`);
  if (verbs.filter((each) => each === "initialized").length !== 1) fail("9.3.0.0-2", "initialized is not there exactly once");
  if (verbs.filter((each) => each === "terminated").length !== 1) fail("9.3.0.0-6", "terminated is not there exactly once");
  if (verbs.at(-1) !== "terminated" || mine.at(-1)?.verb.id !== `${VERB}terminated`) fail("9.3.8.0-3", "terminated is not the last one");
  for (const each of mine) {
    if (!each.context.registration) fail("9.6.1.0-1", `no registration in ${each.verb.id}`);
    if (!each.context.contextActivities?.grouping?.length) fail("10.2.1.0-5", `the context template is not in ${each.verb.id}`);
    if (!/Z$|[+-]\d\d:?\d\d$/.test(each.timestamp ?? "")) fail("9.7.0.0-1", `no timestamp with zone in ${each.verb.id}`);
  }
  for (const each of defined) {
    const verb = each.verb.id.replace(VERB, "");
    const moves = each.context.contextActivities.category.some((category) => category.id === MOVEON);
    const results = { completed: ["completion", true], passed: ["success", true], failed: ["success", false] }[verb];
    if (results && each.result?.[results[0]] !== results[1]) fail("9.5.3.0-1", `${verb} has no ${results[0]}`);
    if (verb === "completed" && each.result?.success !== undefined) fail("9.5.2.0-3", "completed has success");
    if (verb === "completed" && each.result?.score) fail("9.5.1.0-1", "completed has a score");
    if (results && !moves) fail("9.6.2.2-1", `${verb} has no category moveon`);
    if (!results && moves) fail("9.6.2.2-2", `${verb} has the category moveon`);
    if ((results || verb === "terminated") && !/^PT/.test(each.result?.duration ?? "")) fail("9.5.4.1-1", `${verb} has no duration`);
  }
  for (const verb of ["completed", "passed"]) if (verbs.filter((each) => each === verb).length > 1) fail("9.3.0.0-8", `${verb} twice`);
  return found;
}
