// The page around a package's player. It shows that in a frame, gives it what it needs through one port, and takes from it what is to
// be kept. Whoever plays there was not written by us: it is bounded, never shown, and reaches the files of its own package alone.
import { type FileAnswer, type FileAsk, GREETING, type FromPlayer, rangeOf, type ToPlayer, type Welcome } from "./messages.ts";
import { MOST_CHARACTERS, type Standing } from "./record.ts";

export interface File {
  readonly media_type: string;
  readonly size: number;
  /** The bytes from `from` to `to`, the last one included, in blocks. */
  read(from: number, to: number): AsyncGenerator<Uint8Array<ArrayBuffer>>;
}

export interface Records {
  /** What was kept, asked for each time that the player begins. */
  read(): Promise<string | null>;
  /** Resolves once it is kept. */
  save(record: string): Promise<void>;
}

export interface Around {
  readonly frame: HTMLIFrameElement;
  /** Whose messages count; null where the frame is of no known origin, as where an edge sends it to one of its own. */
  readonly origin: string | null;
  readonly learner: Welcome["learner"];
  readonly language: string;
  readonly place: string;
  readonly course?: Welcome["course"] | undefined;
  /** Where this page keeps records; absent where it leaves that to the player and its browser. */
  readonly records?: Records | undefined;
  /** The player has begun. */
  greeted?(): void;
  standing(standing: Standing): void;
  readonly file?: ((path: string) => Promise<File | null>) | undefined;
}

const LONGEST_PATH = 4096;

/** Answers the player in that frame until the function that comes back is called. */
export function surround(around: Around): () => void {
  let port: MessagePort | null = null;
  const greeted = async (event: MessageEvent<{ type?: unknown } | null>): Promise<void> => {
    if (event.source !== around.frame.contentWindow || (around.origin !== null && event.origin !== around.origin)) return;
    if (event.data?.type !== GREETING) return;
    const record = (await around.records?.read().catch(() => null)) ?? null;
    port?.close();
    const channel = new MessageChannel();
    port = channel.port1;
    port.onmessage = (message: MessageEvent<FromPlayer>) => heard(around, channel.port1, message);
    const welcome: Welcome = { type: GREETING, learner: around.learner, place: around.place, keeps: around.records !== undefined, record, language: around.language, ...(around.course ? { course: around.course } : {}) };
    // A frame of an opaque or unknown origin can be named by nothing else than what it is.
    (event.source as Window).postMessage(welcome, { targetOrigin: event.origin === "null" ? "*" : event.origin, transfer: [channel.port2] });
    around.greeted?.();
  };
  const close = (): void => {
    removeEventListener("message", listener);
    port?.close();
  };
  // A frame that was taken off the page will not speak again.
  const listener = (event: MessageEvent): void => (port && !around.frame.isConnected ? close() : void greeted(event));
  addEventListener("message", listener);
  return close;
}

function heard(around: Around, port: MessagePort, event: MessageEvent<FromPlayer | null>): void {
  const message = event.data;
  if (message?.type === "save" && typeof message.record === "string" && message.record.length <= MOST_CHARACTERS && Number.isSafeInteger(message.revision)) {
    const { revision } = message;
    const answer = (type: ToPlayer["type"]): void => port.postMessage({ type, revision } satisfies ToPlayer);
    (around.records?.save(message.record) ?? Promise.reject(new Error("no records"))).then(
      () => answer("kept"),
      () => answer("not-kept"),
    );
  } else if (message?.type === "standing") {
    const standing = standingOf(message.standing);
    if (standing) around.standing(standing);
  } else if (message?.type === "file" && event.ports[0]) void send(around, String(message.path), message.range, event.ports[0]);
}

function standingOf(told: Standing | null): Standing | null {
  const good = told && typeof told.completed === "boolean" && (told.passed === null || typeof told.passed === "boolean") && [told.done, told.all].every(Number.isSafeInteger);
  if (!good) return null;
  const score = typeof told.score === "number" && told.score >= 0 && told.score <= 1 ? told.score : null;
  return { completed: told.completed, passed: told.passed, score, done: told.done, all: told.all };
}

/** One file, block by block as it is pulled: so a film is never in memory as a whole, on either side. */
async function send(around: Around, path: string, range: string | null, port: MessagePort): Promise<void> {
  const answer = (message: FileAnswer, transfer: Transferable[] = []): void => port.postMessage(message, transfer);
  const none = (status: 404 | 416 | 500, size = 0): void => (answer({ type: "none", status, size }), port.close());
  try {
    const file = path.length <= LONGEST_PATH ? ((await around.file?.(path)) ?? null) : null;
    if (!file) return none(404);
    const asked = rangeOf(typeof range === "string" ? range : null, file.size);
    if (asked === "bad") return none(416, file.size);
    const { from, to } = asked ?? { from: 0, to: file.size - 1 };
    const blocks = file.read(from, to);
    port.onmessage = (event: MessageEvent<FileAsk>) => {
      if (event.data.type === "cancel") return void blocks.return(undefined).finally(() => port.close());
      void blocks.next().then(
        ({ done, value }) => {
          if (done) return void (answer({ type: "end" }), port.close());
          const { buffer } = value.byteLength === value.buffer.byteLength ? value : value.slice();
          answer({ type: "block", bytes: buffer }, [buffer]);
        },
        () => none(500),
      );
    };
    answer({ type: "head", media_type: file.media_type, size: file.size, from, to, partial: asked !== null });
  } catch {
    none(500);
  }
}
