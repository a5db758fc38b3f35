// Chromium from npm as learners have it: that build comes with switches for scrapers, some of which would make tests say more than
// is true. Without them a page is held to its origin, and a window does not take the whole browser with it.
import chromium from "@sparticuz/chromium";
import { chromium as playwright } from "playwright-core";

const NOT_OURS = ["--single-process", "--disable-web-security", "--allow-running-insecure-content", "--disable-site-isolation-trials"];
const options = async () => ({
  executablePath: process.env.CHROMIUM ?? (await chromium.executablePath()),
  args: chromium.args.filter((each) => !NOT_OURS.includes(each)),
  headless: true,
});

export const launch = async () => playwright.launch(await options());

/** On a profile of its own, so that what is kept is kept as for a learner. */
export const launchOn = async (profile, given = {}) => playwright.launchPersistentContext(profile, { ...(await options()), ...given });

/** What the condition gives as soon as it is true; pages come and go while it is asked. */
export async function until(condition) {
  const deadline = Date.now() + 15_000;
  for (;;) {
    const found = await condition();
    if (found) return found;
    if (Date.now() > deadline) throw new Error("it did not come to that in 15 s");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
