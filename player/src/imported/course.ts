// An imported package as its player sees it: the course document of `content/scorm/model.py`, in `course.js` of a site or in the
// manifest of a bundle. What it says was written by others: texts are shown as texts, paths are opened below `content/` alone.

export interface Element {
  readonly name: string; // `{namespace}local`
  readonly attributes: readonly (readonly [string, string])[];
  readonly text: string;
  readonly children: readonly Element[];
}

export interface Item {
  readonly identifier: string;
  readonly title: string;
  readonly resource: string | null;
  readonly visible: boolean;
  readonly parameters: string;
  readonly prerequisites: string;
  readonly max_time_allowed: string;
  readonly time_limit_action: string;
  readonly data_from_lms: string;
  readonly mastery_score: string;
  readonly extras: readonly Element[];
  readonly children: readonly Item[];
}

export interface Organization {
  readonly identifier: string;
  readonly title: string;
  readonly items: readonly Item[];
  readonly attributes: readonly (readonly [string, string])[];
  readonly extras: readonly Element[];
}

export interface Resource {
  readonly identifier: string;
  readonly scorm_type: "sco" | "asset";
  readonly href: string;
  readonly remote: boolean;
}

export interface Launch {
  readonly organization: string;
  readonly item: string;
  readonly title: string;
  readonly href: string;
}

export interface Scorm {
  readonly edition: "1.2" | "2004-2nd" | "2004-3rd" | "2004-4th" | "aicc" | "cmi5" | "tincan";
  readonly title: string;
  readonly language: string;
  readonly default: string;
  readonly organizations: readonly Organization[];
  readonly resources: readonly Resource[];
  readonly launches: readonly Launch[];
  readonly extras: readonly Element[];
}

/** What `course.js` of a site holds. */
export interface Package {
  readonly kind: "scorm";
  readonly package_id: string;
  readonly version: number;
  readonly scorm: Scorm;
}

/** One line of the contents: an item with what it opens, and how deep it stands. */
export interface Place {
  readonly item: Item;
  readonly depth: number;
  readonly launch: Launch | null;
  readonly sco: boolean;
  readonly remote: boolean;
}

export const organizationOf = (scorm: Scorm): Organization | undefined => scorm.organizations.find((each) => each.identifier === scorm.default) ?? scorm.organizations[0];

/** The items of the organization that is played, in their order; `visible` ones alone stand in the contents. */
export function placesOf(scorm: Scorm): readonly Place[] {
  const launches = new Map(scorm.launches.map((each) => [each.item, each]));
  const resources = new Map(scorm.resources.map((each) => [each.identifier, each]));
  const found: Place[] = [];
  const walk = (items: readonly Item[], depth: number): void => {
    for (const item of items) {
      const resource = resources.get(item.resource ?? "");
      found.push({ item, depth, launch: launches.get(item.identifier) ?? null, sco: resource?.scorm_type !== "asset", remote: resource?.remote ?? false });
      walk(item.children, depth + 1);
    }
  };
  walk(organizationOf(scorm)?.items ?? [], 0);
  return found;
}

/** The address of a launch below `folder`. In the path of an href nothing is escaped but `?` and `#` of a file's own name, so what an
 * address needs is done here. */
export function addressOf(launch: Launch, folder: string): string {
  const [, path, rest] = /^([^?#]*)(.*)$/s.exec(launch.href) as unknown as [string, string, string];
  const name = path.replaceAll("%3F", "?").replaceAll("%23", "#");
  return folder + name.split("/").map(encodeURIComponent).join("/") + rest;
}

// -- elements that were kept as they stood --------------------------------------------------------------------------------

export const localName = (element: Element): string => element.name.slice(element.name.indexOf("}") + 1);

/** The first child of that local name: real packages get namespaces wrong. */
export const child = (element: Element | undefined, name: string): Element | undefined => element?.children.find((each) => localName(each) === name);
export const children = (element: Element | undefined, name: string): readonly Element[] => element?.children.filter((each) => localName(each) === name) ?? [];
export const extra = (of: { readonly extras: readonly Element[] }, name: string): Element | undefined => of.extras.find((each) => localName(each) === name);

/** An attribute by its local name; undefined where it is absent. */
export function attribute(element: Element | undefined, name: string): string | undefined {
  return element?.attributes.find(([each]) => each.slice(each.indexOf("}") + 1) === name)?.[1];
}

/** An attribute of xs:boolean. */
export function flag(element: Element | undefined, name: string): boolean | undefined {
  const text = attribute(element, name)?.trim();
  return text === undefined ? undefined : text === "true" || text === "1";
}

export function number(element: Element | undefined, name: string): number | undefined {
  const text = attribute(element, name)?.trim();
  return text && Number.isFinite(Number(text)) ? Number(text) : undefined;
}
