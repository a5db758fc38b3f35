// The player's pure parts: `node --test` runs them. The vectors of the saved state are shared with content/exports/suspend.py.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type Answer, isRight, mixed, points, readNumber, shuffled } from "../../src/play/answers.ts";
import { type Course, isQuiz, isTimed, placed } from "../../src/play/course.ts";
import { cuesOf } from "../../src/play/cues.ts";
import { type Entry, type Journal, resumed } from "../../src/play/journal.ts";
import { Keeper, type Sign } from "../../src/play/keeper.ts";
import { EMPTY, scopeOf, standing, type State, statusOf, units } from "../../src/play/progress.ts";
import { decode, encode, encodeWithin, StateError } from "../../src/play/state.ts";
import { type Snapshot, type Tracking, TrackingError } from "../../src/play/tracking.ts";
import { pattern, response, timespan } from "../../src/play/tracking/interactions.ts";
import { LOCALES, Speaker } from "../../src/play/words.ts";
import { course, QUESTIONS, RIGHT } from "./course.ts";

const ALL = new Set([0, 1, 2, 3]);
const done = (answers: readonly (Answer | null)[], seen: ReadonlySet<number> = ALL): State => ({ ...EMPTY, seen, quizzes: new Map([[2, { attempts: 1, submitted: true, answers }]]) });
const WRONG = RIGHT.map((_, at) => (at ? null : 0));

test("each kind is right with its answer and wrong with another", () => {
  for (const [at, question] of QUESTIONS.entries()) {
    assert.ok(isRight(question, RIGHT[at] as Answer, ["en"]), question.kind);
    assert.ok(!isRight(question, null, ["en"]), question.kind);
  }
  const wrong: readonly Answer[] = [0, [0], true, 0.26, "Alhazan", [1, 0], [1, 0, 2]];
  for (const [at, question] of QUESTIONS.entries()) assert.ok(!isRight(question, wrong[at] as Answer, ["en"]), question.kind);
});

test("words are compared as people mean them, in the languages shown", () => {
  const [, , , , words] = QUESTIONS;
  assert.ok(isRight(words!, "  ALHAZEN. ", ["en"]));
  assert.ok(isRight(words!, "ابن الهيثم", ["ar", "en"]));
  assert.ok(!isRight(words!, "ابن الهيثم", ["en"]));
});

test("numbers are read as they are written in four languages", () => {
  assert.equal(readNumber(" 3,5 "), 3.5);
  assert.equal(readNumber("٣٫٥"), 3.5);
  assert.equal(readNumber("−12"), -12);
  assert.equal(readNumber("1e3"), 1000);
  for (const bad of ["", "three", "1.2.3", "0x10", "Infinity"]) assert.equal(readNumber(bad), null, bad);
});

test("shuffling is a permutation, the same each time, and never the solution where that would give it away", () => {
  for (let seed = 0; seed < 50; seed++) {
    const once = shuffled(9, seed);
    assert.deepEqual(once, shuffled(9, seed));
    assert.deepEqual([...once].sort((a, b) => a - b), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
    assert.notDeepEqual(mixed(3, seed), [0, 1, 2]);
  }
  assert.deepEqual(shuffled(4, undefined), [0, 1, 2, 3]);
});

test("the four report kinds say what their table promises", () => {
  const at = (state: State) => standing(scopeOf(course(), null), state, ["en"]);
  const open = at({ ...EMPTY, seen: new Set([0]) });
  const passed = at(done(RIGHT as unknown as Answer[]));
  const missed = at(done(WRONG));
  const told = (kind: Parameters<typeof statusOf>[0]) => [open, passed, missed].map((each) => Object.values(statusOf(kind, each)).join(" "));
  const none = "incomplete incomplete unknown";
  assert.deepEqual(told("passed-incomplete"), [none, "passed completed passed", none]);
  assert.deepEqual(told("passed-failed"), [none, "passed completed passed", "failed completed failed"]);
  assert.deepEqual(told("completed-incomplete"), [none, "completed completed unknown", "completed completed unknown"]);
  assert.deepEqual(told("completed-failed"), [none, "completed completed unknown", "failed completed failed"]);
});

test("done is what the author said: all blocks, named ones, or the score", () => {
  const at = (rule: Course["metadata"]["completion"], state: State) => standing(scopeOf(course({ completion: rule }), null), state, ["en"]);
  assert.equal(at({ rule: "all" }, done(WRONG, new Set([0, 1, 2]))).done, false);
  assert.equal(at({ rule: "blocks", blocks: ["t2"] }, { ...EMPTY, seen: new Set([1]) }).done, true);
  assert.equal(at({ rule: "score", mastery: 0.5 }, EMPTY).done, false);
  assert.equal(at({ rule: "score", mastery: 0.5 }, done(RIGHT as unknown as Answer[], new Set())).done, true);
  assert.equal(at({ rule: "all" }, done(RIGHT as unknown as Answer[])).score?.scaled, 1);
});

test("a unit alone counts its own blocks, and one of none of the named blocks counts all of them", () => {
  const scope = scopeOf(course({ completion: { rule: "blocks", blocks: ["t1"] } }), "u3");
  assert.equal(standing(scope, EMPTY, ["en"]).done, false);
  assert.equal(standing(scope, { ...EMPTY, seen: new Set([3]) }, ["en"]).done, true);
  assert.throws(() => scopeOf(course(), "u9"));
});

test("a forced order opens unit by unit; a test before lets units be left out; a test after waits for all", () => {
  const forced = scopeOf(course({ sequencing: { order: "forced" } }), null);
  assert.deepEqual(units(forced, EMPTY, ["en"]).map((each) => each.open), [true, false, false]);
  assert.deepEqual(units(forced, { ...EMPTY, seen: new Set([0, 1]) }, ["en"]).map((each) => each.open), [true, true, false]);
  const tested = scopeOf(course({ sequencing: { order: "forced", pretest: { unit: "u2", skips: ["u3"], mastery: 0.9 } } }), null);
  const right = done(RIGHT as unknown as Answer[], new Set([0, 1, 2]));
  assert.equal(standing(tested, right, ["en"]).done, true);
  assert.equal(standing(tested, done(WRONG, new Set([0, 1, 2])), ["en"]).done, false);
  const after = scopeOf(course({ sequencing: { order: "free", posttest: { unit: "u3", mastery: 0.8 } } }), null);
  assert.deepEqual(units(after, EMPTY, ["en"]).map((each) => each.open), [true, true, false]);
});

interface Decoded {
  readonly place: number;
  readonly seen: readonly number[];
  readonly quizzes: readonly ({ attempts: number; submitted: boolean; answers: readonly (Answer | null)[] } | null)[];
  readonly positions: readonly number[];
}

function stateOf(course: Course, decoded: Decoded): State {
  const blocks = placed(course);
  const quizzes = blocks.filter((each) => isQuiz(each.block));
  const timed = blocks.filter((each) => isTimed(each.block));
  return {
    place: decoded.place,
    seen: new Set(decoded.seen),
    quizzes: new Map(quizzes.flatMap((each, at) => (decoded.quizzes[at] ? [[each.index, decoded.quizzes[at]] as const] : []))),
    times: new Map(timed.flatMap((each, at) => (decoded.positions[at] ? [[each.index, decoded.positions[at]] as const] : []))),
  };
}

const folder = process.env["STATE_VECTORS"] ?? "../tests/vectors/state";
const names = readdirSync(folder).filter((each) => each.endsWith(".json"));
test("there are vectors", () => assert.ok(names.length > 20));
for (const name of names) {
  test(`vector ${name}`, () => {
    const vector = JSON.parse(readFileSync(join(folder, name), "utf8")) as { course: Course; text: string; state?: Decoded; given?: Decoded; error?: string };
    if (!vector.state) {
      assert.throws(() => decode(vector.course, vector.text), StateError);
      return;
    }
    const state = stateOf(vector.course, vector.state);
    assert.equal(encode(vector.course, state), vector.text);
    assert.deepEqual(decode(vector.course, vector.text), state);
    if (vector.given) assert.equal(encode(vector.course, stateOf(vector.course, vector.given)), vector.text);
  });
}

test("a platform that keeps little loses what is worth nothing first", () => {
  const long = RIGHT.map((answer, at) => (at === 0 ? 0 : answer)) as unknown as Answer[];
  const whole = encode(course(), done(long));
  const text = encodeWithin(course(), done(long), whole.length - 1, (question, answer) => isRight(question, answer, ["en"]));
  assert.ok(text.length < whole.length);
  const quiz = decode(course(), text).quizzes.get(2);
  assert.equal(quiz?.answers[0], null);
  assert.equal(quiz?.answers[4], "alhazen");
  assert.equal(points(course().structure.units[1]!.blocks[0] as never, quiz, ["en"]), 9);
});

test("answers in the words of both SCORM editions", () => {
  const quiz = course().structure.units[1]?.blocks[0] as never;
  const given = (at: number) => ({ quiz, question: QUESTIONS[at]!, answer: RIGHT[at] as Answer, right: true, at: new Date(0), latency_s: 1 });
  assert.deepEqual(QUESTIONS.map((_, at) => response(given(at), "1.2")), ["b", "a,c", "f", "0.2", "alhazen", "x.x,y.y", "i,j,k"]);
  assert.deepEqual(QUESTIONS.map((_, at) => response(given(at), "2004")), ["b", "a[,]c", "false", "0.2", "alhazen", "x[.]x[,]y[.]y", "i[,]j[,]k"]);
  assert.deepEqual(QUESTIONS.map((_, at) => pattern(given(at), "2004", "en")), ["b", "a[,]c", "false", "0.15[:]0.25", "Ibn al-Haytham", "x[.]x[,]y[.]y", "i[,]j[,]k"]);
  assert.equal(timespan(3725.5), "0001:02:05.50");
});

test("cues are read with and without hours", () => {
  const text = "WEBVTT\n\n00:01.500 --> 00:02.000\nHello\nyou\n\n01:00:00.000 --> 01:00:01.250\n<i>end</i>\n";
  assert.deepEqual(cuesOf(text), [{ start_s: 1.5, end_s: 2, text: "Hello\nyou" }, { start_s: 3600, end_s: 3601.25, text: "<i>end</i>\n".trim() }]);
});

test("every language has every sentence, with the same gaps", () => {
  const gaps = (text: string): string => [...text.matchAll(/\{\w+\}/g)].map(String).sort().join();
  const english = LOCALES["en"]!;
  for (const [tag, words] of Object.entries(LOCALES)) {
    assert.deepEqual(Object.keys(words).sort(), Object.keys(english).sort(), tag);
    for (const [key, text] of Object.entries(words)) assert.equal(gaps(text), gaps(english[key as never]), `${tag} ${key}`);
  }
  assert.equal(new Speaker("fr-CA").tag, "fr");
  assert.equal(new Speaker("sw").tag, "en");
});

// -- keeping ---------------------------------------------------------------------------------------------------------------

class Memory implements Journal {
  entry: Entry | null = null;
  full = false;
  read(): Entry | null {
    return this.entry;
  }
  write(entry: Entry): boolean {
    if (!this.full) this.entry = entry;
    return !this.full;
  }
}

class Platform implements Tracking {
  kept = "";
  failing: TrackingError | null = null;
  absent = false;
  left: string | null = null;
  changed: boolean | null = null;
  sentence: TrackingError["sentence"] = "no-lms";
  async begin() {
    if (this.absent) throw new TrackingError(this.sentence, "none");
    return { text: this.kept, learner: "x", language: null, review: false, mastery: null };
  }
  answered(): void {}
  async save(snapshot: Snapshot): Promise<void> {
    if (this.failing) throw this.failing;
    this.kept = snapshot.text;
  }
  leave(snapshot: Snapshot, changed: boolean): void {
    this.left = snapshot.text;
    this.changed = changed;
  }
}

const snapshot = (text: string): Snapshot => ({ text, place: "", seconds: 1, allDone: false, standing: { progress: 0, done: false, score: null, passed: null }, status: { lesson: "incomplete", completion: "incomplete", success: "unknown" } });

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 5000;
  while (!condition()) {
    assert.ok(Date.now() < deadline, "it did not come to that");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test("saved is said only once the platform has confirmed; while it fails, what is kept on the device is said", async () => {
  const platform = new Platform();
  const journal = new Memory();
  const signs: Sign[] = [];
  const keeper = new Keeper(platform, () => journal, (sign) => signs.push(sign));
  await keeper.begin(scopeOf(course(), null));
  platform.failing = new TrackingError("no-network", "down");
  keeper.changed(snapshot("one"), true);
  await until(() => signs.at(-1)?.state === "kept");
  assert.deepEqual(signs.map((each) => each.state), ["saving", "kept"]);
  assert.equal(signs.at(-1)?.why, "no-network");
  assert.equal(journal.entry?.text, "one");
  journal.full = true;
  keeper.flush();
  await until(() => signs.at(-1)?.state === "lost");
  assert.ok(signs.at(-1)?.since instanceof Date);
  platform.failing = null;
  journal.full = false;
  keeper.flush();
  await until(() => signs.at(-1)?.state === "saved");
  assert.equal(platform.kept, "one");
  assert.equal(journal.entry?.base, "one");
});

test("what was sent and not confirmed counts as known: it may have arrived", async () => {
  const platform = new Platform();
  const journal = new Memory();
  const keeper = new Keeper(platform, () => journal, () => undefined);
  await keeper.begin(scopeOf(course(), null));
  platform.failing = new TrackingError("no-network", "the answer is lost");
  keeper.changed(snapshot("arrived"), true);
  await until(() => journal.entry?.sent === "arrived");
  keeper.changed(snapshot("later"));
  platform.kept = "arrived"; // it did arrive
  const next = new Keeper(platform, () => journal, () => undefined);
  assert.equal((await next.begin(scopeOf(course(), null))).text, "later");
});

test("a start without a network is tried again, and what was done meanwhile is sent", async () => {
  const platform = new Platform();
  platform.absent = true;
  platform.sentence = "no-network";
  const journal = new Memory();
  const keeper = new Keeper(platform, () => journal, () => undefined);
  assert.equal((await keeper.begin(scopeOf(course(), null))).why, "no-network");
  keeper.changed(snapshot("done offline"), true);
  platform.absent = false;
  keeper.flush();
  await until(() => platform.kept === "done offline");
});

test("who changes something every second is saved all the same", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const platform = new Platform();
  const keeper = new Keeper(platform, () => new Memory(), () => undefined);
  await keeper.begin(scopeOf(course(), null));
  for (const text of ["one", "two", "three"]) {
    keeper.changed(snapshot(text));
    context.mock.timers.tick(1000);
  }
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(platform.kept, "two"); // at 1.5 s, and the third not before 3.5 s
});

test("a page that is left unchanged writes over nothing", async () => {
  const platform = new Platform();
  const journal = new Memory();
  const keeper = new Keeper(platform, () => journal, () => undefined);
  await keeper.begin(scopeOf(course(), null));
  journal.entry = { text: "of another tab", base: "", at: "" };
  keeper.leave(snapshot("old"));
  assert.equal(journal.entry.text, "of another tab");
  assert.equal(platform.changed, false);
});

test("on a computer that many share, a failed start shows nobody another's answers", async () => {
  const platform = new Platform();
  platform.absent = true;
  const journal = new Memory();
  journal.entry = { text: "another learner's", base: "", at: "" };
  const keeper = new Keeper(platform, () => journal, () => undefined);
  assert.equal((await keeper.begin(scopeOf(course(), null))).text, "");
});

test("a closed tab loses nothing: the journal goes on, unless the learner went on elsewhere", async () => {
  const platform = new Platform();
  const journal = new Memory();
  platform.kept = "old";
  const first = new Keeper(platform, () => journal, () => undefined);
  await first.begin(scopeOf(course(), null));
  first.changed(snapshot("newer")); // and the tab is gone before it was sent
  const second = new Keeper(platform, () => journal, () => undefined);
  assert.equal((await second.begin(scopeOf(course(), null))).text, "newer");
  platform.kept = "from another device";
  const third = new Keeper(platform, () => journal, () => undefined);
  assert.equal((await third.begin(scopeOf(course(), null))).text, "from another device");
});

test("without a platform the course goes on from the device, and never says saved", async () => {
  const platform = new Platform();
  platform.absent = true;
  const journal = new Memory();
  const signs: Sign[] = [];
  const keeper = new Keeper(platform, () => journal, (sign) => signs.push(sign));
  assert.equal((await keeper.begin(scopeOf(course(), null))).why, "no-lms");
  keeper.changed(snapshot("here"), true);
  keeper.leave(snapshot("here"));
  assert.ok(signs.every((each) => each.state === "kept" && each.why === "no-lms"));
  assert.equal(platform.left, null);
  assert.equal(resumed("", journal.entry), "here");
});
