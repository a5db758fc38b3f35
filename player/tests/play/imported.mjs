// Plays imported packages in Chromium: `node tests/play/imported.mjs JOBS.json` ({policy, jobs: name → {folder, play}}). Prints what was
// recorded, by name: every call that content made with its answer and error, what the page showed, what was asked of elsewhere.
import { readFileSync } from "node:fs";
import { launch } from "./browser.mjs";
import { recording, serve } from "./packages.mjs";

const { policy, jobs, plain, shell } = JSON.parse(readFileSync(process.argv[2], "utf8"));
const server = await serve(Object.fromEntries(Object.entries(jobs).map(([name, { folder }]) => [name, folder])), policy, plain, shell);
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

  /** A test of ADL's, whose applet is gone: what it would have its page do is done here by that page's own functions. */
  async adl(name, { item, elements }) {
    const { context, seen, open, close, done } = await learner(name);
    await context.addInitScript((wanted) => {
      const driver = HTMLObjectElement.prototype;
      const noted = [];
      Object.assign(driver, {
        evalID: (id) => (noted.push(id), true),
        writeToLog: (_log, kind, message) => noted.push([kind, message]),
        getScoStatus: () => "completed",
        setSCOStatus: () => undefined,
        curUserInstructions: () => "",
        terminateTest: () => noted.push("terminated"),
        completed: () => undefined,
        runCommands: () => {
          noted.push(globalThis.doInitialize(""));
          for (const each of wanted) {
            const value = typeof each === "string" ? globalThis.doGetValue(each) : globalThis.doSetValue(...each);
            noted.push([each, value, globalThis.doGetLastError()]);
          }
          return true;
        },
      });
      globalThis.noted = noted;
    }, elements);
    const run = async () => {
      const page = await open();
      const wanted = page.locator("nav button.item", { hasText: item });
      await wanted.waitFor();
      if ((await page.locator("h1").innerText()) !== item) await wanted.click();
      await page.locator("h1", { hasText: item }).waitFor();
      await page.waitForFunction(() => globalThis.calls.some(([each]) => each === "Terminate"));
      const content = page.frames().find((each) => each.url().includes("/content/"));
      const found = { noted: await content.evaluate(() => globalThis.noted), calls: await calls(page), lines: await lines(page), url: content.url() };
      await close(page);
      return found;
    };
    const first = await run();
    const second = await run();
    await done();
    return { first, second, ...seen };
  },

  /** Nothing can be kept: it is said, content is told so, and once there is room again it is kept. */
  async failing(name) {
    const { context, seen, open, done } = await learner(name);
    await context.addInitScript(() => {
      const put = Storage.prototype.setItem;
      Storage.prototype.setItem = function (...given) {
        if (globalThis.full) throw new DOMException("full", "QuotaExceededError");
        return put.apply(this, given);
      };
    });
    const page = await open();
    await frame(page).locator("#butNext").waitFor();
    await settled(page);
    await page.evaluate(() => (globalThis.full = true));
    await next(page, "#butNext");
    await page.locator(".sign.lost").waitFor();
    const sign = await page.locator(".sign").innerText();
    const commit = await page.evaluate(() => [globalThis.API.LMSCommit(""), globalThis.API.LMSGetLastError()]);
    await page.evaluate(() => (globalThis.full = false));
    await page.locator(".sign button").click();
    await settled(page);
    const kept = await page.evaluate(() => [JSON.parse(Object.values(localStorage)[0]).items, globalThis.API.LMSCommit("")]);
    await done();
    return { sign, commit, kept, ...seen };
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
      // What tells nothing is done after a moment, and then what waits for it opens.
      const more = page.locator(".ways .next:enabled");
      if (!(await more.waitFor({ timeout: 4500 }).then(() => true, () => false))) break;
      await more.click();
    }
    if (opened.length > 1) await page.locator("nav button.item").first().click();
    await settled(page);
    const after = await lines(page);
    const text = await page.locator("#app").innerText();
    await done();
    return { before, opened, after, text, ...seen };
  },

  /** Begins, or chooses the first that may be chosen: what of the package is opened, and whether it is there. */
  async begun(name) {
    const { open, done } = await learner(name);
    const page = await open();
    await page.locator(".stage iframe, nav button.item").first().waitFor();
    if (!(await page.locator(".stage iframe").count())) await page.locator("nav button.item").first().click();
    await page.locator(".stage iframe").waitFor();
    await page.waitForFunction(() => ["interactive", "complete"].includes(document.querySelector(".stage iframe")?.contentDocument?.readyState ?? "") && document.querySelector(".stage iframe")?.contentWindow.location.href !== "about:blank");
    const found = { address: await page.evaluate(() => document.querySelector(".stage iframe").contentWindow.location.href.split("/content/")[1]), lines: await lines(page), said: await page.locator(".said").innerText() };
    await done();
    return found;
  },

  /** A package inside a course inside a learning platform that has both interfaces: each finds its own, and what is done below is told above. */
  async embed(name) {
    const { seen, open, done } = await learner(name);
    const page = await open("lms.html");
    const course = page.frameLocator("#course");
    const wrapper = course.frameLocator("iframe.package");
    const content = wrapper.frameLocator(".stage iframe");
    await course.locator("iframe.package").scrollIntoViewIfNeeded();
    await content.locator("#butNext").waitFor();
    const before = { title: await course.locator("iframe.package").getAttribute("title"), finished: await course.locator(".finished").innerText(), button: await course.locator(".embed button").innerText() };
    while (await content.locator("#butNext").isEnabled()) await content.locator("#butNext").click();
    await course.locator(".finished", { hasText: "You have finished" }).waitFor();
    await course.locator(".sign.saved").waitFor();
    const embedded = page.frames().find((each) => each.url().includes("/embed/") && !each.url().includes("/content/"));
    const found = { inside: await embedded.evaluate(() => globalThis.calls), platform: await page.evaluate(() => globalThis.heard), kept: await page.evaluate(() => Object.entries(localStorage).filter(([key]) => key.startsWith("content-imported"))) };
    await page.reload();
    await course.locator("iframe.package").scrollIntoViewIfNeeded();
    await content.locator("#butNext").waitFor();
    const again = await page.frames().find((each) => each.url().includes("/embed/") && !each.url().includes("/content/")).evaluate(() => globalThis.calls);
    await done();
    return { before, ...found, again, ...seen };
  },

  /** For the documents: the second item of three, on a desktop; and the contents on a phone. */
  async pictures(name, { out }) {
    for (const [kind, width, height] of [["desktop", 1200, 800], ["phone", 390, 800]]) {
      const { open, done } = await learner(name, { viewport: { width, height } });
      const page = await open();
      await frame(page).locator("button").click();
      await settled(page);
      await page.locator(".ways .next").click();
      await page.locator("h1", { hasText: "How they hunt" }).waitFor();
      await frame(page).locator("svg").waitFor();
      await settled(page);
      if (kind === "phone") await page.locator(".open-contents").click();
      await page.waitForTimeout(300);
      await page.screenshot({ path: `${out}/imported-${kind}.jpg`, type: "jpeg", quality: 72 });
      await done();
    }
    return {};
  },

  /** axe on the page around the content, in both directions and narrow. */
  async access(name) {
    const axe = readFileSync(new URL("../../node_modules/axe-core/axe.min.js", import.meta.url), "utf8");
    const found = {};
    for (const [kind, locale, width] of [["desktop", "en", 1100], ["phone", "en", 320], ["arabic", "ar", 390]]) {
      const { open, done } = await learner(name, { locale, viewport: { width, height: 800 }, bypassCSP: true });
      const page = await open();
      await page.locator(".stage iframe").waitFor();
      await page.waitForTimeout(500);
      if (kind !== "desktop") await page.locator(".open-contents").click();
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => globalThis.axe.run({ exclude: [[".stage iframe"]] }, { iframes: false, runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      // By keyboard alone: the contents, one of their items, and into the content.
      await page.locator(".skip").focus();
      await page.keyboard.press("Enter");
      const focus = await page.evaluate(() => document.activeElement?.tagName);
      found[kind] = { violations: violations.map((each) => [each.id, ...each.nodes.map((node) => node.html.slice(0, 120))]), wide, focus, dir: await page.evaluate(() => document.documentElement.dir), lines: await lines(page) };
      await done();
    }
    return found;
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

  /** In a page of another origin, through the shell and its service worker; then again with the server gone. */
  async around(name, { folder }) {
    const context = await browser.newContext({ viewport: { width: 1100, height: 800 }, locale: "en" });
    const seen = { errors: [], dialogs: [] };
    await context.addInitScript(recording);
    const page = await context.newPage();
    page.on("pageerror", (error) => seen.errors.push(String(error)));
    page.on("dialog", (dialog) => (seen.dialogs.push(dialog.message()), dialog.accept().catch(() => undefined)));
    const course = JSON.parse(readFileSync(`${folder}/course.js`, "utf8").replace(/^globalThis.course = |;\s*$/g, ""));
    const own = server.at(name);
    const plainly = `http://127.0.0.1:${server.port}/`;
    await page.goto(`${plainly}around.html`);
    const begin = (trusted, session) => page.evaluate((given) => globalThis.around.open(...given), [`${own}_player/?s=${session}`, `${plainly}${name}/content/`, course, trusted]);
    // A frame of an origin that was not named is not spoken to.
    await begin("http://other.localhost", "one");
    await page.waitForTimeout(1500);
    const unnamed = { asked: await page.evaluate(() => globalThis.around.asked.length), text: await page.frameLocator("iframe").locator("#app").innerText() };
    await begin(new URL(own).origin, "two");
    const wrapper = page.frameLocator("iframe");
    const inside = wrapper.frameLocator(".stage iframe");
    await inside.locator("#butNext").click();
    await inside.locator("#butNext").click();
    await wrapper.locator(".sign.saved").waitFor();
    const outer = page.frames().find((each) => each.url().includes("/_player/?s=two"));
    const calls = await outer.evaluate(() => globalThis.calls);
    const content = page.frames().find((each) => each.url().includes("/content/two/shared/"));
    const fetched = await content.evaluate(async () => {
      const ask = async (path, given = {}) => {
        const answer = await fetch(path, given);
        return [answer.status, answer.headers.get("content-range"), answer.headers.get("content-type"), (await answer.arrayBuffer()).byteLength];
      };
      return {
        whole: await ask("background.jpg"),
        part: await ask("background.jpg", { headers: { Range: "bytes=10-19" } }),
        rest: await ask("background.jpg", { headers: { Range: "bytes=4000-" } }),
        last: await ask("background.jpg", { headers: { Range: "bytes=-5" } }),
        beyond: await ask("background.jpg", { headers: { Range: "bytes=99999-" } }),
        head: await ask("background.jpg", { method: "HEAD" }),
        odd: await ask("../odd/%C3%A4%20b%23c.txt"),
        none: await ask("none.html"),
        post: await ask("background.jpg", { method: "POST" }),
        outside: await ask("../../../../_player/content/three/shared/background.jpg"),
        policy: (await fetch("launchpage.html")).headers.get("content-security-policy"),
      };
    });
    const reach = await content.evaluate(() => {
      const found = {};
      for (const [what, look] of Object.entries({ page: () => window.top.document.title, climb: () => window.parent.parent === window.parent, cookie: () => document.cookie, storage: () => window.top.localStorage.length })) {
        try {
          found[what] = look();
        } catch (error) {
          found[what] = error.name;
        }
      }
      return found;
    });
    await page.evaluate(() => globalThis.around.fail(true));
    await inside.locator("#butNext").click();
    await wrapper.locator(".sign.kept").waitFor();
    const unsaved = await wrapper.locator(".sign").innerText();
    await page.evaluate(() => globalThis.around.fail(false));
    await wrapper.locator(".sign button").click();
    await wrapper.locator(".sign.saved").waitFor();
    // No network any more: of the shell's origin nothing can be asked.
    await context.route((url) => url.hostname !== "127.0.0.1", (route) => route.abort());
    await begin(new URL(own).origin, "three");
    await inside.locator("#butNext").waitFor();
    const again = page.frames().find((each) => each.url().includes("/_player/?s=three"));
    const resumed = await again.evaluate(() => globalThis.calls);
    const told = await page.evaluate(() => ({ saved: globalThis.around.saved.at(-1), standings: globalThis.around.standings, asked: globalThis.around.asked }));
    await context.close();
    return { unnamed, calls, fetched, reach, unsaved, resumed, ...told, ...seen };
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
