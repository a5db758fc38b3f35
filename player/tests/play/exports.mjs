// Plays exports from start to end in Chromium with every other address blocked: `node tests/play/exports.mjs JOBS.json` with
// {name: {folder, format, page, right?}}; prints what was recorded for each as one JSON object.
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { launch, until } from "./browser.mjs";
import { answerSome, readCourse, readUnit, saved } from "./human.mjs";
import { judgeSession } from "./lrs.mjs";
import { serve } from "./platform.mjs";

const jobs = JSON.parse(readFileSync(process.argv[2], "utf8"));
const server = await serve(Object.fromEntries(Object.entries(jobs).map(([name, job]) => [name, job.folder])));
const browser = await launch();
const version = browser.version();

/** A fresh browser: nothing kept from before, nothing to be had but from this server; what went wrong is kept. */
async function fresh(origin = server.base) {
  const context = await browser.newContext({ viewport: { width: 1100, height: 900 }, locale: "en", serviceWorkers: "block" });
  const outside = [];
  const errors = [];
  await context.route(/^https?:/, (route) => (route.request().url().startsWith(origin) ? route.continue() : (outside.push(route.request().url()), route.abort())));
  context.on("page", (page) => {
    page.on("pageerror", (error) => errors.push(String(error)));
    page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  });
  return { context, outside, errors };
}

async function inFrame(page) {
  const handle = await page.locator("iframe").elementHandle();
  const frame = await handle.contentFrame();
  await frame.locator("h1").waitFor();
  return frame;
}

async function scorm(name, job) {
  const edition = job.format === "scorm12" ? "1.2" : "2004";
  const { context, outside, errors } = await fresh();
  const page = await context.newPage();
  const open = async (kept) => {
    await page.goto(`${server.base}/platform`);
    await page.evaluate((given) => globalThis.platform.make(...given), [edition, kept, job.mastery ?? null, job.objectives ?? []]);
    await page.evaluate((url) => globalThis.platform.launch(url), `${server.base}/${name}/${job.page}`);
    return inFrame(page);
  };
  const close = async () => {
    await page.evaluate(() => globalThis.platform.leave());
    return page.evaluate(() => ({ calls: globalThis.platform.calls, data: globalThis.platform.data() }));
  };
  let frame = await open(null);
  await readCourse(framed(page, frame), { right: job.right ?? true });
  await saved(frame).catch(async (error) => {
    const refused = (await page.evaluate(() => globalThis.platform.calls)).filter((each) => each.at(-1) !== "0");
    throw new Error(`${error}; refused by the platform: ${JSON.stringify(refused)}`);
  });
  const first = await close();
  frame = await open(first.data);
  const resumed = { text: await frame.locator("main").innerText(), results: await frame.locator(".result").allTextContents(), heading: await frame.locator("h1").innerText() };
  const second = await close();
  await context.close();
  return { first, second, resumed, outside, errors };
}

/** A frame with the one thing of a page that the human needs: waiting. */
const framed = (page, frame) => new Proxy(frame, { get: (target, name) => (name === "waitForTimeout" ? (ms) => page.waitForTimeout(ms) : typeof target[name] === "function" ? target[name].bind(target) : target[name]) });

async function window_(name, job) {
  const { context, outside, errors } = await fresh();
  const page = await context.newPage();
  await page.goto(`${server.base}/platform`);
  await page.evaluate(([given, mastery]) => globalThis.platform.make(given, null, mastery), [job.format === "scorm12" ? "1.2" : "2004", job.mastery ?? null]);
  const [popup] = await Promise.all([context.waitForEvent("page"), page.evaluate((url) => void window.open(url, "course", "width=900,height=700"), `${server.base}/${name}/${job.page}`)]);
  await popup.locator("h1").waitFor();
  await saved(popup);
  await popup.close({ runBeforeUnload: true });
  await page.waitForFunction(() => globalThis.platform.calls.some(([call]) => /Finish|Terminate/.test(call)));
  const calls = await page.evaluate(() => globalThis.platform.calls);
  await context.close();
  return { calls, outside, errors };
}

/** Only opened, in a frame and in a window of its own, as the launch of each format is; kept is what the other side confirmed. */
async function launches(name, job) {
  const found = {};
  for (const how of ["iframe", "popup"]) {
    const { context, outside, errors } = await fresh();
    const page = await context.newPage();
    await page.goto(`${server.base}/platform`);
    const address = `${server.base}/${name}/${job.page}`;
    const url = job.format === "cmi5" || job.format === "xapi" ? `${address}?${launchQuery(job)}` : address;
    if (job.format.startsWith("scorm")) await page.evaluate((edition) => globalThis.platform.make(edition, null, null), job.format === "scorm12" ? "1.2" : "2004");
    if (how === "iframe") {
      await page.evaluate((each) => globalThis.platform.launch(each), url);
      await saved(await inFrame(page));
    } else {
      const [popup] = await Promise.all([context.waitForEvent("page"), page.evaluate((each) => void window.open(each, "course", "width=900,height=700"), url)]);
      await popup.locator("h1").waitFor();
      await saved(popup);
    }
    found[how] = { outside, errors };
    await context.close();
  }
  return found;
}

function launchQuery(job) {
  const actor = { objectType: "Agent", account: { homePage: "https://lms.example", name: randomUUID() } };
  const registration = randomUUID();
  if (job.format === "cmi5") return server.lrs.launchCmi5(server.base, { activity: `https://lms.example/${randomUUID()}`, registration, actor, moveOn: "Completed" }).query;
  return new URLSearchParams({ endpoint: `${server.base}/lrs/`, auth: `Basic ${server.lrs.secret}`, actor: JSON.stringify(actor), registration });
}

async function cmi5(name, job) {
  const { context, outside, errors } = await fresh();
  const actor = { objectType: "Agent", account: { homePage: "https://lms.example", name: `${name}-${randomUUID()}` } };
  const registration = randomUUID();
  const activity = `https://lms.example/activities/${randomUUID()}`;
  const sessions = [];
  for (const times of [1, 2]) {
    const launch = server.lrs.launchCmi5(server.base, { activity, registration, actor, masteryScore: job.mastery, moveOn: job.moveOn });
    const page = await context.newPage();
    await page.goto(`${server.base}/${name}/${job.page}?${launch.query}`);
    await page.locator("h1").waitFor();
    if (times === 1) await readCourse(page, { right: job.right ?? true });
    await saved(page);
    const shown = await page.locator("main").innerText();
    await page.goto("about:blank");
    await until(() => server.lrs.statements.some((each) => each.verb.id.endsWith("/terminated") && JSON.stringify(each.context).includes(launch.session)));
    await page.close();
    const mine = server.lrs.statements.filter((each) => JSON.stringify(each.context).includes(launch.session));
    sessions.push({ statements: mine, judged: judgeSession(server.lrs.statements, launch.session), shown });
  }
  await context.close();
  return { sessions, problems: server.lrs.problems, outside, errors };
}

async function xapi(name, job) {
  const { context, outside, errors } = await fresh();
  const actor = { objectType: "Agent", mbox: `mailto:${randomUUID()}@lms.example` };
  const registration = randomUUID();
  const query = new URLSearchParams({ endpoint: `${server.base}/lrs/`, auth: `Basic ${server.lrs.secret}`, actor: JSON.stringify(actor), registration });
  const shown = [];
  for (const times of [1, 2]) {
    const page = await context.newPage();
    await page.goto(`${server.base}/${name}/${job.page}?${query}`);
    await page.locator("h1").waitFor();
    if (times === 1) await readCourse(page, { right: job.right ?? true });
    await saved(page);
    shown.push(await page.locator("main").innerText());
    await page.goto("about:blank");
    await until(() => mine().filter((each) => each.verb.id.endsWith("/terminated")).length === times);
    await page.close();
  }
  await context.close();
  function mine() {
    return server.lrs.statements.filter((each) => each.context?.registration === registration);
  }
  return { statements: mine(), problems: server.lrs.problems, shown, outside, errors };
}

async function html(name, job) {
  const found = {};
  for (const [from, address] of [["disk", pathToFileURL(`${job.folder}/${job.page}`).href], ["server", `${server.base}/${name}/${job.page}`]]) {
    const { context, outside, errors } = await fresh();
    if (from === "disk") await context.setOffline(true);
    const page = await context.newPage();
    await page.goto(address);
    await page.locator("h1").waitFor();
    const course = await page.evaluate(() => globalThis.course);
    await readCourse(page, { right: job.right ?? true });
    await saved(page);
    const finished = await page.locator(".finished").innerText();
    await page.close();
    const again = await context.newPage();
    await again.goto(address);
    await again.locator("h1").waitFor();
    const kept = await again.locator(".finished").innerText();
    const filmed = course.structure.units.find((unit) => unit.blocks.some((block) => block.type === "video"));
    if (filmed) await again.goto(`${address}#/${encodeURIComponent(filmed.id)}`);
    if (filmed) await again.waitForFunction(() => document.querySelector("video")?.textTracks[0]?.mode === "showing");
    const captions = await again.evaluate(() => [...document.querySelectorAll("video, audio")].flatMap((media) => [...media.textTracks].map((track) => [track.language, track.cues?.length ?? null, track.mode])));
    found[from] = { finished, captions, again: kept, outside, errors };
    await context.close();
  }
  return found;
}

/** In the middle of things: a film at its half, a quiz half answered; then the tab is gone, and the course is opened again. */
async function middle(name, job) {
  const { context, outside, errors } = await fresh();
  const address = `${server.base}/${name}/${job.page}`;
  let page = await context.newPage();
  await page.goto(address);
  await page.locator("h1").waitFor();
  const filmed = await page.locator("video").evaluate(async (video) => {
    if (video.readyState < 1) await new Promise((done) => video.addEventListener("loadedmetadata", done));
    video.muted = true;
    video.currentTime = 2.5;
    await new Promise((done) => video.addEventListener("seeked", done));
    await video.play();
    video.pause();
    return video.currentTime;
  });
  const course = await page.evaluate(() => globalThis.course);
  const unit = course.structure.units.find((each) => each.blocks.some((block) => block.type === "quiz"));
  await page.goto(`${address}#/${unit.id}`);
  const [quiz] = unit.blocks.filter((block) => block.type === "quiz");
  await answerSome(page, quiz, ["single", "short_text", "matching"]);
  await saved(page);
  await page.close();
  page = await context.newPage();
  await page.goto(address);
  await page.locator("h1").waitFor();
  const found = { heading: await page.locator("h1").innerText(), answers: await answersOf(page) };
  await page.goto(`${address}#/${course.structure.units[0].id}`);
  found.film = await page.locator("video").evaluate(async (video) => {
    const deadline = Date.now() + 5000;
    while (video.currentTime === 0 && Date.now() < deadline) await new Promise((done) => setTimeout(done, 20));
    return video.currentTime;
  });
  await context.close();
  return { ...found, filmed, outside, errors };
}

const answersOf = (page) => page.evaluate(() => [...document.querySelectorAll(".question")].map((group) => [...group.querySelectorAll("input, select")].filter((each) => (each.type === "radio" || each.type === "checkbox" ? each.checked : each.value !== "")).map((each) => each.value)));

/** The platform takes nothing any more in the middle of the course, and the tab is closed; the next launch has all of it. */
async function failing(name, job) {
  const { context, outside, errors } = await fresh();
  const page = await context.newPage();
  const open = async (kept) => {
    await page.goto(`${server.base}/platform`);
    await page.evaluate((given) => globalThis.platform.make(...given), ["1.2", kept, null]);
    await page.evaluate((url) => globalThis.platform.launch(url), `${server.base}/${name}/${job.page}`);
    return inFrame(page);
  };
  let frame = await open(null);
  const course = await frame.evaluate(() => globalThis.course);
  const [first, second] = course.structure.units;
  await readUnit(framed(page, frame), first);
  await saved(frame);
  await page.evaluate(() => (globalThis.platform.failing = true));
  const before = await page.evaluate(() => globalThis.platform.data());
  await frame.locator("a.next").click();
  await frame.locator("h1", { hasText: second.title.en }).waitFor();
  await readUnit(framed(page, frame), second);
  await frame.locator(".sign.kept").waitFor({ timeout: 20_000 });
  const sign = await frame.locator(".sign").innerText();
  await page.evaluate(() => globalThis.platform.leave());
  frame = await open(before); // what the platform has is what it had
  await saved(frame);
  const again = { heading: await frame.locator("h1").innerText(), results: await frame.locator(".result").allTextContents() };
  const data = await page.evaluate(() => globalThis.platform.data());
  await context.close();
  return { sign, again, handedOver: data.suspend_data.includes("!"), outside, errors };
}

/** A published site, opened by its signed link, which hands cookies over. */
async function edge(name, job) {
  const { context, outside, errors } = await fresh(new URL(job.url).origin);
  const page = await context.newPage();
  await page.goto(job.url);
  await page.locator("h1").waitFor();
  await readCourse(page);
  await saved(page);
  const found = { finished: await page.locator(".finished").innerText(), address: page.url(), outside, errors };
  await context.close();
  return found;
}

async function installed(name, job) {
  const context = await browser.newContext({ viewport: { width: 390, height: 844 }, locale: "en" });
  const page = await context.newPage();
  await page.goto(`${server.base}/${name}/${job.page}`);
  await page.evaluate(() => navigator.serviceWorker.ready.then(() => true));
  await context.setOffline(true);
  await page.reload();
  await page.locator("h1").waitFor();
  const broken = await page.evaluate(() => [...document.images].filter((each) => each.complete && !each.naturalWidth).length);
  const link = await page.evaluate(() => document.querySelector("link[rel=manifest]")?.href ?? "");
  await context.close();
  return { offline: true, broken, link };
}

const ways = { scorm12: scorm, "scorm2004-3rd": scorm, "scorm2004-4th": scorm, cmi5, xapi, html, window: window_, installed, edge, middle, failing, launches };
const found = {};
try {
  for (const [name, job] of Object.entries(jobs)) {
    try {
      found[name] = await ways[job.way ?? job.format](name, job);
    } catch (error) {
      found[name] = { failed: String(error.stack ?? error) };
    }
  }
} finally {
  await browser.close();
  server.close();
}
console.log(JSON.stringify({ ...found, browser: version }));
