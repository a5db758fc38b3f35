// Runs the tests of page.ts in a real browser: `node tests/chromium.mjs URL`. Prints one JSON object.
import { inChromium } from "./launch.mjs";

const found = await inChromium(process.argv[2], async (page, call) => {
  const steps = { vectors: await call("vectors"), first: await call("first") };
  const { packageId } = steps.first;
  await page.reload();
  steps.reloaded = await call("readAll", packageId);
  steps.exported = await call("exportIt", packageId);
  steps.tampered = await call("tamper", packageId);
  steps.mended = await call("installFrom", "first");
  steps.foreign = await call("installFrom", "foreign");
  steps.damaged = await call("installFrom", "damaged");
  steps.kept = await call("readAll", packageId);
  steps.second = await call("importIt", "/single/second");
  steps.updated = await call("readAll", packageId);
  steps.older = await call("importIt", "/single/first");
  steps.interrupted = await call("interrupted", "third");
  await page.reload();
  steps.resumed = await call("installFrom", "third");
  steps.removed = await call("removeIt", packageId);
  return steps;
});
console.log(JSON.stringify(found));
