// Looks at every page of a course as people with few means see it: axe-core's rules for WCAG 2.2 AA in each language, 320 pixels
// wide, by keyboard alone, printed, with less motion. `node tests/play/access.mjs JOBS.json`; prints what was found as JSON.
import { readFileSync } from "node:fs";
import { launch } from "./browser.mjs";
import { readUnit, saved } from "./human.mjs";
import { serve } from "./platform.mjs";

const AXE = readFileSync(new URL("../../node_modules/axe-core/axe.min.js", import.meta.url), "utf8");
const jobs = JSON.parse(readFileSync(process.argv[2], "utf8"));
const server = await serve(Object.fromEntries(Object.entries(jobs).map(([name, job]) => [name, job.folder])));
const browser = await launch();
const found = { axe: [], wide: [], pages: 0, rules: 1000, focus: [], keyboard: null, prints: null, motion: null };

async function axe(page, where) {
  await page.evaluate(AXE);
  const { violations, passes } = await page.evaluate(() => globalThis.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
  found.pages++;
  found.rules = Math.min(found.rules, passes.length);
  for (const each of violations) found.axe.push(`${where}: ${each.id}: ${each.nodes.map((node) => node.html.slice(0, 160)).join(" | ")}`);
}

async function look(name, job) {
  const context = await browser.newContext({ viewport: { width: 1100, height: 900 }, locale: "en", serviceWorkers: "block", bypassCSP: true, reducedMotion: "reduce" });
  const page = await context.newPage();
  const address = `${server.base}/${name}/${job.page}`;
  await page.goto(address);
  await page.locator("h1").waitFor();
  const course = await page.evaluate(() => globalThis.course);
  found.motion ??= await page.evaluate(() => getComputedStyle(document.documentElement).scrollBehavior);
  for (const { tag, direction } of course.metadata.languages) {
    if (course.metadata.languages.length > 1) await page.selectOption("#language", tag);
    for (const unit of course.structure.units) {
      await page.goto(`${address}#/${encodeURIComponent(unit.id)}`);
      const where = `${name} ${tag} ${unit.id}`;
      const shown = await page.evaluate(() => [document.documentElement.lang, document.documentElement.dir]);
      if (shown.join() !== `${tag},${direction}`) found.axe.push(`${where}: is shown in ${shown}`);
      for (const details of await page.locator("details").all()) await details.evaluate((each) => (each.open = true));
      await axe(page, where);
      await page.setViewportSize({ width: 320, height: 640 }); // 1280 at 400 %, as WCAG 1.4.10 has it
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      if (wide > 0) found.wide.push(`${where}: ${wide} pixels beyond 320`);
      await axe(page, `${where} narrow`);
      await page.setViewportSize({ width: 1100, height: 900 });
    }
  }
  await context.close();
}

/** Answers a quiz wrongly, so that results, feedback and "try again" are looked at too. */
async function results(name, job) {
  const context = await browser.newContext({ viewport: { width: 1100, height: 900 }, locale: "en", serviceWorkers: "block", bypassCSP: true });
  const page = await context.newPage();
  await page.goto(`${server.base}/${name}/${job.page}`);
  const course = await page.evaluate(() => globalThis.course);
  const unit = course.structure.units.find((each) => each.blocks.some((block) => block.type === "quiz"));
  await page.goto(`${server.base}/${name}/${job.page}#/${encodeURIComponent(unit.id)}`);
  await page.locator("button[type=submit]").first().click();
  await axe(page, `${name}: an unanswered quiz sent`);
  await readUnit(page, { ...unit, blocks: unit.blocks.filter((each) => each.type === "quiz") }, { right: false });
  await saved(page);
  await axe(page, `${name}: results`);
  await context.close();
}

/** From the address bar to the end of a unit by Tab, Enter and arrows; what has the focus must show it. */
async function keyboard(name, job) {
  const context = await browser.newContext({ viewport: { width: 1100, height: 900 }, locale: "en", serviceWorkers: "block" });
  const page = await context.newPage();
  await page.goto(`${server.base}/${name}/${job.page}`);
  await page.locator("h1").waitFor();
  const stops = [];
  await page.keyboard.press("Tab");
  const skip = await page.evaluate(() => document.activeElement.className);
  await page.keyboard.press("Enter");
  const landed = await page.evaluate(() => document.activeElement.tagName);
  for (let step = 0; step < 60; step++) {
    await page.keyboard.press("Tab");
    const at = await page.evaluate(() => {
      const element = document.activeElement;
      const style = getComputedStyle(element);
      const native = ["VIDEO", "AUDIO"].includes(element.tagName);
      const box = element.closest("label") ?? element;
      const outlined = [element, box].some((each) => getComputedStyle(each).outlineStyle !== "none" && getComputedStyle(each).outlineWidth !== "0px");
      return { tag: element.tagName, className: element.className, text: (element.textContent ?? "").slice(0, 30), visible: native || outlined, style: style.outlineStyle };
    });
    if (at.tag === "BODY") break;
    if (!at.visible) found.focus.push(`${at.tag} “${at.text}” shows no focus`);
    stops.push(at);
    if (at.className === "next") {
      const before = await page.locator("h1").innerText();
      await page.keyboard.press("Enter");
      await page.waitForFunction((title) => document.querySelector("h1").innerText !== title, before);
      break;
    }
  }
  const heading = await page.locator("h1").innerText();
  found.keyboard = { skip, landed, stops: stops.length, heading, focused: await page.evaluate(() => document.activeElement.tagName) };
  await context.close();
}

async function prints(name, job) {
  const context = await browser.newContext({ viewport: { width: 1100, height: 900 }, locale: "en", serviceWorkers: "block" });
  const page = await context.newPage();
  await page.addInitScript(() => (globalThis.print = () => (globalThis.printed = [...document.querySelectorAll("article h1")].map((each) => each.textContent))));
  await page.goto(`${server.base}/${name}/${job.page}`);
  await page.locator(".tools button").click();
  await page.emulateMedia({ media: "print" });
  const parts = await page.evaluate(() => globalThis.printed);
  const hidden = await page.evaluate(() => ["nav", ".ways", ".tools"].every((each) => getComputedStyle(document.querySelector(each)).display === "none"));
  const transcripts = await page.evaluate(() => [...document.querySelectorAll("details.transcript")].every((each) => each.open));
  await page.evaluate(() => dispatchEvent(new Event("afterprint")));
  found.prints = { parts, hidden, transcripts, after: await page.locator("article h1").count() };
  await context.close();
}

try {
  for (const [name, job] of Object.entries(jobs)) await look(name, job);
  const [[name, job]] = Object.entries(jobs);
  await results(name, job);
  if (jobs.dark) await results("dark", jobs.dark);
  await keyboard(name, job);
  await prints(name, job);
} finally {
  await browser.close();
  server.close();
}
console.log(JSON.stringify(found));
