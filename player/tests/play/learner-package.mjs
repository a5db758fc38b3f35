// Imported packages on a running stack: `node tests/play/learner-package.mjs PAGE LINK STOLEN TITLE COURSE`. Online by the link of the published
// site; and on the learner's page, which sets up a device, fetches the bundle, loses the network, and plays. STOLEN: an address of a
// file of the package on the tenant's own origin. COURSE: the title of a course that has the package inside. Prints one JSON object.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { launchOn, until } from "./browser.mjs";
import { recording } from "./packages.mjs";

const [page, link, stolen, title, course] = process.argv.slice(2);
const profile = mkdtempSync(join(tmpdir(), "profile-"));
const context = await launchOn(profile, { viewport: { width: 1000, height: 800 }, locale: "en" });
const errors = [];
const dialogs = [];
const watched = (opened) => {
  opened.on("pageerror", (error) => errors.push(String(error)));
  opened.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  opened.on("dialog", (dialog) => (dialogs.push(dialog.message()), dialog.accept().catch(() => undefined)));
  return opened;
};
const found = { errors, dialogs };
try {
  await context.addInitScript(recording);
  // -- online
  const site = watched(await context.newPage());
  await site.goto(link);
  const content = site.frameLocator(".stage iframe");
  await content.locator("#butNext").click();
  await content.locator("#butNext").click();
  await site.locator(".sign.saved").waitFor();
  found.online = await site.evaluate(() => globalThis.calls);
  found.shown = site.url();
  found.cookies = (await context.cookies()).map(({ domain, path, httpOnly }) => ({ domain, path, httpOnly }));
  await site.reload();
  await content.locator("#butNext").waitFor();
  found.again = await site.evaluate(() => globalThis.calls);
  await site.close();
  const thief = await context.newPage();
  found.stolen = (await thief.goto(stolen)).status();
  await thief.close();

  // -- offline
  const learner = watched(await context.newPage());
  await learner.goto(page);
  await learner.locator("button.main").click(); // set up
  await learner.locator("button.main", { hasText: "Look for courses" }).waitFor({ timeout: 20_000 });
  const deadline = Date.now() + 90_000;
  const entry = learner.locator(".shelf a", { hasText: title });
  const outer = learner.locator(".shelf a", { hasText: course });
  for (;;) {
    await learner.locator("button.main").click();
    await learner.locator("[role=status]", { hasText: /has everything|could not be taken|did not work/ }).waitFor({ timeout: 60_000 });
    if ((await entry.count()) && (await outer.count())) break;
    if (Date.now() > deadline) throw new Error(`no course came: ${await learner.locator("main").innerText()}`);
    await learner.waitForTimeout(500);
  }
  found.status = await learner.locator("[role=status]").innerText();
  await learner.evaluate(() => navigator.serviceWorker.ready.then(() => true));
  await context.setOffline(true);
  await learner.reload();
  found.offline = await learner.locator("[role=status]").innerText();
  await entry.first().click();
  const wrapper = learner.frameLocator("iframe.package");
  const inside = wrapper.frameLocator(".stage iframe");
  await inside.locator("#butNext").click();
  await inside.locator("#butNext").click();
  await inside.locator("#butNext").click();
  await wrapper.locator(".sign.saved").waitFor();
  const shell = () => learner.frames().find((each) => each.url().includes("/_player/?s="));
  found.played = await shell().evaluate(() => globalThis.calls);
  found.origin = new URL(shell().url()).origin;
  found.pictures = await until(async () => {
    const shown = learner.frames().find((each) => /\/Playing\/.*html/.test(each.url()));
    const widths = await shown?.evaluate(() => (document.readyState === "complete" ? [...document.images].map((each) => each.naturalWidth) : [])).catch(() => []);
    return widths?.length ? widths : null;
  });
  found.reach = await learner.frames().find((each) => each.url().includes("/content/")).evaluate(() => {
    try {
      return window.top.document.title;
    } catch (error) {
      return error.name;
    }
  });
  const address = learner.url();
  await learner.close({ runBeforeUnload: true });
  await new Promise((done) => setTimeout(done, 500));
  const later = watched(await context.newPage());
  await later.goto(address);
  await later.frameLocator("iframe.package").frameLocator(".stage iframe").locator("#butNext").waitFor();
  found.resumed = await later.frames().find((each) => each.url().includes("/_player/?s=")).evaluate(() => globalThis.calls);
  found.kept = await later.evaluate(async () => {
    const database = await new Promise((resolve) => (indexedDB.open("content-progress").onsuccess = (event) => resolve(event.target.result)));
    const all = await new Promise((resolve) => (database.transaction("progress").objectStore("progress").getAll().onsuccess = (event) => resolve(event.target.result)));
    return all.filter((each) => each.item === "package").map((each) => JSON.parse(each.value));
  });
  // -- the same package inside a course, still without a network: a record of its own, and the course hears of it
  const within = watched(await context.newPage());
  await within.goto(page);
  await within.locator(".shelf a", { hasText: course }).click();
  await within.locator("iframe.package").scrollIntoViewIfNeeded();
  const embedded = within.frameLocator("iframe.package").frameLocator(".stage iframe");
  await embedded.locator("#butNext").waitFor();
  while (await embedded.locator("#butNext").isEnabled()) await embedded.locator("#butNext").click();
  await within.locator(".finished", { hasText: "You have finished" }).waitFor();
  await within.frameLocator("iframe.package").locator(".sign.saved").waitFor();
  const frame = within.frames().find((each) => each.url().includes("/_player/?s="));
  found.embedded = { origin: new URL(frame.url()).origin, calls: await frame.evaluate(() => globalThis.calls) };
} finally {
  await context.close();
  rmSync(profile, { recursive: true, force: true });
}
console.log(JSON.stringify(found));
