// Elements in one line each. Nothing here takes markup but `trusted`, whose HTML was sanitised when the course was built.

type Given = string | number | boolean | null | undefined | ((event: Event) => void);
export type Child = Node | string | null | undefined | false;

/** `on…` members are listeners, `true` an attribute without a value, null and false none. */
export function h<K extends keyof HTMLElementTagNameMap>(tag: K, given: Readonly<Record<string, Given>> = {}, ...children: readonly Child[]): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.filter((child): child is Node | string => child !== null && child !== undefined && child !== false));
  return element;
}

/** The safe HTML of a text, its headings below the page's own: the highest of them becomes an h2. */
export function trusted(html: string): DocumentFragment {
  const template = document.createElement("template");
  template.innerHTML = html;
  const headings = [...template.content.querySelectorAll("h1, h2, h3, h4, h5, h6")];
  const shift = 2 - Math.min(...headings.map(level), 6);
  for (const heading of headings) {
    const renamed = document.createElement(`h${Math.min(6, level(heading) + shift)}`);
    for (const { name, value } of [...heading.attributes]) renamed.setAttribute(name, value);
    renamed.append(...heading.childNodes);
    heading.replaceWith(renamed);
  }
  for (const table of template.content.querySelectorAll("table")) {
    const wide = h("div", { class: "wide", tabindex: 0, role: "group" });
    table.replaceWith(wide);
    wide.append(table);
  }
  for (const link of template.content.querySelectorAll("a[href^=http]")) link.setAttribute("target", "_blank");
  return template.content;
}

const level = (heading: Element): number => Number(heading.tagName[1]);
