/**
 * Fetching one file into OPFS so that it goes on where it broke, also after the page was closed.
 *
 * What arrives is written at once and not believed: the reader compares every segment's hash before a bundle is swapped in.
 */
import type { Parts } from "./parts.ts";

/** Asks for the bytes of a path from `from` on; called again after a break, so a signed address may be a new one. */
export type Request = (path: string, headers: Record<string, string>) => Promise<Response>;

export class DownloadFailed extends Error {
  override readonly name = "DownloadFailed";
}

const TRIES_WITHOUT_A_BYTE = 3;

/** Downloads what is missing of `size` bytes. `progress` is told of each piece that was written. */
export async function download(
  parts: Parts,
  path: string,
  size: number,
  request: Request,
  progress: (bytes: number) => void = () => undefined,
): Promise<void> {
  let at = await parts.size(path);
  if (at > size) at = 0; // something else under this name
  let fruitless = 0;
  while (at < size) {
    const before = at;
    try {
      for await (const [begin, piece] of pieces(await request(path, rangeHeader(at)), at)) {
        if (begin + piece.length > size) throw new DownloadFailed(`${path} is longer than the index says.`);
        await parts.write(path, begin, piece);
        at = begin + piece.length;
        progress(piece.length);
      }
    } catch (error) {
      if (error instanceof DownloadFailed) throw error;
      // A broken connection; what came before it is written.
    }
    fruitless = at > before ? 0 : fruitless + 1;
    if (fruitless === TRIES_WITHOUT_A_BYTE) throw new DownloadFailed(`${path} broke off at byte ${at} of ${size}.`);
  }
  await parts.finish(path, size);
}

const rangeHeader = (at: number): Record<string, string> => (at === 0 ? {} : { range: `bytes=${at}-` });

/** The body's pieces with their places. A server that does not know ranges sends all of it, which begins at 0. */
async function* pieces(response: Response, at: number): AsyncGenerator<[number, Uint8Array<ArrayBuffer>]> {
  const partial = response.status === 206;
  if (!response.ok || response.body === null) {
    await response.body?.cancel();
    if (response.status < 500 && response.status !== 429) throw new DownloadFailed(`The store answers ${response.status}.`);
    return;
  }
  const range = /^bytes (\d+)-/.exec(response.headers.get("content-range") ?? "");
  let begin = partial ? Number(range?.[1] ?? -1) : 0;
  if (partial && begin !== at) throw new DownloadFailed("The store sends another range than was asked for.");
  for await (const piece of response.body as ReadableStream<Uint8Array<ArrayBuffer>>) {
    yield [begin, piece];
    begin += piece.length;
  }
}
