// Cues out of the WebVTT that the build writes (content/media/captions.py): no header blocks, no regions, times with hours.
// What is not a cue is passed over.

export interface Cue {
  readonly start_s: number;
  readonly end_s: number;
  readonly text: string;
}

const TIMES = /^(?:(\d+):)?(\d\d):(\d\d)\.(\d{3})\s+-->\s+(?:(\d+):)?(\d\d):(\d\d)\.(\d{3})/;

export function cuesOf(text: string): readonly Cue[] {
  const cues: Cue[] = [];
  for (const block of text.replace(/\r\n?/g, "\n").split(/\n{2,}/)) {
    const lines = block.split("\n");
    const at = lines.findIndex((line) => TIMES.test(line));
    const found = at < 0 ? null : TIMES.exec(lines[at] ?? "");
    if (found) cues.push({ start_s: seconds(found.slice(1, 5)), end_s: seconds(found.slice(5, 9)), text: lines.slice(at + 1).join("\n").trimEnd() });
  }
  return cues;
}

function seconds([hours, minutes, whole, thousandths]: readonly (string | undefined)[]): number {
  return Number(hours ?? 0) * 3600 + Number(minutes) * 60 + Number(whole) + Number(thousandths) / 1000;
}
