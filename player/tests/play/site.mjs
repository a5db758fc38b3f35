// Opens a published site by its link as a learner does, and plays it to its end: `node tests/play/site.mjs LINK STOLEN`.
// STOLEN is the address of a file of that site on another tenant’s origin. Prints one JSON object.
import { launch } from "./browser.mjs";
import { readCourse, saved } from "./human.mjs";

const [link, stolen] = process.argv.slice(2);
const browser = await launch();
const context = await browser.newContext({ viewport: { width: 390, height: 844 }, locale: "en" });
const errors = [];
const outside = [];
context.on("page", (page) => {
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
});
context.on("request", (request) => new URL(request.url()).origin !== new URL(link).origin && outside.push(request.url()));

const page = await context.newPage();
await page.goto(link);
await page.locator("h1").waitFor();
const shown = page.url();
await readCourse(page, { right: true });
await saved(page);
const finished = await page.locator(".finished").innerText();
const pictures = await page.evaluate(() => [...document.images].map((each) => each.naturalWidth));
const scripts = await page.evaluate(() => document.cookie);
const cookies = (await context.cookies()).map(({ name, domain, path, httpOnly, sameSite }) => ({ name, domain, path, httpOnly, sameSite }));
await page.close();

// Without the signature in the address, by the cookies alone; resumed where it was.
const again = await context.newPage();
await again.goto(shown);
await again.locator("h1").waitFor();
const kept = await again.locator(".finished").innerText();
await again.evaluate(() => navigator.serviceWorker.ready.then(() => true));
const played = [...errors];
const elsewhere = (await again.goto(stolen)).status();
await context.close();

const stranger = await browser.newContext();
const other = await stranger.newPage();
const withoutLink = (await other.goto(shown)).status();
await browser.close();
console.log(JSON.stringify({ shown, finished, kept, pictures, scripts, cookies, errors: played, outside: outside.filter((each) => each !== stolen), elsewhere, withoutLink }));
