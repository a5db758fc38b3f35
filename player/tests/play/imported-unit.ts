// The pure parts of the player of imported packages.
import assert from "node:assert/strict";
import { test } from "node:test";
import { addressOf, type Element, type Item, placesOf, type Scorm } from "../../src/imported/course.ts";
import { rangeOf } from "../../src/imported/messages.ts";
import { allows } from "../../src/imported/prerequisites.ts";
import { empty, later, NOTHING, parse, standingOf, type Status, withItem } from "../../src/imported/record.ts";
import { isSequenced, launchDataOf, objectiveIdsOf, sequencingOf } from "../../src/imported/sequencing.ts";
import { labelOf } from "../../src/learner/origins.ts";

const IMSSS = "{http://www.imsglobal.org/xsd/imsss}";
const ADLSEQ = "{http://www.adlnet.org/xsd/adlseq_v1p3}";
const e = (name: string, attributes: Record<string, string> = {}, children: readonly Element[] = [], text = ""): Element => ({ name, attributes: Object.entries(attributes), text, children });
const item = (identifier: string, more: Partial<Item> = {}): Item => ({ identifier, title: identifier, resource: `r-${identifier}`, visible: true, parameters: "", prerequisites: "", max_time_allowed: "", time_limit_action: "", data_from_lms: "", mastery_score: "", extras: [], children: [], ...more });
const scorm = (items: readonly Item[], more: Partial<Scorm> = {}): Scorm => ({
  edition: "2004-4th", title: "t", language: "", default: "o", extras: [],
  organizations: [{ identifier: "o", title: "O", items, attributes: [], extras: [] }],
  resources: items.map((each) => ({ identifier: `r-${each.identifier}`, scorm_type: "sco", href: "a.html", remote: false })),
  launches: items.map((each) => ({ organization: "o", item: each.identifier, title: each.title, href: "a.html" })),
  ...more,
});

test("an address is written as the file is named, and its query as it stands", () => {
  const at = (href: string): string => addressOf({ organization: "", item: "", title: "", href }, "content/");
  assert.equal(at("a/b c.html?x=1&y=%20#z"), "content/a/b%20c.html?x=1&y=%20#z");
  assert.equal(at("ü/100%25 sure.html"), "content/%C3%BC/100%2525%20sure.html");
  assert.equal(at("what%3F#1.html".replace("#1", "%231")), "content/what%3F%231.html");
  assert.equal(at("a:b/index.html"), "content/a%3Ab/index.html");
});

test("prerequisites are AICC script", () => {
  const known: Record<string, Status> = { A: "passed", B: "done", C: "begun", D: "failed" };
  const may = (script: string): boolean => allows(script, (id) => known[id] ?? "new");
  for (const yes of ["", "A", "A&B", "A & B", "C|A", "~C", "(C|A)&B", 'A="passed"', 'D = "f"', 'C <> "completed"', "2*{A,B,C}", "1*{C,(A&B)}", '~(D="passed")']) assert.equal(may(yes), true, yes);
  for (const no of ["C", "A&C", "C|D", "~A", 'B="passed"', "2*{A,C,D}", "E", 'A<>"p"']) assert.equal(may(no), false, no);
  for (const unreadable of ["A &", "((A", "2*{A", '"x"', "A B", 'A="sideways"', ")"]) assert.equal(may(unreadable), true, unreadable);
});

test("a record comes back whole or not at all", () => {
  const record = withItem(empty(3), "i1", { cmi: { "cmi.location": "4" }, total: "PT1S", exit: "suspend", status: "begun", score: null });
  assert.deepEqual(parse(JSON.stringify(record), 3), record);
  const next = parse(JSON.stringify({ ...record, sequencing: "{}" }), 4);
  assert.deepEqual([next?.version, next?.sequencing, next?.items["i1"]?.cmi["cmi.location"]], [4, null, "4"], "another version goes on without its sequencing");
  for (const bad of [null, "", "{", "[]", "null", '{"shape":2}', JSON.stringify({ ...record, revision: "1" }), JSON.stringify({ ...record, items: { a: { cmi: { x: 1 } } } }), JSON.stringify({ ...record, items: { a: { ...NOTHING, status: "won" } } }), JSON.stringify({ ...record, here: 1 }), JSON.stringify({ ...record, sequencing: {} })]) assert.equal(parse(bad, 3), null, String(bad));
  assert.equal(later(record, { ...record, revision: 9 })?.revision, 9);
  assert.equal(later(null, record), record);
  assert.equal(later(record, null), record);
});

test("the best that was reached stays, and all together have a standing", () => {
  const places = placesOf(scorm([item("a"), item("b"), item("c")]));
  let record = withItem(empty(1), "a", { ...NOTHING, status: "passed", score: 0.9 });
  record = withItem(record, "a", { ...NOTHING, status: "failed", score: 0.2, exit: null });
  assert.deepEqual([record.items["a"]?.status, record.items["a"]?.score, record.items["a"]?.exit], ["passed", 0.9, null]);
  assert.deepEqual(standingOf(places, record), { completed: false, passed: true, score: 0.9, done: 1, all: 3 });
  record = withItem(withItem(record, "b", NOTHING), "c", { ...NOTHING, status: "failed", score: 0.1 });
  assert.deepEqual(standingOf(places, record), { completed: true, passed: false, score: 0.5, done: 3, all: 3 });
});

test("what is sequenced is what says so and has more than one item", () => {
  const rules = item("a", { extras: [e(`${IMSSS}sequencing`)] });
  const of = (given: Scorm): boolean => isSequenced(given, given.organizations[0]!);
  assert.equal(of(scorm([rules, item("b")])), true);
  assert.equal(of(scorm([rules])), false);
  assert.equal(of(scorm([item("a"), item("b")])), false);
  assert.equal(of(scorm([rules, item("b")], { edition: "1.2" })), false);
});

test("sequencing is told to the run-time element by element", () => {
  const sequencing = e(`${IMSSS}sequencing`, { IDRef: "shared" }, [
    e(`${IMSSS}controlMode`, { choice: "false", flow: "1" }),
    e(`${IMSSS}sequencingRules`, {}, [e(`${IMSSS}preConditionRule`, {}, [e(`${IMSSS}ruleConditions`, { conditionCombination: "any" }, [e(`${IMSSS}ruleCondition`, { condition: "objectiveMeasureLessThan", operator: "not", referencedObjective: "x", measureThreshold: "0.5" })]), e(`${IMSSS}ruleAction`, { action: "disabled" })])]),
    e(`${IMSSS}limitConditions`, { attemptLimit: "2" }),
    e(`${IMSSS}rollupRules`, { objectiveMeasureWeight: "0" }, [e(`${IMSSS}rollupRule`, { childActivitySet: "atLeastCount", minimumCount: "1" }, [e(`${IMSSS}rollupConditions`, {}, [e(`${IMSSS}rollupCondition`, { condition: "satisfied" })]), e(`${IMSSS}rollupAction`, { action: "satisfied" })])]),
    e(`${IMSSS}objectives`, {}, [
      e(`${IMSSS}primaryObjective`, { objectiveID: "p", satisfiedByMeasure: "true" }, [e(`${IMSSS}minNormalizedMeasure`, {}, [], "0.6"), e(`${IMSSS}mapInfo`, { targetObjectiveID: "g", writeSatisfiedStatus: "true" })]),
      e(`${IMSSS}objective`, { objectiveID: "s" }),
    ]),
    e(`${ADLSEQ}objectives`, {}, [e(`${ADLSEQ}objective`, { objectiveID: "p" }, [e(`${ADLSEQ}mapInfo`, { targetObjectiveID: "g", writeRawScore: "true" })])]),
  ]);
  const given = scorm([item("a", { extras: [sequencing, e("{x}completionThreshold", { completedByMeasure: "true", minProgressMeasure: "0.8" })] }), item("b")], { extras: [e(`${IMSSS}sequencingCollection`, {}, [e(`${IMSSS}sequencing`, { ID: "shared" }, [e(`${IMSSS}deliveryControls`, { completionSetByContent: "true" })])])] });
  const told = sequencingOf(given, given.organizations[0]!) as { activityTree: { children: Record<string, unknown>[] }; collections: unknown };
  assert.deepEqual(told.collections, [{ id: "shared", sequencingControls: { completionSetByContent: true } }]);
  const [a] = told.activityTree.children as [Record<string, unknown>];
  assert.deepEqual(a["sequencingCollectionRefs"], ["shared"]);
  assert.deepEqual(a["sequencingControls"], { choice: false, flow: true, objectiveMeasureWeight: 0 });
  assert.deepEqual((a["sequencingRules"] as { preConditionRules: unknown }).preConditionRules, [{ action: "disabled", conditionCombination: "any", conditions: [{ condition: "objectiveMeasureLessThan", operator: "not", referencedObjective: "x", parameters: { threshold: 0.5 } }] }]);
  assert.equal(a["attemptLimit"], 2);
  assert.deepEqual(a["rollupRules"], { rules: [{ action: "satisfied", consideration: "atLeastCount", minimumCount: 1, conditionCombination: "any", conditions: [{ condition: "satisfied" }] }] });
  const primary = a["primaryObjective"] as { minNormalizedMeasure: number; mapInfo: Record<string, unknown>[] };
  assert.equal(primary.minNormalizedMeasure, 0.6);
  assert.equal(primary.mapInfo.length, 1, "both extensions speak of one map");
  const { targetObjectiveID, writeSatisfiedStatus, writeRawScore, readCompletionStatus, writeCompletionStatus } = primary.mapInfo[0] as Record<string, unknown>;
  assert.deepEqual([targetObjectiveID, writeSatisfiedStatus, writeRawScore, readCompletionStatus, writeCompletionStatus], ["g", true, true, true, false]);
  const data = launchDataOf(given.organizations[0]!.items[0]!);
  assert.deepEqual([data["cmi.scaled_passing_score"], data["cmi.completion_threshold"]], ["0.6", "0.8"]);
  assert.deepEqual(objectiveIdsOf(given.organizations[0]!.items[0]!), ["p", "s"]);
});

test("ranges are as RFC 9110 has them", () => {
  assert.deepEqual(rangeOf("bytes=0-9", 100), { from: 0, to: 9 });
  assert.deepEqual(rangeOf("bytes=90-", 100), { from: 90, to: 99 });
  assert.deepEqual(rangeOf("bytes=-5", 100), { from: 95, to: 99 });
  assert.deepEqual(rangeOf("bytes=-500", 100), { from: 0, to: 99 });
  assert.deepEqual(rangeOf("bytes=50-500", 100), { from: 50, to: 99 });
  for (const whole of [null, "", "bytes=", "bytes=-", "bytes=0-1,5-6", "items=0-1"]) assert.equal(rangeOf(whole, 100), null);
  for (const bad of ["bytes=100-", "bytes=9-5"]) assert.equal(rangeOf(bad, 100), "bad");
  assert.equal(rangeOf("bytes=0-", 0), "bad");
});

test("a package's origin is the one that the service says", async () => {
  // The same pair stands in tests/cluster/test_edge_imported.py.
  assert.equal(await labelOf("pkg_golf"), "t5kspehpt2i3shy5tnxk");
});
