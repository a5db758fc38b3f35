// What stands around the content: title, language, contents with progress, the sign that tells whether what was done is kept,
// and what the course is made of.
import type { Sign } from "../keeper.ts";
import { type Context, directionOf, load, renditionsOf, spoken, textOf } from "./context.ts";
import { h } from "./dom.ts";

export interface Entry {
  readonly title: HTMLElement;
  readonly href: string;
  readonly here: boolean;
  readonly closed: boolean;
  readonly done: number;
  readonly all: number;
}

export function banner(context: Context, onLanguage: (tag: string) => void, onContents: (() => void) | null): HTMLElement {
  const { course, words } = context;
  const { theme } = course.metadata;
  const header = h("header", { class: "banner" });
  const [logo] = theme?.logo ? renditionsOf(context, theme.logo, "image") : [];
  if (logo) {
    const image = h("img", { class: "logo", alt: textOf(context, theme?.logo_alt) });
    load(context, image, "src", logo, () => image.remove());
    header.append(image);
  }
  header.append(h("p", { class: "course" }, spoken(context, course.metadata.title)));
  if (course.tracking?.preview) header.append(h("p", { class: "preview" }, words.say("preview")));
  if (course.metadata.languages.length > 1) header.append(languages(context, onLanguage));
  if (onContents) header.append(h("button", { type: "button", class: "open-contents", "aria-expanded": "false", "aria-controls": "contents", onclick: onContents }, words.say("contents")));
  return header;
}

function languages(context: Context, chosen: (tag: string) => void): HTMLElement {
  const { course, words, language } = context;
  const select = h("select", { id: "language" });
  for (const { tag } of course.metadata.languages) {
    const name = new Intl.DisplayNames([tag], { type: "language" }).of(tag) ?? tag;
    select.append(h("option", { value: tag, lang: tag, dir: directionOf(course, tag), selected: tag === language }, name));
  }
  select.addEventListener("change", () => chosen(select.value));
  return h("p", { class: "language" }, h("label", { for: "language", class: "hidden" }, words.say("choose.language")), select);
}

export function contents(context: Context, entries: readonly Entry[], share: number): readonly HTMLElement[] {
  const { words } = context;
  const list = h("ol");
  for (const each of entries) {
    const progress = h("small", {}, each.closed ? words.say("contents.closed") : words.say("contents.progress", { done: each.done, all: each.all }));
    const inside = each.closed ? h("span", { class: "closed" }, each.title) : h("a", { href: each.href, ...(each.here ? { "aria-current": "page" } : {}) }, each.title);
    list.append(h("li", { class: each.done === each.all ? "done" : "" }, inside, " ", progress));
  }
  const label = words.say("course.progress", { percent: words.percent(share) });
  const bar = h("progress", { max: 1, value: share, "aria-label": words.say("progress") });
  return [h("h2", {}, words.say("contents")), h("p", { class: "share" }, bar, " ", h("small", {}, label)), list];
}

/** Fills the line that says whether the last thing done is kept. */
export function signed(context: Context, line: HTMLElement, sign: Sign, retry: () => void): void {
  const { words } = context;
  const key = ({ idle: null, saving: "save.saving", saved: "save.saved", kept: "save.kept", lost: "save.lost", review: "save.review" } as const)[sign.state];
  line.className = `sign ${sign.state}`;
  // "Saved" after each block would talk over a film; what matters is said.
  line.setAttribute("aria-live", ["kept", "lost", "review"].includes(sign.state) ? "polite" : "off");
  const focused = line.contains(document.activeElement);
  if (!key) {
    line.replaceChildren();
    return;
  }
  const time = sign.since ? new Intl.DateTimeFormat(words.tag, { timeStyle: "short" }).format(sign.since) : "";
  const said = sign.state === "kept" && sign.why === "no-lms" ? words.say("error.no-lms") : words.say(key, { time });
  const why = sign.why && sign.why !== "no-lms" ? `${words.say(`error.${sign.why}`)} ` : "";
  const button = (sign.state === "kept" || sign.state === "lost") && sign.why !== "no-lms" ? h("button", { type: "button", onclick: retry }, words.say("save.retry")) : null;
  line.replaceChildren(h("span", {}, why, said), ...(button ? [" ", button] : []));
  if (focused) (button ?? line).focus();
}

/** Licence, authors, and whose the pictures and films are. */
export function about(context: Context): HTMLElement {
  const { course, words } = context;
  const { metadata } = course;
  const details = h("details", { class: "about" }, h("summary", {}, words.say("about")));
  const authors = (metadata.authors ?? []).map((each) => each.name).join(", ");
  if (authors) details.append(h("p", {}, words.say("about.authors", { authors })));
  if (metadata.license) details.append(h("p", {}, words.say("about.license", { license: metadata.license })));
  const credits = Object.values(course.assets).filter((each) => each.credit || each.license);
  if (credits.length) {
    details.append(h("h2", {}, words.say("about.credits")), h("ul", {}, ...credits.map((each) => {
      const source = each.source_url ? h("a", { href: each.source_url, target: "_blank", rel: "noopener noreferrer" }, words.say("about.source")) : null;
      return h("li", {}, [each.credit, each.license].filter(Boolean).join(" · "), " ", source);
    })));
  }
  return details;
}

export function themed(context: Context): void {
  const colours = context.course.metadata.theme?.colours;
  const { style } = document.documentElement; // set by script, which a policy without inline styles allows
  for (const [name, value] of Object.entries({ text: colours?.text, background: colours?.background, accent: colours?.accent ?? colours?.text })) {
    if (value) style.setProperty(`--${name}`, value);
  }
  document.documentElement.classList.toggle("dark", colours ? luminance(colours.background) < 0.18 : false);
}

/** Relative luminance of #rrggbb, 0 to 1 (WCAG 2.2); below 0.18 white is read better than black. */
function luminance(colour: string): number {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
