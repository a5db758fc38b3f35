// Pictures of the demo course for the documents: `node tests/play/screenshots.mjs FOLDER OUT`, with the HTML export in FOLDER.
import { join } from "node:path";
import { launch } from "./browser.mjs";
import { readUnit, saved } from "./human.mjs";
import { serve } from "./platform.mjs";

const [folder, out] = process.argv.slice(2);
const server = await serve({ demo: folder });
const browser = await launch();

async function page(width, height, language) {
  const context = await browser.newContext({ viewport: { width, height }, locale: language, serviceWorkers: "block", reducedMotion: "reduce" });
  const opened = await context.newPage();
  await opened.goto(`${server.base}/demo/index.html`);
  await opened.locator("h1").waitFor();
  return opened;
}

const shot = (opened, name) => opened.screenshot({ path: join(out, `${name}.jpg`), type: "jpeg", quality: 72 });
const pictures = (opened) => opened.waitForFunction(() => [...document.images].filter((each) => each.getBoundingClientRect().top < innerHeight).every((each) => each.complete && each.naturalWidth));

const desktop = await page(1200, 800, "en");
await pictures(desktop);
await shot(desktop, "player-desktop");

const phone = await page(390, 800, "en");
const course = await phone.evaluate(() => globalThis.course);
const unit = course.structure.units.find((each) => each.blocks.some((block) => block.type === "quiz"));
await phone.goto(`${server.base}/demo/index.html#/${unit.id}`);
await readUnit(phone, { ...unit, blocks: unit.blocks.filter((each) => each.type === "quiz") });
await saved(phone);
await phone.locator(".result").scrollIntoViewIfNeeded();
await phone.evaluate(() => document.querySelector(".questions").scrollIntoView());
await shot(phone, "player-phone-quiz");

const arabic = await page(390, 800, "ar");
await arabic.locator(".open-contents").click();
await pictures(arabic);
await shot(arabic, "player-phone-arabic");

await browser.close();
server.close();
