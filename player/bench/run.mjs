// `node bench/run.mjs URL`: measures in Chromium and prints one JSON object. `python -m bench browser` calls it.
import { inChromium } from "../tests/launch.mjs";

const ROUNDS = 3;

const found = await inChromium(process.argv[2], async (page, call) => {
  const prepared = await call("prepare");
  const rounds = [];
  for (let i = 0; i < ROUNDS; i++) {
    await page.reload();
    rounds.push(await call("measure", prepared.packageId));
  }
  return { prepared, rounds };
});
console.log(JSON.stringify(found));
