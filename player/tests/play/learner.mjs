// The learner's page of a running stack, as a learner uses it: sets up the device, fetches courses, goes offline, opens one, reads,
// answers, closes the page, comes back. `node tests/play/learner.mjs URL [SCREENSHOTS]`; prints what was seen as JSON.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { launchOn } from "./browser.mjs";
import { readUnit, saved } from "./human.mjs";

const [url, pictures] = process.argv.slice(2);
const profile = mkdtempSync(join(tmpdir(), "profile-"));
const context = await launchOn(profile, { viewport: { width: 390, height: 844 }, locale: "en" });
const errors = [];
const found = {};
try {
  const page = await context.newPage();
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  const shot = async (name) => pictures && (await page.screenshot({ path: join(pictures, `${name}.png`) }));
  await page.goto(url);
  await page.locator("button.main").click(); // set up
  await page.locator("button.main", { hasText: "Look for courses" }).waitFor({ timeout: 20_000 });
  // A bundle is made within seconds of the device's registration.
  const deadline = Date.now() + 60_000;
  for (;;) {
    await page.locator("button.main").click();
    await page.locator("[role=status]", { hasText: "This device has everything" }).waitFor({ timeout: 60_000 });
    if (await page.locator(".shelf li").count()) break;
    if (Date.now() > deadline) throw new Error("no course came");
    await page.waitForTimeout(500);
  }
  found.shelf = await page.locator(".shelf li").first().innerText();
  await shot("shelf");
  await page.evaluate(() => navigator.serviceWorker.ready.then(() => true));
  await context.setOffline(true);
  await page.reload();
  found.offline = await page.locator("[role=status]").innerText();
  await page.locator(".shelf a").first().click();
  await page.locator("h1").waitFor();
  // What the page holds is the course out of the bundle; the human takes the right answers from there.
  await page.waitForFunction(() => globalThis.course);
  const course = await page.evaluate(() => globalThis.course);
  for (const unit of course.structure.units) {
    await page.goto(`${page.url().split("#")[0]}#/${encodeURIComponent(unit.id)}`);
    await page.locator("h1", { hasText: unit.title.en }).waitFor();
    await readUnit(page, unit);
  }
  await saved(page);
  found.images = await page.evaluate(() => [...document.images].map((each) => each.naturalWidth > 0));
  found.finished = await page.locator(".finished").innerText();
  await shot("course");
  const address = page.url();
  await page.close();
  const again = await context.newPage();
  await again.goto(address);
  await again.locator("h1").waitFor();
  found.again = await again.locator(".finished").innerText();
  found.errors = errors;
} finally {
  await context.close();
  rmSync(profile, { recursive: true, force: true });
}
console.log(JSON.stringify(found));
