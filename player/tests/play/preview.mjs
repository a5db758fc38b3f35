// Opens a preview by its link as an author does: `node tests/play/preview.mjs LINK`. Prints one JSON object: what the page says it
// is in each of the course's languages, and what of it stays on the device.
import { launch } from "./browser.mjs";
import { readCourse, saved } from "./human.mjs";

const [link] = process.argv.slice(2);
const browser = await launch();
const context = await browser.newContext({ viewport: { width: 320, height: 640 }, locale: "en" });
const errors = [];
context.on("page", (page) => {
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
});

const page = await context.newPage();
await page.goto(link);
await page.locator("h1").waitFor();
const notice = page.locator(".preview");
const told = { en: await notice.innerText() };
const language = page.locator("#language");
for (const tag of await language.locator("option").evaluateAll((options) => options.map((each) => each.value))) {
  await language.selectOption(tag);
  told[tag] = await notice.innerText();
}
await language.selectOption("en");
const seen = await notice.isVisible();
const wide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
await readCourse(page, { right: true });
await saved(page);
const finished = await page.locator(".finished").innerText();
const workers = await page.evaluate(async () => (await navigator.serviceWorker.getRegistrations()).length);
const kept = await page.evaluate(() => Object.keys(localStorage));
const address = page.url();
await browser.close();
console.log(JSON.stringify({ told, seen, wide, finished, workers, kept, address, errors }));
