// What a learner does in a browser: reads each unit to its end, plays what can be played, answers, goes on. It goes by what is
// on the page, as a person would, and takes from the course only which answers are right.

const text = (texts, language, own) => texts?.[language] ?? texts?.[own] ?? Object.values(texts ?? {})[0] ?? "";

/** Answers one question through its controls. `right`: as the course says, else as wrong as it can be. */
async function answer(page, quiz, question, right) {
  const name = `q-${quiz.id}-${question.id}`;
  const group = page.locator(`[aria-labelledby^="${name}-number"]`);
  const own = await page.evaluate(() => globalThis.course.metadata.language);
  const language = await page.evaluate(() => document.documentElement.lang);
  switch (question.kind) {
    case "single": {
      const chosen = question.choices.findIndex((each) => each.correct === right);
      await group.locator(`input[value="${chosen}"]`).check();
      return;
    }
    case "multiple":
      for (const [index, each] of question.choices.entries()) {
        if (each.correct === right) await group.locator(`input[value="${index}"]`).check();
      }
      return;
    case "true_false":
      await group.locator(`input[value="${question.answer === right}"]`).check();
      return;
    case "numeric":
      await group.locator("input").fill(String(right ? question.answer : question.answer + question.tolerance + 7));
      return;
    case "short_text": {
      const accepted = question.answers[language] ?? question.answers[own] ?? Object.values(question.answers)[0];
      await group.locator("input").fill(right ? accepted[0] : "something else");
      return;
    }
    case "matching":
      for (const index of question.pairs.keys()) {
        const to = right ? index : (index + 1) % question.pairs.length;
        await group.locator("select").nth(index).selectOption(String(to));
      }
      return;
    case "ordering": {
      const titles = question.items.map((each) => text(each.text, language, own));
      const wanted = right ? titles : [...titles].reverse();
      for (const [place, title] of wanted.entries()) {
        for (;;) {
          const shown = await group.locator("li > span:first-child").allTextContents();
          const at = shown.indexOf(title);
          if (at < 0) throw new Error(`no item “${title}” among ${shown}`);
          if (at === place) break;
          await group.locator("li").nth(at).locator("button").first().press("Enter"); // by keyboard
        }
      }
      return;
    }
    default:
      throw new Error(question.kind);
  }
}

/** Answers only questions of these kinds, and hands nothing in. */
export async function answerSome(page, quiz, kinds) {
  for (const question of quiz.questions) if (kinds.includes(question.kind)) await answer(page, quiz, question, true);
}

/** Whether the course has a film or sound for the block: then it has to play. */
const playable = (page, block) => page.evaluate(({ asset, type }) => (globalThis.course.assets[asset]?.renditions ?? []).some((each) => each.role === type), block);

/** Reads the unit that is shown. Waits, for each block, until the player has taken it as read. */
export async function readUnit(page, unit, { right = true, stopBefore = null } = {}) {
  for (const block of unit.blocks) {
    if (block.id === stopBefore) return;
    const view = page.locator(`[id="b-${block.id}"]`);
    await view.scrollIntoViewIfNeeded();
    if (block.type === "quiz") {
      for (const question of block.questions) await answer(page, block, question, right);
      await view.locator("button[type=submit]").click();
      await view.locator(".result").waitFor();
    } else if ((block.type === "video" || block.type === "audio") && (await playable(page, block))) {
      await view.locator(block.type).evaluate(async (media) => {
        if (media.readyState < 1) await new Promise((done, failed) => (media.addEventListener("loadedmetadata", done), media.addEventListener("error", () => failed(new Error("not loaded")))));
        media.muted = true;
        media.currentTime = Math.max(0, media.duration - 0.3);
        await media.play();
        if (!media.ended) await new Promise((done) => media.addEventListener("ended", done));
      });
    }
    await view.locator(".end").scrollIntoViewIfNeeded();
    await page.waitForTimeout(700); // READ_MS of the player, and a little
  }
}

export async function readCourse(page, { right = true } = {}) {
  const course = await page.evaluate(() => globalThis.course);
  const only = await page.evaluate(() => document.documentElement.dataset.unit ?? null);
  const units = course.structure.units.filter((each) => only === null || each.id === only);
  for (const unit of units) {
    const title = text(unit.title, await page.evaluate(() => document.documentElement.lang), course.metadata.language);
    await page.locator("h1", { hasText: title }).waitFor();
    await readUnit(page, unit, { right });
    if (unit !== units.at(-1)) await page.locator("a.next").click();
  }
}

/** Waits until the line says that all is kept. */
export const saved = (page) => page.locator(".sign.saved").waitFor({ timeout: 20_000 });
