// `node bench/player.mjs JOBS.json`: the player in Chromium on a CPU slowed down four times. For each {name: {folder, units}} the
// time from the request to a page that can be used (heading shown, main thread idle), and the heap after walking through all units.
import { readFileSync } from "node:fs";
import { launch } from "../tests/play/browser.mjs";
import { serve } from "../tests/play/platform.mjs";

const ROUNDS = 5;
const SLOWER = 4;
const jobs = JSON.parse(readFileSync(process.argv[2], "utf8"));
const server = await serve(Object.fromEntries(Object.entries(jobs).map(([name, job]) => [name, job.folder])));
const browser = await launch();
const found = {};
for (const [name, job] of Object.entries(jobs)) {
  const rounds = [];
  for (let round = 0; round < ROUNDS; round++) {
    const context = await browser.newContext({ viewport: { width: 390, height: 844 }, locale: "en", serviceWorkers: "block" });
    const page = await context.newPage();
    const cdp = await context.newCDPSession(page);
    await cdp.send("Emulation.setCPUThrottlingRate", { rate: SLOWER });
    await page.goto(`${server.base}/${name}/index.html`, { waitUntil: "commit" });
    rounds.push(await page.evaluate(() => new Promise((resolve) => {
      const look = () => (document.querySelector("h1") ? requestIdleCallback(() => resolve(performance.now())) : requestAnimationFrame(look));
      look();
    })));
    await context.close();
  }
  const context = await browser.newContext({ viewport: { width: 390, height: 844 }, locale: "en", serviceWorkers: "block" });
  const page = await context.newPage();
  const cdp = await context.newCDPSession(page);
  await page.goto(`${server.base}/${name}/index.html`);
  await page.locator("h1").waitFor();
  const heap = async () => {
    await cdp.send("HeapProfiler.collectGarbage");
    const { metrics } = await cdp.send("Performance.getMetrics");
    const value = (wanted) => metrics.find((each) => each.name === wanted).value;
    return { heap: value("JSHeapUsedSize"), nodes: value("Nodes") };
  };
  await cdp.send("Performance.enable");
  const first = await heap();
  const units = await page.evaluate(() => globalThis.course.structure.units.map((each) => each.id));
  for (const id of units) {
    await page.evaluate((each) => (location.hash = `#/${each}`), encodeURIComponent(id));
    await page.waitForFunction((title) => document.querySelector("h1")?.textContent === title, await page.evaluate((each) => globalThis.course.structure.units.find((unit) => unit.id === each).title.en, id));
  }
  found[name] = { rounds, first, walked: await heap(), units: units.length };
  await context.close();
}
await browser.close();
server.close();
console.log(JSON.stringify(found));
