// Where a learning platform puts its SCORM run-time: in a window around this one, or around the one that opened it.
// Windows of another origin may not be looked into; they are passed over.

const MOST_LEVELS = 500; // as the standard's own example has it

export function findApi<T>(name: string): T | null {
  return around<T>(window, name) ?? opened<T>(window, name);
}

function opened<T>(from: Window, name: string): T | null {
  try {
    const opener = (from.top ?? from).opener as Window | null;
    return (opener ? around<T>(opener, name) : null) ?? (from.opener ? around<T>(from.opener as Window, name) : null);
  } catch {
    return null;
  }
}

function around<T>(from: Window, name: string): T | null {
  let at: Window = from;
  for (let level = 0; level < MOST_LEVELS; level++) {
    try {
      const found = (at as unknown as Record<string, T | null | undefined>)[name];
      if (found) return found;
    } catch {
      // another origin
    }
    if (at.parent === at) return null;
    at = at.parent;
  }
  return null;
}
