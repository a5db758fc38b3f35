// Starts Chromium on a profile of its own, so that OPFS and IndexedDB are on the disk as they are for a learner; a private
// window would keep them in memory. The browser comes from npm; CHROMIUM names another one.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { launchOn } from "./play/browser.mjs";

/** Opens `url` and runs `work(page, call)`, where `call(name, ...given)` is a function of the page's `tests`. */
export async function inChromium(url, work) {
  const profile = mkdtempSync(join(tmpdir(), "profile-"));
  const context = await launchOn(profile);
  try {
    const page = await context.newPage();
    const problems = [];
    page.on("pageerror", (error) => problems.push(String(error)));
    page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
    const call = (name, ...given) => page.evaluate(([n, g]) => globalThis.tests[n](...g), [name, given]);
    await page.goto(url);
    return { browser: context.browser()?.version() ?? "", problems, ...(await work(page, call)) };
  } finally {
    await context.close();
    rmSync(profile, { recursive: true, force: true });
  }
}
