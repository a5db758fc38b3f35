// SCORM 2004 sequencing as the run-time wants it: the elements of the manifest become settings, one function for each element of
// the IMS Simple Sequencing binding and of ADL's extensions. Absent attributes stay absent, so that the run-time's defaults hold.
import { attribute, child, children, type Element, extra, flag, type Item, localName, number, type Organization, type Scorm } from "./course.ts";

type Settings = { [name: string]: unknown };

/** Whether the items have to know of each other: more than one, and the manifest says something about their order, or data that they share. */
export function isSequenced(scorm: Scorm, organization: Organization): boolean {
  const says = (of: { readonly extras: readonly Element[]; readonly children?: readonly Item[] }): boolean => ["sequencing", "data"].some((name) => extra(of, name) !== undefined) || (of.children ?? []).some(says);
  return scorm.edition.startsWith("2004") && scorm.launches.length > 1 && (says(organization) || organization.items.some(says));
}

export function sequencingOf(scorm: Scorm, organization: Organization): Settings {
  const collections = children(extra(scorm, "sequencingCollection"), "sequencing").map((each) => ({ id: attribute(each, "ID") ?? "", ...rulesOf(each) }));
  const root = { id: organization.identifier, title: organization.title, children: organization.items.map(activity), ...rulesOf(extra(organization, "sequencing")) };
  return { activityTree: root, collections };
}

function activity(item: Item): Settings {
  const threshold = extra(item, "completionThreshold");
  const found: Settings = { id: item.identifier, title: item.title, isVisible: item.visible, ...rulesOf(extra(item, "sequencing"), item.identifier) };
  if (item.children.length) found["children"] = item.children.map(activity);
  if (item.time_limit_action) found["timeLimitAction"] = item.time_limit_action;
  if (threshold) {
    // 3rd edition: the threshold is the element's text. 4th: attributes.
    const text = threshold.text.trim();
    found["completionThreshold"] = text ? { completedByMeasure: true, minProgressMeasure: Number(text) } : { completedByMeasure: flag(threshold, "completedByMeasure") ?? false, minProgressMeasure: number(threshold, "minProgressMeasure") ?? 1, progressWeight: number(threshold, "progressWeight") ?? 1 };
  }
  const hidden = children(child(extra(item, "presentation"), "navigationInterface"), "hideLMSUI").map((each) => each.text.trim());
  if (hidden.length) found["hideLmsUi"] = hidden;
  const maps = children(extra(item, "data"), "map");
  if (maps.length) found["sharedDataMaps"] = maps.map((each) => ({ targetID: attribute(each, "targetID") ?? "", readSharedData: flag(each, "readSharedData") ?? true, writeSharedData: flag(each, "writeSharedData") ?? true }));
  return found;
}

function rulesOf(element: Element | undefined, item = ""): Settings {
  const found: Settings = {};
  if (!element) return found;
  const reference = attribute(element, "IDRef");
  if (reference) found["sequencingCollectionRefs"] = [reference];
  const controls = controlsOf(element);
  if (Object.keys(controls).length) found["sequencingControls"] = controls;
  const rules = child(element, "sequencingRules");
  if (rules) found["sequencingRules"] = { preConditionRules: children(rules, "preConditionRule").map(rule), exitConditionRules: children(rules, "exitConditionRule").map(rule), postConditionRules: children(rules, "postConditionRule").map(rule) };
  const limits = child(element, "limitConditions");
  Object.assign(found, defined({ attemptLimit: number(limits, "attemptLimit"), attemptAbsoluteDurationLimit: attribute(limits, "attemptAbsoluteDurationLimit") }));
  const rollup = child(element, "rollupRules");
  if (rollup) found["rollupRules"] = { rules: children(rollup, "rollupRule").map(rollupRule) };
  const considerations = child(element, "rollupConsiderations");
  if (considerations) found["rollupConsiderations"] = defined({ requiredForSatisfied: attribute(considerations, "requiredForSatisfied"), requiredForNotSatisfied: attribute(considerations, "requiredForNotSatisfied"), requiredForCompleted: attribute(considerations, "requiredForCompleted"), requiredForIncomplete: attribute(considerations, "requiredForIncomplete"), measureSatisfactionIfActive: flag(considerations, "measureSatisfactionIfActive") });
  Object.assign(found, objectivesOf(element, item));
  return found;
}

/** Control modes, and what else the run-time counts among them. */
function controlsOf(element: Element): Settings {
  const mode = child(element, "controlMode");
  const rollup = child(element, "rollupRules");
  const delivery = child(element, "deliveryControls");
  const random = child(element, "randomizationControls");
  const constrained = child(element, "constrainedChoiceConsiderations");
  const flags = (of: Element | undefined, names: readonly string[]): Settings => Object.fromEntries(names.map((name) => [name, flag(of, name)]));
  return defined({
    ...flags(mode, ["choice", "choiceExit", "flow", "forwardOnly", "useCurrentAttemptObjectiveInfo", "useCurrentAttemptProgressInfo"]),
    ...flags(rollup, ["rollupObjectiveSatisfied", "rollupProgressCompletion"]),
    objectiveMeasureWeight: number(rollup, "objectiveMeasureWeight"),
    ...flags(delivery, ["tracked", "completionSetByContent", "objectiveSetByContent"]),
    ...flags(constrained, ["preventActivation", "constrainChoice"]),
    randomizationTiming: attribute(random, "randomizationTiming"),
    selectionTiming: attribute(random, "selectionTiming"),
    selectCount: number(random, "selectCount"),
    reorderChildren: flag(random, "reorderChildren"),
    randomizeChildren: flag(random, "reorderChildren"),
  });
}

function rule(element: Element): Settings {
  const conditions = child(element, "ruleConditions");
  return {
    action: attribute(child(element, "ruleAction"), "action") ?? "",
    conditionCombination: attribute(conditions, "conditionCombination") ?? "all",
    conditions: children(conditions, "ruleCondition").map((each) =>
      defined({ condition: attribute(each, "condition") ?? "always", operator: attribute(each, "operator") === "not" ? "not" : undefined, referencedObjective: attribute(each, "referencedObjective"), parameters: thresholdOf(each) }),
    ),
  };
}

function rollupRule(element: Element): Settings {
  const conditions = child(element, "rollupConditions");
  return defined({
    action: attribute(child(element, "rollupAction"), "action") ?? "",
    consideration: attribute(element, "childActivitySet") ?? "all",
    minimumCount: number(element, "minimumCount"),
    minimumPercent: number(element, "minimumPercent"),
    conditionCombination: attribute(conditions, "conditionCombination") ?? "any",
    conditions: children(conditions, "rollupCondition").map((each) => defined({ condition: attribute(each, "condition") ?? "always", operator: attribute(each, "operator") === "not" ? "not" : undefined, parameters: thresholdOf(each) })),
  });
}

function thresholdOf(condition: Element): Settings | undefined {
  const threshold = number(condition, "measureThreshold");
  return threshold === undefined ? undefined : { threshold };
}

const IMSSS = { readSatisfiedStatus: true, readNormalizedMeasure: true, writeSatisfiedStatus: false, writeNormalizedMeasure: false } as const;
const ADLSEQ = { readRawScore: true, readMinScore: true, readMaxScore: true, readCompletionStatus: true, readProgressMeasure: true, writeRawScore: false, writeMinScore: false, writeMaxScore: false, writeCompletionStatus: false, writeProgressMeasure: false } as const;

/** Objectives with their maps. ADL's extension says more about the same targets; of a target that it does not name, nothing of that is read. */
function objectivesOf(element: Element, item: string): Settings {
  const all = [...element.children.filter((each) => localName(each) === "objectives")];
  const declared = all.flatMap((each) => each.children.filter((one) => ["primaryObjective", "objective"].includes(localName(one))));
  const imsss = declared.filter((each) => !each.name.includes("adlseq"));
  const extended = declared.filter((each) => each.name.includes("adlseq"));
  const made = imsss.map((each): Settings => {
    const primary = localName(each) === "primaryObjective";
    const id = attribute(each, "objectiveID") ?? "";
    const more = extended.filter((one) => attribute(one, "objectiveID") === id).flatMap((one) => children(one, "mapInfo"));
    const targets = new Map<string, { base?: Element; more?: Element }>();
    for (const map of children(each, "mapInfo")) targets.set(attribute(map, "targetObjectiveID") ?? "", { base: map });
    for (const map of more) targets.set(attribute(map, "targetObjectiveID") ?? "", { ...targets.get(attribute(map, "targetObjectiveID") ?? ""), more: map });
    const minimum = Number(child(each, "minNormalizedMeasure")?.text.trim() || "1");
    const byMeasure = flag(each, "satisfiedByMeasure") ?? false;
    const mapInfo = [...targets].map(([targetObjectiveID, { base, more: extension }]) => ({ targetObjectiveID, ...read(base, IMSSS), ...read(extension, ADLSEQ) }));
    // The run-time knows objectives by their identifiers alone; a primary one may have none.
    const needed = byMeasure || mapInfo.length > 0;
    return { objectiveID: id || (primary && needed ? `${item}-primary` : ""), isPrimary: primary, satisfiedByMeasure: byMeasure, minNormalizedMeasure: byMeasure ? minimum : null, mapInfo };
  }).filter((each) => each["objectiveID"]);
  const primaryObjective = made.find((each) => each["isPrimary"]);
  return { ...(primaryObjective ? { primaryObjective } : {}), ...(made.length ? { objectives: made.filter((each) => each !== primaryObjective) } : {}) };
}

/** The flags of a map; all off where there is none. */
function read(map: Element | undefined, defaults: Readonly<{ [name: string]: boolean }>): Settings {
  return Object.fromEntries(Object.entries(defaults).map(([name, value]) => [name, map ? (flag(map, name) ?? value) : false]));
}

/** What a single item's content is told at its launch, whether or not the package is sequenced. */
export function launchDataOf(item: Item): Readonly<Record<string, string>> {
  const primary = child(child(extra(item, "sequencing"), "objectives"), "primaryObjective");
  const threshold = extra(item, "completionThreshold");
  const completion = threshold?.text.trim() || (flag(threshold, "completedByMeasure") ? (attribute(threshold, "minProgressMeasure") ?? "1.0") : "");
  const passing = flag(primary, "satisfiedByMeasure") ? child(primary, "minNormalizedMeasure")?.text.trim() || "1.0" : "";
  const limits = child(extra(item, "sequencing"), "limitConditions");
  return {
    "cmi.launch_data": item.data_from_lms,
    "cmi.completion_threshold": completion,
    "cmi.scaled_passing_score": passing,
    "cmi.time_limit_action": item.time_limit_action,
    "cmi.max_time_allowed": attribute(limits, "attemptAbsoluteDurationLimit") ?? "",
  };
}

/** Identifiers of its objectives, which the data model holds from the start. */
export function objectiveIdsOf(item: Item): readonly string[] {
  const found = (child(extra(item, "sequencing"), "objectives")?.children ?? []).map((each) => attribute(each, "objectiveID") ?? "");
  return [...new Set(found.filter(Boolean))];
}

const defined = (settings: Settings): Settings => Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
