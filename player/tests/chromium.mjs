// Runs the tests of page.ts in a real browser: `node tests/chromium.mjs URL`. Prints one JSON object.
// @sparticuz/chromium unpacks its browser into the temporary folder; CHROMIUM names another one.
import chromium from "@sparticuz/chromium";
import { chromium as playwright } from "playwright-core";

const url = process.argv[2];
const executablePath = process.env.CHROMIUM ?? (await chromium.executablePath());
const browser = await playwright.launch({ executablePath, args: chromium.args, headless: true });
const found = { browser: browser.version(), problems: [] };
try {
  const page = await browser.newPage();
  page.on("pageerror", (error) => found.problems.push(String(error)));
  page.on("console", (message) => message.type() === "error" && found.problems.push(message.text()));
  const call = (name, ...given) => page.evaluate(([n, g]) => globalThis.tests[n](...g), [name, given]);
  await page.goto(url);
  found.vectors = await call("vectors");
  found.first = await call("first");
  const { packageId } = found.first;
  await page.reload();
  found.reloaded = await call("readAll", packageId);
  found.exported = await call("exportIt", packageId);
  found.tampered = await call("tamper", packageId);
  found.mended = await call("installFrom", "first");
  found.foreign = await call("installFrom", "foreign");
  found.damaged = await call("installFrom", "damaged");
  found.kept = await call("readAll", packageId);
  found.second = await call("importIt", "/single/second");
  found.updated = await call("readAll", packageId);
  found.older = await call("importIt", "/single/first");
  found.removed = await call("removeIt", packageId);
} finally {
  await browser.close();
}
console.log(JSON.stringify(found));
