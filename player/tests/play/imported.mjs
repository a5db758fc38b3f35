// Plays imported packages in Chromium: `node tests/play/imported.mjs JOBS.json` ({policy, jobs: name → {folder, play}}). Prints what was
// recorded, by name: every call that content made with its answer and error, what the page showed, what was asked of elsewhere.
import { readFileSync } from "node:fs";
import { launch } from "./browser.mjs";
import { recording, serve } from "./packages.mjs";

const { policy, jobs } = JSON.parse(readFileSync(process.argv[2], "utf8"));
const server = await serve(Object.fromEntries(Object.entries(jobs).map(([name, { folder }]) => [name, folder])), policy);
const browser = await launch();
const frame = (page) => page.frameLocator(".stage iframe");
const calls = (page) => page.evaluate(() => globalThis.calls);
const lines = (page) => page.locator("nav li").allInnerTexts();
const settled = (page) => page.locator(".sign.saved").waitFor();

/** A page of a package with nothing but its own origin to talk to; `again` opens it anew in the same browser. */
async function learner(name, given = {}) {
  const context = await browser.newContext({ viewport: { width: 1100, height: 800 }, locale: "en", ...given });
  const seen = { outside: [], errors: [], dialogs: [] };
  await context.route((url) => url.origin !== new URL(server.at(name)).origin, (route) => (seen.outside.push(route.request().url()), route.abort()));
  await context.addInitScript(recording);
  const open = async (query = "") => {
    const page = await context.newPage();
    page.on("pageerror", (error) => seen.errors.push(String(error)));
    page.on("dialog", (dialog) => (seen.dialogs.push(dialog.message()), dialog.accept().catch(() => undefined)));
    await page.goto(server.at(name) + query);
    return page;
  };
  /** As a learner leaves: content hears of it, what it says last is in the calls that are read by the page that goes. */
  const close = async (page) => {
    const told = page.evaluate(() => new Promise((resolve) => addEventListener("pagehide", () => resolve(globalThis.calls)))).catch(() => null);
    await page.close({ runBeforeUnload: true }).catch(() => undefined);
    await page.waitForEvent("close", { timeout: 5000 }).catch(() => undefined);
    return told;
  };
  return { context, seen, open, close, done: () => context.close() };
}

const next = (page, button) => frame(page).locator(button).click();
const PLAYS = {
  /** Golf Explained, one SCO: reads two pages, leaves by closing the page, comes back, goes to the test and passes. */
  async golf(name) {
    const { seen, open, close, done } = await learner(name);
    const first = await open();
    await next(first, "#butNext");
    await next(first, "#butNext");
    await settled(first);
    const begun = await calls(first);
    await close(first);
    const second = await open();
    await frame(second).locator("#butNext").waitFor();
    const resumed = await calls(second);
    for (let at = 2; at < 14; at++) await next(second, "#butNext");
    const test = frame(second).frameLocator("#contentFrame");
    await test.locator("input[type=button]").waitFor();
    // Each question knows its answer; the wrong ones are answered wrong on purpose.
    await test.locator("body").evaluate(() => {
      for (const each of globalThis.test.Questions) {
        const at = each.Type === "choice" ? each.Answers.indexOf(each.CorrectAnswer) : each.CorrectAnswer === "true" || each.CorrectAnswer === true ? 0 : 1;
        const field = document.getElementById(`question_${each.Id}_${each.Type === "choice" ? at : at === 0 ? "True" : "False"}`) ?? document.querySelector(`#question_${each.Id} input[type=text]`);
        if (field?.type === "radio") field.checked = true;
        else if (field) field.value = each.CorrectAnswer;
      }
    });
    await test.locator("input[type=button]").click();
    await settled(second);
    const answered = await calls(second);
    await next(second, "#butExit");
    await second.waitForFunction(() => globalThis.calls.some(([each]) => /Finish|Terminate/.test(each)));
    const ended = await calls(second);
    const kept = await second.evaluate(() => JSON.parse(Object.values(localStorage)[0]));
    const said = await second.locator(".said").innerText();
    await done();
    return { begun, resumed, answered, ended, kept, said, ...seen };
  },

  /** Several SCOs in an order that rules hold: what may be opened, before and after the first one. */
  async sequenced(name) {
    const { seen, open, close, done } = await learner(name);
    const first = await open();
    const before = await lines(first);
    const heading = await first.locator("h1").innerText();
    await frame(first).locator("#butNext").waitFor();
    // To its end, where it says that it is done.
    while (await frame(first).locator("#butNext").isEnabled()) await next(first, "#butNext");
    await settled(first);
    const told = await calls(first);
    const item = first.locator("nav button.item", { hasText: heading });
    await first.locator(".ways .next").click().catch(() => undefined);
    await first.waitForFunction((was) => document.querySelector("h1")?.textContent !== was, heading);
    const then = await first.locator("h1").innerText();
    const after = await lines(first);
    await frame(first).locator("#butNext").waitFor();
    await next(first, "#butNext");
    await settled(first);
    await close(first);
    const second = await open();
    await frame(second).locator("#butNext").waitFor();
    const resumed = { heading: await second.locator("h1").innerText(), lines: await lines(second), calls: await calls(second) };
    const kept = await second.evaluate(() => JSON.parse(Object.values(localStorage)[0]));
    await done();
    return { before, heading, told, then, after, resumed, kept, ...seen };
  },

  /** Every item that can be opened is opened once. */
  async walk(name) {
    const { seen, open, done } = await learner(name);
    const page = await open();
    const before = await lines(page);
    const opened = [];
    for (let steps = 0; steps < 40; steps++) {
      await page.locator(".stage iframe").waitFor();
      await page.waitForTimeout(50);
      opened.push([await page.locator("h1").innerText(), await page.evaluate(() => document.querySelector(".stage iframe")?.contentWindow.location.href.split("/content/")[1] ?? "")]);
      if (!(await page.locator(".ways .next").count()) || !(await page.locator(".ways .next").isEnabled())) break;
      await page.locator(".ways .next").click();
    }
    await settled(page);
    const after = await lines(page);
    const text = await page.locator("#app").innerText();
    await done();
    return { before, opened, after, text, ...seen };
  },

  /** As `walk`, once with the page only: what is shown, and no script of a title has run. */
  async shown(name) {
    const { seen, open, done } = await learner(name);
    const page = await open();
    await page.locator("h1").waitFor();
    await page.waitForTimeout(300);
    const found = { text: await page.locator("#app").innerText(), api: await page.evaluate(() => [typeof globalThis.API, typeof globalThis.API_1484_11]), ran: await page.evaluate(() => globalThis.ran ?? null), calls: await calls(page), dir: await page.evaluate(() => document.documentElement.dir) };
    await done();
    return { ...found, ...seen };
  },
};

const results = {};
for (const [name, job] of Object.entries(jobs)) {
  try {
    results[name] = await PLAYS[job.play](name, job);
  } catch (error) {
    results[name] = { failed: String(error.stack ?? error) };
  }
}
await browser.close();
server.close();
console.log(JSON.stringify(results));
